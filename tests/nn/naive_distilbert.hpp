#pragma once
// The naive oracle: DistilBERT as the paper's formulas, in triple loops over doubles, free of Eigen, of kernels and of
// everything else in include/distilbert but the word Precision, the coefficients of one polynomial, and whether the
// level in use attends in bf16. Slow on purpose; read it to know what the library computes. The rounding that bf16 and
// int8 prescribe is spelt out; sums are exact or in double.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <distilbert/kernels/dispatch.hpp>
#include <distilbert/kernels/polynomials.hpp>
#include <distilbert/load_options.hpp>

#include "random_model.hpp"

namespace distilbert::test {

/// Row-major.
struct Matrix {
  Matrix(std::size_t row_count, std::size_t column_count)
      : rows(row_count), columns(column_count), values(row_count * column_count) {}

  double& operator()(std::size_t r, std::size_t c) { return values[r * columns + c]; }
  double operator()(std::size_t r, std::size_t c) const { return values[r * columns + c]; }

  std::size_t rows, columns;
  std::vector<double> values;
};

/// A row in int8: value = quantum[i] * scale.
struct QuantizedRow {
  std::vector<int> quanta;
  float scale;
};

/// Weights: 127 steps to either side; the scale is max|w| / 127, and each weight is divided by it.
inline QuantizedRow quantize_weights(const float* w, std::size_t count) {
  float largest = 0;
  for (std::size_t i = 0; i < count; ++i)
    largest = std::max(largest, std::fabs(w[i]));
  QuantizedRow row{std::vector<int>(count), largest / 127};
  for (std::size_t i = 0; i < count && row.scale > 0; ++i)
    row.quanta[i] = static_cast<int>(std::nearbyint(w[i] / row.scale));
  return row;
}

/// What is not finite may become any step: 0 here.
inline int nearest(float x) { return std::isfinite(x) ? static_cast<int>(std::nearbyint(x)) : 0; }

/// Activations: 254 steps from the least of them to the largest, zero among them, and each is multiplied by the
/// reciprocal of the scale, as dividing each would be slow. The rounded reciprocal decides ties, so that the oracle
/// must take it too.
inline QuantizedRow quantize_activations(const std::vector<float>& x) {
  float least = 0, largest = 0;
  for (const float value : x) {
    least = std::min(least, value);
    largest = std::max(largest, value);
  }
  const float half = largest / 2 - least / 2, inverse = 127 / half;
  QuantizedRow row{std::vector<int>(x.size()), half / 127};
  for (std::size_t i = 0; i < x.size() && half > 0; ++i)
    row.quanta[i] = nearest(x[i] * inverse);
  return row;
}

/// Keys and values: 127 steps to either side, each multiplied by the reciprocal of the scale.
inline QuantizedRow quantize_operands(const std::vector<float>& x) {
  float largest = 0;
  for (const float value : x)
    largest = std::max(largest, std::fabs(value));
  QuantizedRow row{std::vector<int>(x.size()), largest / 127};
  const float inverse = 127 / largest;
  for (std::size_t i = 0; i < x.size() && largest > 0; ++i)
    row.quanta[i] = nearest(x[i] * inverse);
  return row;
}

inline double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

/// GELU before bf16 and int8: x Phi(x) with a polynomial in the place of Phi, to 5e-6 of |x|. What it is off by decides
/// ties, so that the oracle must take it too.
inline double rough_gelu(double x) {
  const double u = std::clamp(x, -4.5, 4.5), t = 2 * u * u / (4.5 * 4.5) - 1;
  double polynomial = 0;
  for (const float coefficient : kernels::phi_coefficients)
    polynomial = polynomial * t + double{coefficient};
  return x * (u * polynomial + 0.5);
}

/// A DistilBERT (not a BERT) on one text at a time.
class NaiveDistilBert {
public:
  NaiveDistilBert(const RandomModel& model, Precision precision) : shape_(model.shape), precision_(precision) {
    for (const Tensor& tensor : model.tensors)
      weights_.emplace(tensor.name, tensor);
    fold_attention_scale();
  }

  /// LayerNorm(word + position), of ids from position 0
  Matrix embeddings(const std::vector<std::int32_t>& ids) const {
    Matrix hidden(ids.size(), shape_.dim);
    for (std::size_t t = 0; t < ids.size(); ++t) {
      const auto word = embedding_row("embeddings.word_embeddings", static_cast<std::size_t>(ids[t]));
      const auto position = embedding_row("embeddings.position_embeddings", t);
      for (std::size_t c = 0; c < shape_.dim; ++c)
        hidden(t, c) = double{word[c]} + double{position[c]};
    }
    return layer_norm("embeddings.LayerNorm", hidden);
  }

  /// x W^T + b in the model's precision
  Matrix linear(const std::string& name, const Matrix& x) const { return linear(name, x, precision_); }

  Matrix layer_norm(const std::string& name, const Matrix& x) const {
    const auto& weight = values(name + ".weight");
    const auto& bias = values(name + ".bias");
    Matrix y(x.rows, x.columns);
    for (std::size_t r = 0; r < x.rows; ++r) {
      double mean = 0, variance = 0;
      for (std::size_t c = 0; c < x.columns; ++c)
        mean += x(r, c) / static_cast<double>(x.columns);
      for (std::size_t c = 0; c < x.columns; ++c)
        variance += (x(r, c) - mean) * (x(r, c) - mean) / static_cast<double>(x.columns);
      for (std::size_t c = 0; c < x.columns; ++c)
        y(r, c) = (x(r, c) - mean) / std::sqrt(variance + 1e-12) * double{weight[c]} + double{bias[c]};
    }
    return y;
  }

  /// Multi-head self-attention of one text, out_lin included
  Matrix attention(const std::string& name, const Matrix& hidden) const {
    const Matrix q = linear(name + ".q_lin", hidden), k = linear(name + ".k_lin", hidden),
                 v = linear(name + ".v_lin", hidden);
    const Precision products = attention_precision(hidden.rows);
    Matrix context(hidden.rows, shape_.dim);
    for (std::size_t head = 0; head < shape_.n_heads; ++head) {
      const Matrix queries = rounded_rows(head_of(q, head), products, quantize_activations);
      const Matrix keys = rounded_rows(head_of(k, head), products, quantize_operands);
      const Matrix values = rounded_rows(transposed(head_of(v, head)), products, quantize_operands);
      for (std::size_t i = 0; i < hidden.rows; ++i) {
        std::vector<double> weight(hidden.rows);
        double largest = -1e300, sum = 0;
        for (std::size_t j = 0; j < hidden.rows; ++j) {
          for (std::size_t d = 0; d < keys.columns; ++d)
            weight[j] += queries(i, d) * keys(j, d);
          largest = std::max(largest, weight[j]);
        }
        for (double& w : weight)
          sum += w = std::exp(w - largest);
        for (std::size_t j = 0; j < hidden.rows; ++j)
          for (std::size_t d = 0; d < values.rows; ++d)
            context(i, head * values.rows + d) += rounded_probability(weight[j], sum, products) * values(d, j);
      }
    }
    return linear(name + ".out_lin", context);
  }

  /// softmax(q k^T) in exact arithmetic, head under head: [n_heads rows, rows]
  Matrix attention_probabilities(const std::string& name, const Matrix& hidden) const {
    const Matrix q = linear(name + ".q_lin", hidden), k = linear(name + ".k_lin", hidden);
    Matrix probabilities(shape_.n_heads * hidden.rows, hidden.rows);
    for (std::size_t row = 0; row < probabilities.rows; ++row) {
      const std::size_t head = row / hidden.rows, i = row % hidden.rows, head_dim = shape_.dim / shape_.n_heads;
      double sum = 0;
      for (std::size_t j = 0; j < hidden.rows; ++j) {
        double score = 0;
        for (std::size_t d = head * head_dim; d < (head + 1) * head_dim; ++d)
          score += q(i, d) * k(j, d);
        sum += probabilities(row, j) = std::exp(score);
      }
      for (std::size_t j = 0; j < hidden.rows; ++j)
        probabilities(row, j) /= sum;
    }
    return probabilities;
  }

  /// attention() for the first token, whose heads attend to the hidden states themselves: in exact arithmetic its first
  /// row.
  Matrix attention_cls(const std::string& name, const Matrix& hidden) const {
    const std::size_t dim = shape_.dim, head_dim = dim / shape_.n_heads;
    const Matrix q = linear(name + ".q_lin", first_row(hidden)), keys = rounded(name + ".k_lin");
    Matrix context(1, dim);
    for (std::size_t head = 0; head < shape_.n_heads; ++head) {
      std::vector<double> asked(dim), weight(hidden.rows);
      for (std::size_t c = 0; c < dim; ++c)
        for (std::size_t d = head * head_dim; d < (head + 1) * head_dim; ++d)
          asked[c] += q(0, d) * keys(d, c);
      double largest = -1e300, sum = 0;
      for (std::size_t j = 0; j < hidden.rows; ++j) {
        for (std::size_t c = 0; c < dim; ++c)
          weight[j] += asked[c] * hidden(j, c);
        largest = std::max(largest, weight[j]);
      }
      for (double& w : weight)
        sum += w = std::exp(w - largest);
      Matrix attended(1, dim);
      for (std::size_t j = 0; j < hidden.rows; ++j)
        for (std::size_t c = 0; c < dim; ++c)
          attended(0, c) += weight[j] / sum * hidden(j, c);
      const Matrix values_of_head = linear(name + ".v_lin", attended);
      for (std::size_t d = head * head_dim; d < (head + 1) * head_dim; ++d)
        context(0, d) = values_of_head(0, d);
    }
    return linear(name + ".out_lin", context);
  }

  Matrix ffn(const std::string& name, const Matrix& hidden) const {
    Matrix intermediate = linear(name + ".lin1", hidden);
    for (double& x : intermediate.values)
      x = shape_.activation == "relu" ? std::max(x, 0.0) : precision_ == Precision::fp32 ? gelu(x) : rough_gelu(x);
    return linear(name + ".lin2", intermediate);
  }

  Matrix block(const std::string& name, const Matrix& hidden) const {
    return block(name, hidden, attention(name + ".attention", hidden));
  }

  /// The first token's row alone
  Matrix block_cls(const std::string& name, const Matrix& hidden) const {
    return block(name, first_row(hidden), attention_cls(name + ".attention", hidden));
  }

  Matrix hidden(const std::vector<std::int32_t>& ids) const {
    Matrix hidden = embeddings(ids);
    for (std::size_t i = 0; i < shape_.n_layers; ++i)
      hidden = block("transformer.layer." + std::to_string(i), hidden);
    return hidden;
  }

  /// [CLS] states, one row a text -> logits. The classifier itself is fp32 in every precision.
  Matrix head(const Matrix& cls) const {
    Matrix pooled = linear("pre_classifier", cls);
    for (double& x : pooled.values)
      x = std::max(x, 0.0);
    return linear("classifier", pooled, Precision::fp32);
  }

private:
  Matrix block(const std::string& name, const Matrix& hidden, const Matrix& projected) const {
    const Matrix attended = layer_norm(name + ".sa_layer_norm", sum(projected, hidden));
    return layer_norm(name + ".output_layer_norm", sum(ffn(name + ".ffn", attended), attended));
  }

  static Matrix first_row(const Matrix& x) {
    Matrix y(1, x.columns);
    std::copy_n(x.values.begin(), x.columns, y.values.begin());
    return y;
  }

  /// What the products of attention over that many tokens are made of.
  Precision attention_precision(std::size_t tokens) const {
    const bool in_bf16 = active_kernels().attention_bf16 != active_kernels().attention;
    return tokens < 48 || (precision_ == Precision::bf16 && !in_bf16) ? Precision::fp32 : precision_;
  }

  Matrix head_of(const Matrix& x, std::size_t head) const {
    Matrix y(x.rows, shape_.dim / shape_.n_heads);
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t d = 0; d < y.columns; ++d)
        y(r, d) = x(r, head * y.columns + d);
    return y;
  }

  static Matrix transposed(const Matrix& x) {
    Matrix y(x.columns, x.rows);
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t c = 0; c < x.columns; ++c)
        y(c, r) = x(r, c);
    return y;
  }

  /// The rows in that precision, if it is int8 by `quantize`
  static Matrix rounded_rows(const Matrix& x, Precision precision,
                             QuantizedRow (*quantize)(const std::vector<float>& x)) {
    if (precision == Precision::fp32)
      return x;
    Matrix y(x.rows, x.columns);
    for (std::size_t r = 0; r < x.rows; ++r) {
      const std::vector<float> row(x.values.begin() + static_cast<std::ptrdiff_t>(r * x.columns),
                                   x.values.begin() + static_cast<std::ptrdiff_t>((r + 1) * x.columns));
      const QuantizedRow quantized = quantize(row);
      for (std::size_t c = 0; c < x.columns; ++c)
        y(r, c) = precision == Precision::bf16 ? double{from_bf16(bf16_bits(row[c]))}
                                               : quantized.quanta[c] * double{quantized.scale};
    }
    return y;
  }

  /// weight / sum, where weight is at most 1
  static double rounded_probability(double weight, double sum, Precision precision) {
    switch (precision) {
    case Precision::fp32: break;
    case Precision::bf16: return double{from_bf16(bf16_bits(static_cast<float>(weight / sum)))};
    case Precision::int8: return std::nearbyint(weight * 254) / 254 / sum;
    }
    return weight / sum;
  }

  /// The weights of a square layer as the model's precision keeps them
  Matrix rounded(const std::string& name) const {
    Matrix w(shape_.dim, shape_.dim);
    for (std::size_t r = 0; r < w.rows; ++r) {
      const std::vector<float> row = rounded_row(values(name + ".weight").data() + r * w.columns);
      std::copy(row.begin(), row.end(), w.values.begin() + static_cast<std::ptrdiff_t>(r * w.columns));
    }
    return w;
  }

  /// 1/sqrt(head_dim) is part of the weights before they are rounded.
  void fold_attention_scale() {
    const std::size_t head_dim = shape_.dim / shape_.n_heads;
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(head_dim)));
    for (auto& [name, tensor] : weights_)
      if (name.find(".q_lin.") != name.npos)
        for (float& w : tensor.values)
          w *= scale;
  }

  const std::vector<float>& values(const std::string& name) const { return weights_.at(name).values; }

  std::vector<float> embedding_row(const std::string& name, std::size_t row) const {
    return rounded_row(values(name + ".weight").data() + row * shape_.dim);
  }

  std::vector<float> rounded_row(const float* first) const {
    std::vector<float> result(first, first + shape_.dim);
    if (precision_ == Precision::bf16)
      for (float& w : result)
        w = from_bf16(bf16_bits(w));
    if (precision_ == Precision::int8) {
      const QuantizedRow quantized = quantize_weights(first, shape_.dim);
      for (std::size_t c = 0; c < shape_.dim; ++c)
        result[c] = static_cast<float>(quantized.quanta[c]) * quantized.scale;
    }
    return result;
  }

  Matrix linear(const std::string& name, const Matrix& x, Precision precision) const {
    const std::vector<float>&w = values(name + ".weight"), &bias = values(name + ".bias");
    Matrix y(x.rows, bias.size());
    for (std::size_t r = 0; r < x.rows; ++r) {
      const std::vector<float> row(x.values.begin() + static_cast<std::ptrdiff_t>(r * x.columns),
                                   x.values.begin() + static_cast<std::ptrdiff_t>((r + 1) * x.columns));
      for (std::size_t c = 0; c < y.columns; ++c)
        y(r, c) = dot(row, x.values.data() + r * x.columns, w.data() + c * x.columns, precision) + double{bias[c]};
    }
    return y;
  }

  /// `exact` is the same row before it is rounded to float.
  static double dot(const std::vector<float>& row, const double* exact, const float* w, Precision precision) {
    double sum = 0;
    switch (precision) {
    case Precision::fp32:
      for (std::size_t k = 0; k < row.size(); ++k)
        sum += exact[k] * double{w[k]};
      break;
    case Precision::bf16:
      for (std::size_t k = 0; k < row.size(); ++k)
        sum += double{from_bf16(bf16_bits(row[k]))} * double{from_bf16(bf16_bits(w[k]))};
      break;
    case Precision::int8: {
      const QuantizedRow x = quantize_activations(row), weights = quantize_weights(w, row.size());
      std::int64_t products = 0;
      for (std::size_t k = 0; k < row.size(); ++k)
        products += std::int64_t{x.quanta[k]} * weights.quanta[k];
      sum = static_cast<double>(products) * double{x.scale * weights.scale};
      break;
    }
    }
    return sum;
  }

  static Matrix sum(const Matrix& a, const Matrix& b) {
    Matrix y = a;
    for (std::size_t i = 0; i < y.values.size(); ++i)
      y.values[i] += b.values[i];
    return y;
  }

  Shape shape_;
  Precision precision_;
  std::map<std::string, Tensor> weights_;
};

} // namespace distilbert::test
