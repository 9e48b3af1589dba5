#pragma once
// Stored elements as floats, exactly: F32, F16 and BF16 tensors that may start at any address.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "../bf16.hpp"
#include "tensor_view.hpp"

namespace distilbert::detail {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are little-endian in the file and used as they are");

inline float float_from_bits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// IEEE 754 binary16; a NaN keeps its sign and payload.
inline float f16_to_float(std::uint16_t f16) {
  const std::uint32_t sign = (f16 & 0x8000u) << 16;
  const std::uint32_t magnitude = f16 & 0x7fffu;
  if (magnitude < 0x0400) { // zero or subnormal; no float subnormal on the way, which DAZ would flush
    const float value = static_cast<float>(magnitude) * 0x1p-24f;
    return sign == 0 ? value : -value;
  }
  const std::uint32_t exponent_shift = magnitude < 0x7c00 ? 127 - 15 : 255 - 31;
  return float_from_bits(sign | ((magnitude << 13) + (exponent_shift << 23)));
}

template <class Bits, class Widen> void widen(const unsigned char* stored, std::vector<float>& values, Widen to_float) {
  for (float& value : values) {
    Bits bits;
    std::memcpy(&bits, stored, sizeof bits);
    stored += sizeof bits;
    value = to_float(bits);
  }
}

/// The elements of a tensor, whose type must be F32, F16 or BF16.
inline std::vector<float> to_floats(const TensorView& tensor) {
  std::vector<float> values(tensor.bytes * 8 / info(tensor.dtype).bits);
  if (tensor.dtype == Dtype::f16)
    widen<std::uint16_t>(tensor.data, values, f16_to_float);
  else if (tensor.dtype == Dtype::bf16)
    widen<std::uint16_t>(tensor.data, values, bf16_to_float);
  else
    widen<std::uint32_t>(tensor.data, values, float_from_bits);
  return values;
}

} // namespace distilbert::detail
