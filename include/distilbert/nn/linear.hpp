#pragma once
// Linear: y = epilogue(x W^T + b), in whatever precision its weights are packed.

#include <string_view>

#include "../weights/packed_model.hpp"
#include "workspace.hpp"

namespace distilbert {

/// torch.nn.Linear. In bf16 and int8 the activations are rounded like the weights before the product: to bf16, or each
/// row to 127 symmetric steps of its own largest value; sums and what follows are fp32.
class Linear {
public:
  static Linear load(const PackedModel& model, std::string_view name, Blocks out, Blocks in) {
    return Linear(model.linear(name, out, in));
  }

  /// x [rows, in] -> y [rows, out], packed sizes. y must not overlap x.
  void forward(const Rows& x, Rows y, Workspace& workspace, Epilogue epilogue = Epilogue::none) const {
    const Kernels& kernels = workspace.kernels();
    const auto rows = static_cast<std::size_t>(x.rows());
    switch (weights_.precision) {
    case Precision::fp32: kernels.linear_fp32(call(x.data(), nullptr, rows, y, epilogue)); break;
    case Precision::bf16: {
      auto* rounded = workspace.encoded<std::uint16_t>();
      kernels.round_to_bf16(x.data(), rows * weights_.in, rounded);
      kernels.linear_bf16(call(rounded, nullptr, rows, y, epilogue));
      break;
    }
    case Precision::int8: {
      auto* quantized = workspace.encoded<std::int8_t>();
      float* scale = workspace.encoded_scale();
      for (std::size_t r = 0; r < rows; ++r)
        scale[r] = kernels.quantize(x.data() + r * weights_.in, weights_.in, quantized + r * weights_.in);
      kernels.linear_int8(call(quantized, scale, rows, y, epilogue));
      break;
    }
    }
  }

private:
  explicit Linear(PackedLinear weights) : weights_(weights) {}

  template <class X>
  LinearCall<X> call(const X* x, const float* x_scale, std::size_t rows, Rows& y, Epilogue epilogue) const {
    return {x, weights_.in, rows, x_scale, weights_, 0, weights_.panel_count(), epilogue, y.data(), weights_.out};
  }

  PackedLinear weights_;
};

} // namespace distilbert
