#pragma once
// Rounding to int8 by what enters the layers. Two steps, both after the fact and without training:
//
//  - Input scales (Xiao et al. 2022, SmoothQuant). Where a LayerNorm's output enters, a few channels are many times as
//    large as the rest, and a row's steps are as wide as they make them. Each channel is made smaller by its input
//    scale, and its weights larger by as much.
//  - Weights one input channel after the other (Frantar et al. 2022, GPTQ): each is rounded from where it makes up for
//    what the roundings so far did to the layer's outputs.

#include "calibration.hpp"
#include "environment.hpp"

#include <distilbert/weights/pack.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace convert {

/// Rounds the linear layers of the encoder for the tokens of calibration_texts(). A layer whose weights lie on steps of
/// int8 already, or in which they overflow, is rounded as ever.
class CalibratedRounding : public distilbert::LinearRounding {
public:
  /// empty_text: the ids of a text without words, usually [CLS] and [SEP].
  CalibratedRounding(const distilbert::Checkpoint& checkpoint, const distilbert::DistilBertConfig& config, int sum_bits,
                     const std::vector<std::int32_t>& empty_text, Environment& environment)
      : sum_bits_(sum_bits) {
    const auto texts = calibration_texts(empty_text, config);
    if (!texts.empty())
      CalibrationPass(
          checkpoint, config,
          [&](const auto& layer, const auto& weight, const Matrix& x) { add(layer, weight, x, texts); }, environment)
          .run(texts);
  }

  /// Whether any layer is rounded otherwise than to the nearest step.
  bool any() const { return !layers_.empty(); }

  const std::vector<float>* input_scale(const std::string& layer) const override {
    const auto found = layers_.find(layer);
    return found == layers_.end() || found->second.input_scale.empty() ? nullptr : &found->second.input_scale;
  }

  std::vector<float> round(const distilbert::PackedLayer& layer, std::vector<float>& weight) const override {
    const auto found = layers_.find(layer.name);
    if (found == layers_.end())
      return {};
    const Layer& calibrated = found->second;
    const std::size_t in = layer.in.logical(), out = layer.out.logical();
    if (!calibrated.input_scale.empty())
      for (std::size_t i = 0; i < weight.size(); ++i)
        weight[i] /= calibrated.input_scale[i % in];
    std::vector<float> scales(out);
    for (std::size_t row = 0; row < out; ++row)
      scales[row] = distilbert::int8_scale(weight.data(), row, layer.in, sum_bits_);
    for (std::size_t row = 0; row < out; row += rows_together)
      round_rows(calibrated, layer.in, scales.data() + row, weight.data() + row * in,
                 static_cast<Eigen::Index>(std::min(rows_together, out - row)));
    return scales;
  }

private:
  struct Layer {
    std::vector<float> input_scale; // [in], or empty
    std::vector<std::size_t> order; // of the channels: those that carry most come first
    Matrix x;                       // [in, tokens], scaled
    Matrix pull;                    // [in, tokens]: what an error of the outputs so far asks of this channel's weights
  };

  /// Rows of a weight that are rounded side by side; their outputs' errors stay in the first-level cache.
  static constexpr std::size_t rows_together = 16;
  /// Weight of the wish to stay near the weights as they are, of the mean over the channels of sum x^2.
  static constexpr double damping = 0.01;
  /// How much of the difference between channels moves from activations to weights.
  static constexpr float smoothing = 0.4f;

  static bool is_after_layer_norm(const std::string& name) {
    const auto ends_with = [&](const std::string& end) {
      return name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
    };
    return ends_with(".qkv_lin") || ends_with(".lin1");
  }

  bool on_steps(const std::vector<float>& weight, distilbert::Blocks in) const {
    for (std::size_t i = 0; i < weight.size(); i += in.logical()) {
      const float scale = distilbert::int8_scale(weight.data(), i / in.logical(), in, sum_bits_);
      for (std::size_t k = i; scale > 0 && k < i + in.logical(); ++k)
        if (std::fabs(weight[k] / scale - std::nearbyint(weight[k] / scale)) > 0.13f) // 0.12 is what F16 may be off by
          return false;
    }
    return true;
  }

  void add(const distilbert::PackedLayer& layer, const std::vector<float>& weight, const Matrix& x,
           const std::vector<std::vector<std::int32_t>>& texts) {
    if (on_steps(weight, layer.in))
      return;
    Layer added;
    added.x = x.transpose();
    if (is_after_layer_norm(layer.name)) {
      added.input_scale = smoothing_scale(added.x, weight);
      for (Eigen::Index k = 0; k < added.x.rows(); ++k)
        added.x.row(k) *= added.input_scale[static_cast<std::size_t>(k)];
      if (!are_finite(weight, added.input_scale))
        return;
    }
    if (!added.x.allFinite())
      return;
    Eigen::Index first = 0;
    for (const auto& text : texts) { // all texts count the same
      const auto length = static_cast<Eigen::Index>(text.size());
      added.x.middleCols(first, length) /= std::sqrt(static_cast<float>(length));
      first += length;
    }
    find_pull(added);
    layers_.emplace(layer.name, std::move(added));
  }

  /// Whether the weights for scaled inputs are.
  static bool are_finite(const std::vector<float>& weight, const std::vector<float>& input_scale) {
    for (std::size_t i = 0; i < weight.size(); ++i)
      if (!std::isfinite(weight[i] / input_scale[i % input_scale.size()]))
        return false;
    return true;
  }

  /// max|x|^-smoothing * max|w|^(1 - smoothing) of each channel
  static std::vector<float> smoothing_scale(const Matrix& x, const std::vector<float>& weight) {
    const auto in = static_cast<std::size_t>(x.rows());
    std::vector<float> scale(in);
    for (std::size_t k = 0; k < in; ++k) {
      float largest = 0;
      for (std::size_t i = k; i < weight.size(); i += in)
        largest = std::max(largest, std::fabs(weight[i]));
      constexpr float least = 1e-5f; // of channels that are always zero
      scale[k] = std::pow(std::max(x.row(static_cast<Eigen::Index>(k)).cwiseAbs().maxCoeff(), least), -smoothing) *
                 std::pow(std::max(largest, least), 1 - smoothing);
    }
    return scale;
  }

  /// Of all changes d of the weights of channels k, k + 1, ... (in order), which add sum d x to outputs that are off by
  /// r, that of least |r + sum d x|^2 + l |d|^2 has d[k] = -pull[k] r, pull[k] = x[k]^T (l + sum over those x x^T)^-1.
  /// The inverse grows from the last channel to the first (Sherman and Morrison 1950).
  static void find_pull(Layer& layer) {
    const Eigen::VectorXf energy = layer.x.rowwise().squaredNorm();
    layer.order.resize(static_cast<std::size_t>(energy.size()));
    std::iota(layer.order.begin(), layer.order.end(), std::size_t{0});
    std::stable_sort(layer.order.begin(), layer.order.end(), [&](std::size_t a, std::size_t b) {
      return energy[static_cast<Eigen::Index>(a)] > energy[static_cast<Eigen::Index>(b)];
    });
    const double near = std::max(damping * static_cast<double>(energy.mean()), 1e-30);
    Eigen::MatrixXd inverse = Eigen::MatrixXd::Identity(layer.x.cols(), layer.x.cols()) / near;
    layer.pull.resize(layer.x.rows(), layer.x.cols());
    for (auto channel = layer.order.rbegin(); channel != layer.order.rend(); ++channel) {
      const auto k = static_cast<Eigen::Index>(*channel);
      const Eigen::VectorXd x = layer.x.row(k).transpose().cast<double>(), u = inverse * x;
      const double growth = 1 + x.dot(u);
      inverse -= u * (u / growth).transpose();
      layer.pull.row(k) = (u / growth).transpose().cast<float>();
    }
  }

  /// weight [rows][in] to the nearest steps, from where the channels before them pull each.
  void round_rows(const Layer& layer, distilbert::Blocks in, const float* scales, float* weight,
                  Eigen::Index rows) const {
    Matrix error = Matrix::Zero(rows, layer.x.cols()); // of the outputs
    Eigen::VectorXf pulled(rows), change(rows);
    // How far the sums of packed_layout.hpp may still grow, for each row: [block, eight k, pair of k, sign].
    const std::size_t groups = (in.size + 7) / 8 * 4, sums = in.count * groups;
    std::vector<int> left(sum_bits_ == 16 ? static_cast<std::size_t>(rows) * sums : 0, 128);
    for (const std::size_t k : layer.order) {
      const auto channel = static_cast<Eigen::Index>(k);
      pulled.noalias() = error * layer.pull.row(channel).transpose();
      const std::size_t at = k % in.size, group = k / in.size * groups + at / 8 * 4 + at % 4 / 2 * 2;
      for (Eigen::Index r = 0; r < rows; ++r) {
        float& w = weight[static_cast<std::size_t>(r) * in.logical() + k];
        const float target = w - pulled[r];
        std::int32_t q = distilbert::to_int8(std::isfinite(target) ? target : w, scales[r]); // errors may overflow
        if (sum_bits_ == 16) {
          int& most = left[static_cast<std::size_t>(r) * sums + group + std::size_t{q < 0}];
          q = std::clamp(q, -most, most);
          most -= std::abs(q);
        }
        const float rounded = static_cast<float>(q) * scales[r];
        change[r] = rounded - w;
        w = rounded;
      }
      error.noalias() += change * layer.x.row(channel);
    }
  }

  int sum_bits_;
  std::map<std::string, Layer> layers_;
};

} // namespace convert
