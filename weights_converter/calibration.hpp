#pragma once
// What enters the linear layers of a model: a forward pass over a few short texts of random word pieces, written for
// the eye, in Eigen. No data is asked for: what tells good from bad roundings is mostly the model's own doing, such as
// the few channels that are large whenever a token is [CLS] or [SEP].

#include "environment.hpp"

#include <distilbert/config.hpp>
#include <distilbert/eigen.hpp>
#include <distilbert/weights/checkpoint.hpp>
#include <distilbert/weights/packed_layers.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace convert {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Word pieces of the texts, without [CLS] and [SEP]. Short ones: the fewer there are, the more of an answer are
/// the roundings of [CLS] and [SEP]. All-MiniLM-L6-v2 in int8, of the worst of 12 texts without a letter 1 - cosine of
/// the embeddings: 0.0080 rounded to nearest, 0.0028 to 0.0030 with these, 0.0034 to 0.0041 with eight of 30 more.
inline constexpr std::size_t calibration_lengths[] = {0, 1, 1, 2, 2, 3, 3, 4, 6, 8, 0, 1, 1, 2, 2, 3, 3, 4, 6, 8};

/// The texts' ids, each a copy of those of an empty text with word pieces drawn at random behind the first.
inline std::vector<std::vector<std::int32_t>> calibration_texts(const std::vector<std::int32_t>& empty_text,
                                                                const distilbert::DistilBertConfig& config) {
  std::mt19937 random; // the same numbers everywhere
  std::vector<std::vector<std::int32_t>> texts;
  for (const std::size_t length : calibration_lengths) {
    if (empty_text.empty() || empty_text.size() + length > config.max_position_embeddings)
      continue;
    std::vector<std::int32_t> ids(length);
    for (std::int32_t& id : ids)
      id = static_cast<std::int32_t>(random() % config.vocab_size);
    ids.insert(ids.begin(), empty_text.front());
    ids.insert(ids.end(), empty_text.begin() + 1, empty_text.end());
    texts.push_back(std::move(ids));
  }
  return texts;
}

/// The forward pass of DistilBERT's encoder, one layer's weights in memory at a time.
class CalibrationPass {
public:
  /// A linear layer, its weight [out.logical()][in.logical()], and the tokens that enter it [tokens, in.logical()].
  using Observe =
      std::function<void(const distilbert::PackedLayer& layer, const std::vector<float>& weight, const Matrix& x)>;

  CalibrationPass(const distilbert::Checkpoint& checkpoint, const distilbert::DistilBertConfig& config, Observe observe,
                  Environment& environment)
      : checkpoint_(checkpoint), config_(config), observe_(std::move(observe)), environment_(environment),
        layers_(distilbert::detail::packed_layers(
            config, distilbert::Precision::fp32, [](const char*) { return false; },
            [](const char*) { return false; })) {
    for (const distilbert::PackedLayer& layer : layers_)
      if (layer.kind == distilbert::PackedLayer::Kind::linear)
        total_ += bytes_of(layer);
  }

  /// Runs the texts, each of at least one token. Tells its progress as "calibrated", in bytes of weights.
  void run(const std::vector<std::vector<std::int32_t>>& texts) {
    Matrix hidden = embeddings(texts);
    for (std::size_t i = 0; i < config_.n_layers; ++i) {
      const std::string block = "transformer.layer." + std::to_string(i);
      const Matrix context = attention(linear(block + ".attention.qkv_lin", hidden), texts);
      hidden = layer_norm(block + ".sa_layer_norm", hidden + linear(block + ".attention.out_lin", context));
      const Matrix intermediate = activation(linear(block + ".ffn.lin1", hidden));
      hidden = layer_norm(block + ".output_layer_norm", hidden + linear(block + ".ffn.lin2", intermediate));
    }
  }

private:
  using Index = Eigen::Index;
  using Weight = Eigen::Map<const Matrix>;
  using Row = Eigen::Map<const Eigen::RowVectorXf>;

  static Index index(std::size_t i) { return static_cast<Index>(i); }
  static Row row(const std::vector<float>& values) { return {values.data(), index(values.size())}; }

  static std::size_t bytes_of(const distilbert::PackedLayer& linear) {
    return linear.out.logical() * linear.in.logical() * sizeof(float);
  }
  std::vector<float> read(const distilbert::PackedLayer& layer, const char* parameter) const {
    return distilbert::detail::read_parameter(checkpoint_, layer, parameter);
  }
  const distilbert::PackedLayer& layer(const std::string& name) const {
    return *std::find_if(layers_.begin(), layers_.end(), [&](const auto& l) { return l.name == name; });
  }

  Matrix embeddings(const std::vector<std::vector<std::int32_t>>& texts) const {
    const std::vector<float> words = read(layer("embeddings.word_embeddings"), ".weight");
    const std::vector<float> positions = read(layer("embeddings.position_embeddings"), ".weight");
    const auto vector = [&](const std::vector<float>& table, std::size_t i) {
      return Row(table.data() + i * config_.dim, index(config_.dim));
    };
    std::size_t tokens = 0;
    for (const auto& text : texts)
      tokens += text.size();
    Matrix sum(index(tokens), index(config_.dim));
    Index token = 0;
    for (const auto& text : texts)
      for (std::size_t i = 0; i < text.size(); ++i)
        sum.row(token++) = vector(words, static_cast<std::size_t>(text[i])) + vector(positions, i);
    return layer_norm("embeddings.LayerNorm", sum);
  }

  Matrix linear(const std::string& name, const Matrix& x) {
    const distilbert::PackedLayer& spec = layer(name);
    const std::vector<float> weight = read(spec, ".weight"), bias = read(spec, ".bias");
    observe_(spec, weight, x);
    Matrix y = x * Weight(weight.data(), index(spec.out.logical()), x.cols()).transpose();
    y.rowwise() += row(bias);
    environment_.progress("calibrated", done_ += bytes_of(spec), total_);
    return y;
  }

  /// qkv [tokens, 3 dim], 1/sqrt(head_dim) being in q -> context [tokens, dim]
  Matrix attention(const Matrix& qkv, const std::vector<std::vector<std::int32_t>>& texts) const {
    const Index dim = index(config_.dim), head_dim = index(config_.head_dim());
    Matrix context(qkv.rows(), dim);
    Index first = 0;
    for (const auto& text : texts) {
      const Index length = index(text.size());
      const auto of_head = [&](Index column) { return qkv.block(first, column, length, head_dim); };
      for (Index head = 0; head < dim; head += head_dim) {
        Matrix p = of_head(head) * of_head(dim + head).transpose();
        p = (p.colwise() - p.rowwise().maxCoeff()).array().exp().matrix().eval();
        context.block(first, head, length, head_dim) =
            p.rowwise().sum().cwiseInverse().asDiagonal() * (p * of_head(2 * dim + head));
      }
      first += length;
    }
    return context;
  }

  Matrix activation(const Matrix& x) const {
    return x.unaryExpr([relu = config_.activation == distilbert::Activation::relu](float v) {
      return relu ? std::max(v, 0.0f) : 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
    });
  }

  Matrix layer_norm(const std::string& name, const Matrix& x) const {
    const std::vector<float> weight = read(layer(name), ".weight"), bias = read(layer(name), ".bias");
    Matrix y = x.colwise() - x.rowwise().mean();
    const Eigen::VectorXf variance = y.rowwise().squaredNorm() / static_cast<float>(x.cols());
    y = (variance.array() + config_.layer_norm_eps).rsqrt().matrix().asDiagonal() * y * row(weight).asDiagonal();
    y.rowwise() += row(bias);
    return y;
  }

  const distilbert::Checkpoint& checkpoint_;
  const distilbert::DistilBertConfig& config_;
  Observe observe_;
  Environment& environment_;
  std::vector<distilbert::PackedLayer> layers_;
  std::size_t done_ = 0, total_ = 0;
};

} // namespace convert
