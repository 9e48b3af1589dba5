#pragma once
// Attention whose two products are those of linear layers: the keys and values of a head are packed like weights, its
// queries and probabilities encoded like activations.

#include <algorithm>

#include "baseline.hpp"
#include "contract.hpp"

namespace distilbert::kernels {
inline namespace DISTILBERT_BASELINE {

/// How packed attention uses its scratch.
struct PackedAttentionScratch {
  PackedLinear keys;      // K [padded(length), head_dim]
  PackedLinear values;    // V transposed: [head_dim, padded(length)]
  float* scores;          // [attention_block][padded(length)]
  Quantization* rows;     // [attention_block]
  float* sixteen_keys;    // [head_dim][16]
  unsigned char* encoded; // [attention_block][head_dim or padded(length)], up to two bytes each

  PackedAttentionScratch(Precision precision, const AttentionCall& call)
      : keys{precision, padded(call.length), call.head_dim, reinterpret_cast<unsigned char*>(call.scratch)},
        values{precision, call.head_dim, padded(call.length), keys.panel(keys.panel_count())},
        scores(reinterpret_cast<float*>(panel(values, values.panel_count()))),
        rows(reinterpret_cast<Quantization*>(scores + attention_block * keys.out)),
        sixteen_keys(reinterpret_cast<float*>(rows + attention_block)),
        encoded(reinterpret_cast<unsigned char*>(sixteen_keys + lanes * keys.in)) {}

  /// A panel, to be written.
  static unsigned char* panel(const PackedLinear& of, std::size_t p) { return const_cast<unsigned char*>(of.panel(p)); }
};

/// A level says how, as the static members of Form:
///
///   precision, Activation, activation_bytes   of linear
///   linear(call)                              linear_bf16 or linear_int8
///   pack_keys(call, p, sixteen_keys, panel)   keys 16 p to 16 p + 15 as a panel, zero beyond the last key
///   pack_values(call, p, panel)               columns 16 p to 16 p + 15 of V as a panel, zero beyond the last key
///   encode(x, count, y)                       one query; returns its quantisation
///   encode_softmax(scores, count, y)          softmax of one row, which may change; the same
template <class Form> void packed_attention(const AttentionCall& call) {
  using Activation = typename Form::Activation;
  const PackedAttentionScratch scratch(Form::precision, call);
  const PackedLinear &keys = scratch.keys, &values = scratch.values;
  for (std::size_t p = 0; p < keys.panel_count(); ++p)
    Form::pack_keys(call, p, scratch.sixteen_keys, scratch.panel(keys, p));
  for (std::size_t p = 0; p < values.panel_count(); ++p)
    Form::pack_values(call, p, scratch.panel(values, p));

  const auto encoded = [&](std::size_t row, const PackedLinear& of) {
    return reinterpret_cast<Activation*>(scratch.encoded + row * of.in * Form::activation_bytes);
  };
  for (std::size_t first = 0; first < call.queries; first += attention_block) {
    const std::size_t rows = std::min(attention_block, call.queries - first);
    for (std::size_t r = 0; r < rows; ++r)
      scratch.rows[r] = Form::encode(call.q + (first + r) * call.q_stride, keys.in, encoded(r, keys));
    Form::linear({encoded(0, keys), keys.in, rows, scratch.rows, keys, 0, keys.panel_count(), Epilogue::none,
                  scratch.scores, keys.out});
    for (std::size_t r = 0; r < rows; ++r)
      scratch.rows[r] = Form::encode_softmax(scratch.scores + r * keys.out, call.length, encoded(r, values));
    Form::linear({encoded(0, values), values.in, rows, scratch.rows, values, 0, values.panel_count(), Epilogue::none,
                  call.context + first * call.context_stride, call.context_stride});
  }
}

} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels
