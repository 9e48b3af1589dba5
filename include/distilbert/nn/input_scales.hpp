#pragma once
// Input scales for int8 (Xiao et al. 2022, SmoothQuant). Where a LayerNorm's output enters a linear layer of the
// encoder, a few channels are many times as large as the rest, and a row's steps are as wide as they make them. Each
// channel is made smaller by its input scale, and its weights larger by as much. Before lin2 the weights alone tell how
// far they can grow.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calibration.hpp"

namespace distilbert {

namespace detail {

/// Whether weights [out.logical()][in.logical()] lie on steps of int8 for sums of sum_bits, as after training for it.
/// Throws non_finite_weight where one that is not finite decides it.
inline bool lies_on_steps(const std::vector<float>& weight, Blocks in, int sum_bits) {
  for (std::size_t i = 0; i < weight.size(); i += in.logical()) {
    const float scale = int8_scale(weight.data(), i / in.logical(), in, sum_bits);
    for (std::size_t k = i; scale > 0 && k < i + in.logical(); ++k)
      if (std::fabs(weight[k] / scale - std::nearbyint(weight[k] / scale)) > 0.13f) // 0.12 is what F16 may be off by
        return false;
  }
  return true;
}

/// Of each input channel sqrt(max|w| / max|x|), so that both become sqrt(max|w| max|x|): the paper's, with half of the
/// difference moved. A largest value below 1e-5 counts as that. x [tokens, at least in].
inline std::vector<float> balancing_scale(const std::vector<float>& weight, std::size_t in, const Rows& x) {
  constexpr float least = 1e-5f;
  std::vector<float> largest_x(in, least), largest_w(in, least), scale(in);
  for (Eigen::Index row = 0; row < x.rows(); ++row)
    for (std::size_t k = 0; k < in; ++k)
      largest_x[k] = std::max(largest_x[k], std::fabs(x(row, static_cast<Eigen::Index>(k))));
  for (std::size_t i = 0; i < weight.size(); ++i)
    largest_w[i % in] = std::max(largest_w[i % in], std::fabs(weight[i]));
  for (std::size_t k = 0; k < in; ++k)
    scale[k] = std::sqrt(largest_w[k]) / std::sqrt(largest_x[k]); // the quotient of both may overflow
  return scale;
}

/// Of each input channel f^(3/4), f being the largest part, at least 1/1000, that one of its weights is of the largest
/// of the same row. Weights become larger, none larger than its row's largest: with sums of 32 bits steps stay as wide
/// as they were. (With 16 they may grow; still, measured on all-MiniLM-L6-v2, fewer embeddings are far off.)
inline std::vector<float> filling_scale(const std::vector<float>& weight, std::size_t in) {
  std::vector<float> part(in, 1e-3f);
  for (std::size_t i = 0; i < weight.size(); i += in) {
    float largest = 0;
    for (std::size_t k = 0; k < in; ++k)
      largest = std::max(largest, std::fabs(weight[i + k]));
    for (std::size_t k = 0; k < in && largest > 0; ++k)
      part[k] = std::max(part[k], std::fabs(weight[i + k]) / largest);
  }
  for (float& f : part)
    f = std::sqrt(f * std::sqrt(f));
  return part;
}

inline bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// Whether a linear layer of the encoder gets an input scale. (Measured on all-MiniLM-L6-v2: one for out_lin gains
/// nothing, nor do 0.4 or 0.6 for the half of balancing_scale(), nor that one for lin2.)
inline bool takes_input_scale(const PackedLayer& layer) { return !ends_with(layer.name, ".out_lin"); }

/// Its input scale; none if x, a scale, or a weight by its scale is not finite.
inline std::vector<float> input_scale_of(const PackedLayer& layer, const std::vector<float>& weight, const Rows& x) {
  if (!takes_input_scale(layer) || !x.allFinite())
    return {};
  const std::size_t in = layer.in.logical();
  std::vector<float> scale =
      ends_with(layer.name, ".lin2") ? filling_scale(weight, in) : balancing_scale(weight, in, x);
  for (std::size_t i = 0; i < weight.size(); ++i)
    if (!std::isfinite(scale[i % in]) || !std::isfinite(weight[i] / scale[i % in]))
      return {};
  return scale;
}

/// Makes weight one for scaled inputs, if there are scales; the scale of each row in int8.
inline std::vector<float> scale_inputs(std::vector<float>& weight, const std::vector<float>& input_scale,
                                       const PackedLayer& layer, int sum_bits) {
  for (std::size_t i = 0; i < weight.size() && !input_scale.empty(); ++i)
    weight[i] /= input_scale[i % input_scale.size()];
  std::vector<float> scales(layer.out.logical());
  for (std::size_t row = 0; row < scales.size(); ++row)
    scales[row] = int8_scale(weight.data(), row, layer.in, sum_bits);
  return scales;
}

} // namespace detail

/// How a model is rounded that is loaded in int8: by input scales found from calibration_texts(), then each weight to
/// the nearest step. A layer whose weights lie on steps already, or in which numbers overflow, gets no input scale. The
/// scales are the same whatever level of kernels finds them, but "portable".
class SmoothedRounding : public LinearRounding {
public:
  /// Runs the encoder in fp32, for which it needs no more memory on the way than loading in fp32, but for what a
  /// forward pass of a hundred tokens takes. Keeps no reference. Errors: those of look_into_linear_layers().
  SmoothedRounding(const Checkpoint& checkpoint, const DistilBertConfig& config, int sum_bits) : sum_bits_(sum_bits) {
    look_into_linear_layers(checkpoint, config, calibration_texts(config),
                            [&](const PackedLayer& layer, const Rows& x) { find_scale(checkpoint, layer, x); });
  }

  /// For PackedModel::from_pretrained() and from_safetensors().
  static std::unique_ptr<LinearRounding> find(const Checkpoint& checkpoint, const DistilBertConfig& config,
                                              int sum_bits) {
    return std::make_unique<SmoothedRounding>(checkpoint, config, sum_bits);
  }

  const std::vector<float>* input_scale(const std::string& layer) const override {
    const auto found = input_scales_.find(layer);
    return found == input_scales_.end() ? nullptr : &found->second;
  }

  std::vector<float> round(const PackedLayer& layer, std::vector<float>& weight) const override {
    const std::vector<float>* input_scale = this->input_scale(layer.name);
    return input_scale ? detail::scale_inputs(weight, *input_scale, layer, sum_bits_) : std::vector<float>();
  }

private:
  void find_scale(const Checkpoint& checkpoint, const PackedLayer& layer, const Rows& x) {
    if (!detail::takes_input_scale(layer))
      return;
    const std::vector<float> weight = detail::read_parameter(checkpoint, layer, ".weight");
    const auto is_finite = [](float w) { return std::isfinite(w); };
    if (!std::all_of(weight.begin(), weight.end(), is_finite) || // packing tells which is not
        detail::lies_on_steps(weight, layer.in, sum_bits_))
      return;
    std::vector<float> scale = detail::input_scale_of(layer, weight, x);
    if (!scale.empty())
      input_scales_.emplace(layer.name, std::move(scale));
  }

  int sum_bits_;
  std::map<std::string, std::vector<float>> input_scales_;
};

} // namespace distilbert
