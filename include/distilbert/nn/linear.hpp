#pragma once
// Linear: y = epilogue(x W^T + b), in whatever precision its weights are packed.

#include <string_view>

#include "../kernels/tiling.hpp"
#include "../weights/packed_model.hpp"
#include "workspace.hpp"

namespace distilbert {

/// torch.nn.Linear. In bf16 and int8 the activations are rounded like the weights before the product: to bf16, or each
/// row to 254 steps between its own least and largest value; sums and what follows are fp32.
class Linear {
public:
  static Linear load(const PackedModel& model, std::string_view name, Blocks out, Blocks in) {
    return Linear(model.linear(name, out, in));
  }

  /// x [rows, in] -> y [rows, out], packed sizes. y must not overlap x.
  void forward(const Rows& x, Rows y, Workspace& workspace, Epilogue epilogue = Epilogue::none) const {
    forward(x, y, {0, weights_.out}, workspace, epilogue);
  }

  /// Some of the channels of y: the other columns are left as they are.
  struct Channels {
    std::size_t first, last; // [first, last), multiples of 16
  };
  void forward(const Rows& x, Rows y, Channels channels, Workspace& workspace,
               Epilogue epilogue = Epilogue::none) const {
    const Kernels& kernels = workspace.kernels();
    const auto rows = static_cast<std::size_t>(x.rows());
    switch (weights_.precision) {
    case Precision::fp32:
      multiply(kernels.linear_fp32, x.data(), nullptr, rows, y, channels, workspace, epilogue);
      break;
    case Precision::bf16: {
      auto* rounded = workspace.encoded<std::uint16_t>();
      workspace.share(rows, 1, [&](std::size_t, std::size_t first, std::size_t last) {
        kernels.round_to_bf16(x.data() + first * weights_.in, (last - first) * weights_.in,
                              rounded + first * weights_.in);
      });
      multiply(kernels.linear_bf16, rounded, nullptr, rows, y, channels, workspace, epilogue);
      break;
    }
    case Precision::int8: {
      auto* quantized = workspace.encoded<std::byte>();
      Quantization* quantization = workspace.quantization();
      const std::size_t row_bytes = weights_.in * kernels.quantized_bytes;
      workspace.share(rows, 1, [&](std::size_t, std::size_t first, std::size_t last) {
        for (std::size_t r = first; r < last; ++r)
          quantization[r] = kernels.quantize(x.data() + r * weights_.in, weights_.input_scale, weights_.in,
                                             quantized + r * row_bytes);
      });
      multiply(kernels.linear_int8, quantized, quantization, rows, y, channels, workspace, epilogue);
      break;
    }
    }
  }

  /// The other way, for some of the channels and without the bias: x [rows, channels] -> y [rows, in], each with a
  /// stride in floats. `scratch` has transposed_scratch(panels of the channels) floats.
  void forward_transposed(const float* x, std::size_t x_stride, std::size_t rows, Channels channels, float* y,
                          std::size_t y_stride, float* scratch, const Kernels& kernels) const {
    kernels.linear_transposed(
        {x, x_stride, rows, weights_, channels.first / lanes, channels.last / lanes, scratch, y, y_stride});
    if (weights_.input_scale)
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t k = 0; k < weights_.in; ++k)
          y[r * y_stride + k] *= weights_.input_scale[k];
  }

  Precision precision() const { return weights_.precision; }

private:
  explicit Linear(PackedLinear weights) : weights_(weights) {}

  template <class X>
  void multiply(void (*linear)(const LinearCall<X>&), const X* x, const Quantization* quantization, std::size_t rows,
                Rows& y, Channels channels, Workspace& workspace, Epilogue epilogue) const {
    const std::size_t first_panel = channels.first / lanes, panels = channels.last / lanes - first_panel;
    workspace.share(panels, kernels::panels_together, [&](std::size_t, std::size_t first, std::size_t last) {
      linear({x, weights_.in, rows, quantization, weights_, first_panel + first, first_panel + last, epilogue, y.data(),
              weights_.out});
    });
  }

  PackedLinear weights_;
};

} // namespace distilbert
