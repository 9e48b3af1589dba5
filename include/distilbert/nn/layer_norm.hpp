#pragma once
// LayerNorm over what a sublayer adds to the residual stream.

#include <string_view>

#include "../weights/packed_model.hpp"
#include "workspace.hpp"

namespace distilbert {

/// torch.nn.LayerNorm over the last dimension (Ba et al. 2016)
class LayerNorm {
public:
  static LayerNorm load(const PackedModel& model, std::string_view name, const DistilBertConfig& config) {
    return LayerNorm(model.layer_norm(name, config.dim), config.layer_norm_eps);
  }

  /// stream = LayerNorm(stream)
  void forward(Rows stream, Workspace& workspace) const { run(nullptr, stream, workspace); }

  /// stream = LayerNorm(sublayer + stream)
  void add_and_norm(const Rows& sublayer, Rows stream, Workspace& workspace) const {
    run(sublayer.data(), stream, workspace);
  }

private:
  LayerNorm(PackedLayerNorm norm, float epsilon) : norm_(norm), epsilon_(epsilon) {}

  void run(const float* sublayer, Rows& stream, Workspace& workspace) const {
    const auto stride = static_cast<std::size_t>(stream.cols());
    workspace.share(static_cast<std::size_t>(stream.rows()), 1, [&](std::size_t, std::size_t first, std::size_t last) {
      float* rows = stream.data() + first * stride;
      workspace.kernels().layer_norm(
          {rows, sublayer ? sublayer + first * stride : nullptr, stride, last - first, norm_, epsilon_, rows});
    });
  }

  PackedLayerNorm norm_;
  float epsilon_;
};

} // namespace distilbert
