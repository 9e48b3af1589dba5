#pragma once
// What the tests of single layers share: one small random model as the library and as the naive oracle see it, and
// activations that pass from the one to the other.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <distilbert/nn/distilbert_model.hpp>

#include "naive_distilbert.hpp"
#include "random_model.hpp"

namespace distilbert::test {

inline constexpr Precision all_precisions[] = {Precision::fp32, Precision::bf16, Precision::int8};

inline LoadOptions in_precision(Precision precision) {
  LoadOptions options;
  options.precision = precision;
  return options;
}

struct LayerSetup {
  LayerSetup(const Shape& shape, std::vector<Tensor> tensors, Precision precision)
      : model(shape, std::move(tensors)), config(DistilBertConfig::from_pretrained(model.path())),
        weights(PackedModel::from_pretrained(model.path(), config, in_precision(precision))), workspace(config),
        naive(model, precision), naive_fp32(model, Precision::fp32) {}
  LayerSetup(const Shape& shape, Precision precision) : LayerSetup(shape, random_tensors(shape), precision) {}

  RandomModel model;
  DistilBertConfig config;
  PackedModel weights;
  Workspace workspace;
  NaiveDistilBert naive, naive_fp32;
};

/// Values near the standard normal distribution that are floats exactly.
inline Matrix random_activations(std::size_t rows, std::size_t columns, std::uint64_t seed = 1) {
  Stream stream(seed, "activations");
  Matrix x(rows, columns);
  for (double& value : x.values) {
    const std::uint64_t word = stream.next();
    const std::uint64_t sum = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48);
    value = double{static_cast<float>(static_cast<double>(sum) - 131070.0) / 37837.2f};
  }
  return x;
}

/// Rows as the layers take them: fp32, columns padded to whole lanes with zeros.
class Activations {
public:
  Activations(std::size_t rows, std::size_t columns)
      : rows_(rows), columns_(columns), memory_(rows * padded(columns) * sizeof(float)) {
    std::fill_n(data(), rows * padded(columns), 0.0f);
  }
  explicit Activations(const Matrix& x) : Activations(x.rows, x.columns) {
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t c = 0; c < x.columns; ++c)
        (*this)(r, c) = static_cast<float>(x(r, c));
  }

  float& operator()(std::size_t r, std::size_t c) { return data()[r * padded(columns_) + c]; }
  Rows rows() { return {data(), static_cast<Eigen::Index>(rows_), static_cast<Eigen::Index>(padded(columns_))}; }
  std::vector<float> row(std::size_t r) { return {&(*this)(r, 0), &(*this)(r, 0) + padded(columns_)}; }

  /// NaN where anything but zero stands in the padding.
  Matrix matrix() {
    Matrix x(rows_, columns_);
    for (std::size_t r = 0; r < rows_; ++r) {
      const std::vector<float> values = row(r);
      const bool clean = std::all_of(values.begin() + static_cast<std::ptrdiff_t>(columns_), values.end(),
                                     [](float value) { return value == 0.0f; });
      for (std::size_t c = 0; c < columns_; ++c)
        x(r, c) = clean ? double{values[c]} : std::numeric_limits<double>::quiet_NaN();
    }
    return x;
  }

private:
  float* data() { return reinterpret_cast<float*>(memory_.data()); }

  std::size_t rows_, columns_;
  AlignedBuffer memory_;
};

inline double largest(const Matrix& x) {
  double most = 0;
  for (const double value : x.values)
    most = std::max(most, std::fabs(value));
  return most;
}

/// Largest difference; NaN counts as infinite.
inline double difference(const Matrix& a, const Matrix& b) {
  if (a.rows != b.rows || a.columns != b.columns)
    return INFINITY;
  double most = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double d = std::fabs(a.values[i] - b.values[i]);
    most = std::isnan(d) ? INFINITY : std::max(most, d);
  }
  return most;
}

/// How far the library may be from the oracle where one product feeds another. In fp32, rounding only. In bf16 and int8
/// the oracle rounds doubles and the library floats to the same grid, so that they agree as closely, except for the one
/// activation in some hundred thousand that lies so near the middle between two steps that they choose differently. A
/// few such choices stay well below a quarter of what the precision costs, which is the oracle's own distance from
/// fp32: there every activation and every weight is off by up to half a step.
inline double composed_tolerance(Precision precision, const Matrix& expected, const Matrix& expected_fp32) {
  return precision == Precision::fp32 ? 1e-5 * largest(expected) : 0.25 * difference(expected, expected_fp32);
}

} // namespace distilbert::test
