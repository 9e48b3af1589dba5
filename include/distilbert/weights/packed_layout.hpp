#pragma once
// The packed layout: how weights lie in memory and in a converted file. One neutral layout serves every instruction
// set, so a converted file is portable; kernels read it, pack.hpp writes it.
//
// Sizes are padded to `lanes`; every padding weight, bias and scale is zero, so padded columns stay zero through the
// whole forward pass and no kernel needs a tail in the columns.
//
// Linear layer y = x W^T + b, W [out, in]: panels of 16 output channels, each panel one contiguous run of bytes,
//   fp32  bias f32[16] | for each k:            w f32[16]
//   bf16  bias f32[16] | for each pair of k:    w bf16[16][2]
//   int8  bias f32[16] | scale f32[16] | sum s32[16] | for each four k: w s8[16][4]
// where for int8 W[c][k] = w * scale[c], and sum[c] is the sum of w over k (of activations that are stored higher by a
// zero point, kernels take zero_point * sum off again).
//
// The int8 weights of a model's linear layers come in two kinds, by the sums that they need: any in [-127, 127], or
// such that four products fit 16 bits ("sum_bits" 16), which CPUs without VNNI multiply faster. Then, of the four
// weights of a channel at k = 8 i + {0, 1, 4, 5} or + {2, 3, 6, 7}, the positive ones add up to 128 at most, and so do
// the negative ones: with activations stored in [0, 255] no sum leaves 255 * 128 < 2^15. Else the layout, and the
// results of every kernel, are the same.
//
// An int8 layer may come with an input scale, f32[in]: then W is for activations x[k] * input_scale[k] (Xiao et al.
// 2022, SmoothQuant), which are multiplied before they are rounded, so that a few large ones do not take the steps of
// the rest.
//
// Embedding table: rows of padded(dim) elements (f32, bf16 or s8), end to end; for int8 one f32 scale for each row.
// LayerNorm weight and bias: f32[padded(dim)].
//
// The vocabulary's table (text/token_table.hpp) is one more tensor, which no kernel sees.
//
// Attention heads are padded one by one: q_lin, k_lin and v_lin are one matrix "qkv_lin" with 3 * n_heads blocks of
// head_dim rows, each padded to 16; out_lin's columns are padded alike. 1/sqrt(head_dim) is folded into q_lin.

#include <cstddef>
#include <cstdint>

#include "../load_options.hpp" // Precision

namespace distilbert {

/// Width of a panel, and the number of fixed lanes in which every reduction runs.
inline constexpr std::size_t lanes = 16;
/// Every packed tensor starts at, and has the size of, a multiple of this many bytes.
inline constexpr std::size_t packed_alignment = 64;
/// Written into converted files; a reader refuses any number but this and the next.
inline constexpr int packed_layout_version = 2;
/// The same with input scales, which a reader that knows only the former would leave out.
inline constexpr int packed_layout_version_with_input_scales = 3;

/// n rounded up to whole lanes. n must be at most SIZE_MAX - 15.
constexpr std::size_t padded(std::size_t n) { return (n + lanes - 1) / lanes * lanes; }

/// Rows or columns of a matrix as `count` blocks of `size`, each padded on its own.
struct Blocks {
  std::size_t count;
  std::size_t size;
  constexpr std::size_t logical() const { return count * size; }
  constexpr std::size_t packed() const { return count * padded(size); }
};

constexpr std::size_t element_bytes(Precision precision) {
  return precision == Precision::fp32 ? 4 : precision == Precision::bf16 ? 2 : 1;
}

/// Bytes in front of the weights of a panel: bias, and for int8 scale and sum.
constexpr std::size_t panel_header_bytes(Precision precision) {
  return (precision == Precision::int8 ? 3 : 1) * lanes * 4;
}

/// Bytes of one panel of a matrix with `in` packed columns.
constexpr std::size_t panel_bytes(Precision precision, std::size_t in) {
  return panel_header_bytes(precision) + in * lanes * element_bytes(precision);
}

/// View of a packed linear layer; whoever made it owns the bytes.
struct PackedLinear {
  Precision precision = Precision::fp32;
  std::size_t out = 0;                   // packed output channels, a multiple of 16
  std::size_t in = 0;                    // packed input channels, a multiple of 16
  const unsigned char* panels = nullptr; // [out / 16][panel_bytes(precision, in)]
  const float* input_scale = nullptr;    // [in], or null for none; int8 only

  std::size_t panel_count() const { return out / lanes; }
  const unsigned char* panel(std::size_t p) const { return panels + p * panel_bytes(precision, in); }
};

/// View of an embedding table.
struct PackedEmbedding {
  Precision precision = Precision::fp32;
  std::size_t rows = 0;         // ids 0 .. rows - 1
  std::size_t dim = 0;          // packed columns, a multiple of 16
  const void* weight = nullptr; // [rows][dim]
  const float* scale = nullptr; // int8: [rows]; null otherwise
};

/// View of a LayerNorm's parameters.
struct PackedLayerNorm {
  std::size_t dim = 0;           // logical columns, over which mean and variance run
  const float* weight = nullptr; // [padded(dim)]
  const float* bias = nullptr;   // [padded(dim)]
};

} // namespace distilbert
