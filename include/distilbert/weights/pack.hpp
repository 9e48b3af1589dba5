#pragma once
// Packing: fp32 matrices, as a checkpoint holds them, into the layout of packed_layout.hpp. The loader of Hugging Face
// directories and distilbert-convert both pack with these functions, so a converted model has the very same bytes where
// both round alike: in int8 each may choose its roundings (LinearRounding).

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "../bf16.hpp"
#include "../error.hpp"
#include "packed_layout.hpp"

namespace distilbert {

/// "fp32", "bf16" or "int8": the name in metadata and on command lines.
constexpr std::string_view precision_name(Precision precision) {
  return precision == Precision::fp32 ? "fp32" : precision == Precision::bf16 ? "bf16" : "int8";
}

/// The precision of that name; none for any other name.
constexpr std::optional<Precision> precision_from_name(std::string_view name) {
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8})
    if (name == precision_name(precision))
      return precision;
  return std::nullopt;
}

/// Scale of row `row` of a matrix with `columns` columns in symmetric int8: max|w| / 127, so that w is near scale * q
/// with q in [-127, 127]; 0 for a row of zeros. Throws non_finite_weight: neither NaN nor infinity has a place in int8.
inline float int8_scale(const float* matrix, std::size_t row, std::size_t columns) {
  float largest = 0;
  for (std::size_t k = 0; k < columns; ++k) {
    const float w = matrix[row * columns + k];
    if (!std::isfinite(w))
      throw Error(ErrorCode::non_finite_weight,
                  "row " + std::to_string(row) + ", column " + std::to_string(k) + " cannot be rounded to int8");
    largest = std::max(largest, std::fabs(w));
  }
  return largest / 127;
}

/// The same for sums of 16 bits: the least scale for which, of the four weights that meet in one, neither the positive
/// nor the negative ones add up to more than 126 before and 128 after each is rounded. About seven bits of a weight are
/// left. 0 for a row whose scale would be subnormal, and rounded too coarsely to keep the promise.
inline float int8_scale_for_16_bits(const float* matrix, std::size_t row, Blocks in) {
  int8_scale(matrix, row, in.logical()); // throws
  double largest = 0;
  for (std::size_t block = 0; block < in.count; ++block) {
    const float* w = matrix + row * in.logical() + block * in.size;
    for (std::size_t k = 0; k < in.size; k += 8) {
      double sums[2][2] = {}; // of k + {0, 1, 4, 5} and k + {2, 3, 6, 7}; positive, negative
      for (std::size_t i = k; i < std::min(k + 8, in.size); ++i) {
        double& sum = sums[i % 4 / 2][w[i] < 0];
        sum += std::fabs(double(w[i]));
        largest = std::max(largest, sum);
      }
    }
  }
  const auto scale = static_cast<float>(largest / 126);
  return scale < std::numeric_limits<float>::min() ? 0 : scale;
}

/// The scale of row `row` for sums of 16 or 32 bits.
inline float int8_scale(const float* matrix, std::size_t row, Blocks in, int sum_bits) {
  return sum_bits == 16 ? int8_scale_for_16_bits(matrix, row, in) : int8_scale(matrix, row, in.logical());
}

/// w / scale rounded to the nearest integer, ties to even; 0 where the scale is 0. The clamp matters only for rows of
/// subnormal weights, whose scale is itself rounded coarsely.
inline std::int8_t to_int8(float w, float scale) {
  if (scale == 0)
    return 0;
  return static_cast<std::int8_t>(std::clamp(std::nearbyint(w / scale), -127.0f, 127.0f));
}

/// Bytes that pack_linear writes. The sizes must come from a checked config (config.hpp), whose products fit 64 bits.
constexpr std::size_t packed_linear_bytes(Precision precision, Blocks out, Blocks in) {
  return out.packed() / lanes * panel_bytes(precision, in.packed());
}

namespace detail {

/// Writes one row of a matrix as channel `channel` of a panel. Whatever their type, a group of weights that fills four
/// bytes stands together: weight k lies in group k / group_size, 64 bytes to a group of all 16 channels.
template <class Element, class Round>
void pack_channel(const float* row, Blocks in, std::size_t channel, unsigned char* weights, Round round) {
  constexpr std::size_t group_size = 4 / sizeof(Element);
  for (std::size_t block = 0; block < in.count; ++block) {
    for (std::size_t i = 0; i < in.size; ++i) {
      const std::size_t k = block * padded(in.size) + i;
      const Element element = round(*row++);
      std::memcpy(weights + (k / group_size * lanes + channel) * 4 + k % group_size * sizeof(Element), &element,
                  sizeof element);
    }
  }
}

/// The same in int8, with the channel's scale and sum.
inline void pack_channel_int8(const float* row, Blocks in, std::size_t channel, float scale, unsigned char* panel) {
  std::int32_t sum = 0;
  pack_channel<std::int8_t>(row, in, channel, panel + panel_header_bytes(Precision::int8), [&](float w) {
    const std::int8_t q = to_int8(w, scale);
    sum += q;
    return q;
  });
  std::memcpy(panel + (lanes + channel) * 4, &scale, 4);
  std::memcpy(panel + (2 * lanes + channel) * 4, &sum, 4);
}

} // namespace detail

/// Packs a linear layer: weight [out.logical()][in.logical()] row-major, bias [out.logical()] or null for none, into
/// `panels`, packed_linear_bytes(precision, out, in) bytes aligned to packed_alignment, all of which are written.
/// sum_bits, 32 or 16, matters to int8 only, as does scales [out.logical()], finite: null to choose them by
/// int8_scale(). Throws non_finite_weight (int8 only) with row and column.
inline void pack_linear(const float* weight, const float* bias, Blocks out, Blocks in, Precision precision,
                        unsigned char* panels, int sum_bits = 32, const float* scales = nullptr) {
  const std::size_t bytes = panel_bytes(precision, in.packed());
  std::memset(panels, 0, packed_linear_bytes(precision, out, in));
  for (std::size_t row = 0; row < out.logical(); ++row) {
    const std::size_t packed_row = row / out.size * padded(out.size) + row % out.size;
    const std::size_t channel = packed_row % lanes;
    const float* w = weight + row * in.logical();
    unsigned char* panel = panels + packed_row / lanes * bytes;
    if (bias)
      std::memcpy(panel + channel * 4, bias + row, 4);
    unsigned char* weights = panel + panel_header_bytes(precision);
    switch (precision) {
    case Precision::fp32: detail::pack_channel<float>(w, in, channel, weights, [](float x) { return x; }); break;
    case Precision::bf16: detail::pack_channel<std::uint16_t>(w, in, channel, weights, to_bf16); break;
    case Precision::int8: {
      const float scale = int8_scale(weight, row, in, sum_bits); // throws
      detail::pack_channel_int8(w, in, channel, scales ? scales[row] : scale, panel);
      break;
    }
    }
  }
}

/// Packs one number for each column, [in.logical()], into [in.packed()] floats, all of which are written.
inline void pack_columns(const float* columns, Blocks in, unsigned char* to) {
  std::memset(to, 0, in.packed() * sizeof(float));
  for (std::size_t block = 0; block < in.count; ++block)
    std::memcpy(to + block * padded(in.size) * sizeof(float), columns + block * in.size, in.size * sizeof(float));
}

/// Packs an embedding table: weight [rows][dim] into `packed`, [rows][padded(dim)] elements of the precision, and for
/// int8 one scale a row into `scale`, [padded(rows)] floats (null otherwise). Throws as pack_linear does.
inline void pack_embedding(const float* weight, std::size_t rows, std::size_t dim, Precision precision, void* packed,
                           float* scale) {
  const std::size_t row_bytes = padded(dim) * element_bytes(precision);
  std::memset(packed, 0, rows * row_bytes);
  for (std::size_t row = 0; row < rows; ++row) {
    const float* w = weight + row * dim;
    unsigned char* to = static_cast<unsigned char*>(packed) + row * row_bytes;
    switch (precision) {
    case Precision::fp32: std::memcpy(to, w, dim * 4); break;
    case Precision::bf16:
      for (std::size_t k = 0; k < dim; ++k) {
        const std::uint16_t bits = to_bf16(w[k]);
        std::memcpy(to + 2 * k, &bits, 2);
      }
      break;
    case Precision::int8:
      scale[row] = int8_scale(weight, row, dim);
      for (std::size_t k = 0; k < dim; ++k)
        to[k] = static_cast<unsigned char>(to_int8(w[k], scale[row]));
      break;
    }
  }
  if (precision == Precision::int8)
    std::fill(scale + rows, scale + padded(rows), 0.0f);
}

} // namespace distilbert
