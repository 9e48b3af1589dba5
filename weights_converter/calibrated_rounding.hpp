#pragma once
// Rounding to int8 by what enters the layers, after the fact and without training: with the input scales of
// nn/input_scales.hpp, the weights of one input channel after the other (Frantar et al. 2022, GPTQ). Each is rounded
// from where it makes up for what the roundings so far did to the layer's outputs.

#include "environment.hpp"

#include <distilbert/nn/calibration.hpp>
#include <distilbert/nn/input_scales.hpp>

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
/// int8 already, or in which numbers overflow, is rounded to the nearest steps.
class CalibratedRounding : public distilbert::LinearRounding {
public:
  /// empty_text: the ids of a text without words, usually [CLS] and [SEP]. Tells its progress as "calibrated", in bytes
  /// of weights. Errors as SmoothedRounding's, and what environment.progress() throws.
  CalibratedRounding(const distilbert::Checkpoint& checkpoint, const distilbert::DistilBertConfig& config, int sum_bits,
                     const std::vector<std::int32_t>& empty_text, Environment& environment)
      : sum_bits_(sum_bits) {
    const distilbert::Batch texts = distilbert::calibration_texts(config, empty_text);
    const std::size_t total = config.n_layers * config.dim * (4 * config.dim + 2 * config.hidden_dim) * sizeof(float);
    std::size_t done = 0;
    distilbert::look_into_linear_layers(checkpoint, config, texts, [&](const auto& layer, const distilbert::Rows& x) {
      add(layer, distilbert::detail::read_parameter(checkpoint, layer, ".weight"), x, texts);
      environment.progress("calibrated", done += layer.out.logical() * layer.in.logical() * sizeof(float), total);
    });
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
    std::vector<float> scales = distilbert::detail::scale_inputs(weight, calibrated.input_scale, layer, sum_bits_);
    for (std::size_t row = 0; row < out; row += rows_together)
      round_rows(calibrated, layer.in, scales.data() + row, weight.data() + row * in,
                 static_cast<Eigen::Index>(std::min(rows_together, out - row)));
    return scales;
  }

private:
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

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

  void add(const distilbert::PackedLayer& layer, const std::vector<float>& weight, const distilbert::Rows& x,
           const distilbert::Batch& texts) {
    const std::size_t in = layer.in.logical();
    if (distilbert::detail::lies_on_steps(weight, layer.in, sum_bits_) || !x.allFinite())
      return;
    Layer added;
    added.input_scale = distilbert::detail::input_scale_of(layer, weight, x);
    added.x.resize(static_cast<Eigen::Index>(in), x.rows());
    for (std::size_t k = 0; k < in; ++k) {
      const std::size_t column = k / layer.in.size * distilbert::padded(layer.in.size) + k % layer.in.size;
      added.x.row(static_cast<Eigen::Index>(k)) = x.col(static_cast<Eigen::Index>(column)).transpose() *
                                                  (added.input_scale.empty() ? 1.0f : added.input_scale[k]);
    }
    for (std::size_t text = 0; text < texts.texts(); ++text) { // all texts count the same
      const auto length = static_cast<Eigen::Index>(texts.length(text));
      added.x.middleCols(static_cast<Eigen::Index>(texts.offsets[text]), length) /=
          std::sqrt(static_cast<float>(length));
    }
    if (!added.x.allFinite())
      return;
    find_pull(added);
    layers_.emplace(layer.name, std::move(added));
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
