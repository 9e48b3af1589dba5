#pragma once
// What may be wrong with the numbers of a packed layer whose sizes are right: PackedModel::check_finite asks these.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "packed_layers.hpp"
#include "packed_layout.hpp"
#include "tensor_view.hpp"

namespace distilbert::detail {

/// Whether no float (a bfloat16 counts as the upper half of one) among `count` is NaN or infinite.
template <class Bits> bool all_finite(const unsigned char* data, std::size_t count) {
  constexpr auto exponent = static_cast<Bits>(0x7f800000u >> (32 - 8 * sizeof(Bits)));
  for (std::size_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, data + i * sizeof bits, sizeof bits);
    if ((bits & exponent) == exponent)
      return false;
  }
  return true;
}

inline bool is_finite(const PackedLayer& layer) {
  const auto weights_finite = [&](const unsigned char* data, std::size_t bytes) {
    return layer.precision == Precision::fp32   ? all_finite<std::uint32_t>(data, bytes / 4)
           : layer.precision == Precision::bf16 ? all_finite<std::uint16_t>(data, bytes / 2)
                                                : true;
  };
  const TensorView& first = layer.tensors.front();
  if (layer.kind == PackedLayer::Kind::linear) {
    const std::size_t header = layer.precision == Precision::int8 ? 2 * lanes : lanes; // bias, scale
    const std::size_t skipped = panel_header_bytes(layer.precision), panel = first.shape[1];
    for (const unsigned char* p = first.data; p != first.data + first.bytes; p += panel)
      if (!all_finite<std::uint32_t>(p, header) || !weights_finite(p + skipped, panel - skipped))
        return false;
    return layer.tensors.size() == 1 || all_finite<std::uint32_t>(layer.tensors[1].data, layer.tensors[1].bytes / 4);
  }
  const bool second_finite =
      layer.tensors.size() == 1 || all_finite<std::uint32_t>(layer.tensors[1].data, layer.tensors[1].bytes / 4);
  return second_finite && weights_finite(first.data, first.bytes);
}

/// Whether an int8 linear layer holds nothing below -127, and each channel's weights add up to what its panel says.
inline bool has_right_sums(const PackedLayer& layer) {
  const TensorView& panels = layer.tensors.front();
  constexpr std::size_t header = panel_header_bytes(Precision::int8);
  for (const unsigned char* p = panels.data; p != panels.data + panels.bytes; p += panels.shape[1]) {
    std::int32_t sums[lanes];
    std::memcpy(sums, p + 2 * lanes * sizeof(float), sizeof sums);
    std::int64_t left[lanes];
    std::copy(sums, sums + lanes, left);
    for (std::size_t i = header; i < panels.shape[1]; ++i) {
      const int weight{static_cast<std::int8_t>(p[i])};
      if (weight < -127)
        return false;
      left[(i - header) / 4 % lanes] -= weight;
    }
    if (std::any_of(left, left + lanes, [](std::int64_t rest) { return rest != 0; }))
      return false;
  }
  return true;
}

/// Whether the products of an int8 linear layer add up in 16 bits.
inline bool has_16_bit_sums(const PackedLayer& layer) {
  const TensorView& panels = layer.tensors.front();
  constexpr std::size_t header = panel_header_bytes(Precision::int8), group = 4 * lanes;
  for (const unsigned char* p = panels.data; p != panels.data + panels.bytes; p += panels.shape[1])
    for (const unsigned char* w = p + header; w != p + panels.shape[1]; w += 2 * group)
      for (std::size_t i = 0; i < group; i += 2) {
        int positive = 0, negative = 0;
        for (const std::size_t at : {i, i + 1, group + i, group + i + 1}) {
          const int weight{static_cast<std::int8_t>(w[at])};
          positive += std::max(weight, 0);
          negative += std::max(-weight, 0);
        }
        if (std::max(positive, negative) > 128)
          return false;
      }
  return true;
}

} // namespace distilbert::detail
