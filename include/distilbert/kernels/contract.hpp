#pragma once
// The contract of the kernels: what each operation computes, on which memory, in which order of arithmetic. One table
// of function pointers exists for each instruction set; layers know this table and nothing behind it.
//
// Common to all operations:
//  - Rows are activations, row-major fp32, `stride` floats apart. Columns come in whole lanes of 16; columns past a
//    layer's logical size hold zero on entry and on return.
//  - Kernels neither allocate nor throw, keep no state, and may run on any threads at once on disjoint outputs.
//  - Order: an output element of a product is summed over k in rising order, one accumulator, fused multiply-add where
//    the level has it; sums and maxima along a row run in 16 lanes (lane i takes columns i, i + 16, ...), which fold as
//    lane i += lane i + 8, then + 4, + 2, + 1. Neither tile, batch nor thread changes a bit of a result.
//    One level is apart: avx512_bf16 adds the two products of a pair of bf16 with roundings of its own,
//    and attends in bf16 (attention_bf16) where the others attend in fp32.
//  - NaN and infinity in an input row reach the output row; they are never turned into plausible numbers.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../weights/packed_layout.hpp"

namespace distilbert {

/// Applied to each output of a linear layer before it is stored.
/// After products of bf16 and int8, GELU is right to 5e-6 of |x| instead of 2e-7, far below what it is rounded by next:
/// 16 of them take 14 cycles instead of 22 on Zen 4, 3 % of that layer in int8. (At 4e-5, in 11 cycles, labels
/// changed.)
enum class Epilogue { none, gelu, relu, tanh };

/// How a row of activations lies in int8: x[k] = scale * (q[k] - zero_point), q[k] being what is stored.
struct Quantization {
  float scale;
  std::int32_t zero_point;
};

/// y[r][c] = epilogue( sum_k x[r][k] * W[c][k] + bias[c] ) for the channels c of panels [first_panel, last_panel).
/// X is float for fp32 weights, std::uint16_t (the bits of a bf16) for bf16 weights, std::byte for int8 weights: x is
/// then what `quantize` of the same table wrote, Kernels::quantized_bytes for each activation, the weights' input scale
/// included.
/// fp32, bf16: the sum starts at the bias. int8: the sum s of the products (q - zero_point) * w is exact in 32 bits,
/// and y = float(s) * (x_quantization[r].scale * scale[c]) + bias[c].
template <class X> struct LinearCall {
  const X* x;                         // [rows][x_stride], of which weights.in columns are read
  std::size_t x_stride;               // in activations
  std::size_t rows;                   // may be 0
  const Quantization* x_quantization; // [rows] for int8, else unused
  PackedLinear weights;
  std::size_t first_panel, last_panel;
  Epilogue epilogue;
  float* y; // [rows][y_stride]; columns 16 * first_panel up to 16 * last_panel are written
  std::size_t y_stride;
};

/// The other way through a linear layer, without its bias: y[r][k] = sum over c of x[r][c] * W[16 first_panel + c][k],
/// for the channels of panels [first_panel, last_panel). Weights of int8 and bf16 are widened, x stays fp32; an
/// input scale is not applied, y[k] being for the caller to multiply by it.
/// A group of 4, 2 or 1 consecutive k of int8, bf16 or fp32 has sixteen partial sums: of the group's i-th k, number
/// m is that of the channels whose remainder by 16 / group is m. They are added in rising order.
struct TransposedCall {
  const float* x; // [rows][x_stride], of which 16 * (last_panel - first_panel) columns are read
  std::size_t x_stride;
  std::size_t rows;
  PackedLinear weights;
  std::size_t first_panel, last_panel;
  float* scratch; // transposed_scratch(last_panel - first_panel) floats
  float* y;       // [rows][y_stride], of which weights.in columns are written
  std::size_t y_stride;
};

constexpr std::size_t transposed_scratch(std::size_t panels) { return panels * lanes * 4; }

/// Attention of one head over one text (Vaswani et al. 2017, 3.2.1): context = softmax(Q K^T) V, each query attending
/// to all of the text's tokens. 1/sqrt(head_dim) is already in Q. The inputs may be columns of one wider matrix.
struct AttentionCall {
  const float* q; // [queries][q_stride], of which head_dim columns are read
  std::size_t q_stride;
  std::size_t queries;  // at least 1
  const float *k, *v;   // [length][stride] each, of which head_dim columns are read
  std::size_t length;   // tokens of the text, at least 1
  std::size_t stride;   // floats from row to row of k and v
  std::size_t head_dim; // packed, a multiple of 16
  float* scratch;       // attention_scratch(length, head_dim) floats
  float* context;       // [queries][context_stride], of which head_dim columns are written; may be q
  std::size_t context_stride;
};

/// Queries that attention_bf16 and attention_int8 take at a time: eight tiles of six.
inline constexpr std::size_t attention_block = 48;

/// Floats of scratch that one call of attention, in any precision, may use on any level. In fp32: K transposed, and
/// rows of scores. Else: K and V as panels, sixteen keys, and what a block of queries needs (see packed_attention.hpp).
constexpr std::size_t attention_scratch(std::size_t length, std::size_t head_dim) {
  const std::size_t columns = padded(length), widest = columns > head_dim ? columns : head_dim;
  std::size_t most = columns * (head_dim + lanes);
  for (const Precision precision : {Precision::bf16, Precision::int8}) {
    const std::size_t panels =
        columns / lanes * panel_bytes(precision, head_dim) + head_dim / lanes * panel_bytes(precision, columns);
    const std::size_t packed = panels / sizeof(float) + lanes * head_dim + attention_block * (columns + 2 + widest / 2);
    most = packed > most ? packed : most;
  }
  return most;
}

/// y[r] = LayerNorm(x[r] + residual[r]) (Ba et al. 2016): mean and variance over the norm's logical columns.
struct LayerNormCall {
  const float* x;        // [rows][stride]
  const float* residual; // [rows][stride], or null
  std::size_t stride;
  std::size_t rows;
  PackedLayerNorm norm;
  float epsilon;
  float* y; // [rows][stride]; may be x or residual
};

/// y[i] = word_embeddings[ids[i]] + position_embeddings[first_position + i]
struct EmbedCall {
  const std::int32_t* ids; // [count], each in [0, words.rows)
  std::size_t count;
  std::size_t first_position;
  PackedEmbedding words, positions;
  float* y; // [count][y_stride]
  std::size_t y_stride;
};

/// The operations of one level. All pointers are set. A level that lacks an instruction for four bytes has a second
/// table for int8 weights whose products add up in 16 bits (packed_layout.hpp): the same results, sooner. Its sums of
/// any other weights are wrong.
struct Kernels {
  std::string_view isa;
  void (*linear_fp32)(const LinearCall<float>&);
  void (*linear_bf16)(const LinearCall<std::uint16_t>&);
  void (*linear_int8)(const LinearCall<std::byte>&);
  void (*linear_transposed)(const TransposedCall&); // weights of any precision
  /// y = x rounded to bf16, to nearest even; count is a multiple of 16
  void (*round_to_bf16)(const float* x, std::size_t count, std::uint16_t* y);
  /// One row to int8, its values being x[k] * input_scale[k], or x[k] if input_scale is null: scale is the distance
  /// between the least and the largest of its values and zero, by 254, and q - zero_point = value / scale rounded to
  /// nearest even, the same on every level. What follows GELU, and rows that one large value stretches to one side, are
  /// thus rounded in finer steps than max|value| / 127. The scale is 0 for a row that is not 2e-30 wide, NaN for a row
  /// that is not finite; the values then count as zeros. count is a multiple of 16.
  /// q is written in the form that linear_int8 of this table multiplies, quantized_bytes (1 or 2) each: a byte whose
  /// zero point lies where the row needs it, or 16 bits with a zero point of 0.
  Quantization (*quantize)(const float* x, const float* input_scale, std::size_t count, std::byte* y);
  std::size_t quantized_bytes;
  void (*attention)(const AttentionCall&);
  /// The same, on a level that multiplies bf16 faster with queries, keys, values and probabilities rounded to it.
  void (*attention_bf16)(const AttentionCall&);
  /// The same from products of int8, exact in 32 bits if the length is at most ConfigLimits::inputs. Each query is
  /// quantised by `quantize`; each key, and each column of V, in 127 symmetric steps to either side;
  /// e^(score - largest score of the query) in steps of 1/254, of which none is above 1.
  void (*attention_int8)(const AttentionCall&);
  void (*layer_norm)(const LayerNormCall&);
  void (*embed)(const EmbedCall&);
  /// In place over the first count elements of x (which has padded(count) floats of memory, the rest is overwritten).
  void (*softmax)(float* x, std::size_t count);
  /// In place, 1 / (1 + exp(-x)), over padded(count) floats.
  void (*sigmoid)(float* x, std::size_t count);
};

} // namespace distilbert
