#pragma once
// Levels "avx512_vnni" and "avx512_bf16": avx512 with the instructions that multiply four bytes, or two bf16, at a time
// (Ice Lake and Zen 4 have the first; Cooper Lake, Sapphire Rapids and Zen 4 the second).

#if defined(__x86_64__)

#include "avx512.hpp"

DISTILBERT_REGION_BEGIN("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

namespace distilbert::kernels {
inline namespace DISTILBERT_BASELINE {
namespace avx512_vnni {

using namespace avx512;

/// A wide tile of 6 rows has 24 sums. A tall one has 28, and with two registers of weights and one of x fills 31 of 32.
inline constexpr std::size_t int8_panels = 4, int8_tall_panels = 2, int8_tall_rows = 14;

/// Unsigned bytes of x by signed bytes of w. In assembler, because g++ 12 copies and spills the sums around its
/// intrinsic (GCC bug 94663): half of the speed.
struct Bytes : PackedGroups {
  DISTILBERT_INLINE static void multiply_add(I& sum, I x, I w) {
    asm("vpdpbusd {%2, %1, %0|%0, %1, %2}" : "+v"(sum.v) : "v"(x.v), "v"(w.v));
  }
};

#include "lanes/product.inc"

#include "lanes/int8_in_bytes.inc"

#include "lanes/linear_int8.inc"

#include "lanes/attention_int8.inc"

inline constexpr Kernels table =
    with_int8(avx512::table, "avx512_vnni", linear_int8, quantize, quantized_bytes, packed_attention<Int8Attention>);

} // namespace avx512_vnni
} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels

DISTILBERT_REGION_END

DISTILBERT_REGION_BEGIN("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace distilbert::kernels {
inline namespace DISTILBERT_BASELINE {
namespace avx512_bf16 {

using namespace avx512;

/// The instruction adds a pair's two products with roundings of its own and takes subnormals for zero: sums differ from
/// the widened ones in their last bits.
struct Pairs : PackedGroups {
  DISTILBERT_INLINE static void multiply_add(F& sum, I x, I w) {
    sum.v = _mm512_dpbf16_ps(sum.v, reinterpret_cast<__m512bh>(x.v), reinterpret_cast<__m512bh>(w.v));
  }
};

#include "lanes/product.inc"

#include "lanes/linear_bf16.inc"

/// To bf16, subnormals to zero, as the instruction that multiplies them takes them anyway.
DISTILBERT_INLINE __m256i to_bf16(F x) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x.v)); }
DISTILBERT_INLINE __m512i two_bf16(F low, F high) {
  return _mm512_or_si512(_mm512_cvtepu16_epi32(to_bf16(low)),
                         _mm512_slli_epi32(_mm512_cvtepu16_epi32(to_bf16(high)), 16));
}

struct Bf16Attention {
  static constexpr Precision precision = Precision::bf16;
  using Activation = std::uint16_t;
  static constexpr std::size_t activation_bytes = sizeof(Activation);

  static void linear(const LinearCall<std::uint16_t>& call) { linear_bf16(call); }

  static void pack_keys(const AttentionCall& call, std::size_t p, float* keys, unsigned char* panel) {
    transpose_keys(call, p * lanes, keys);
    store(reinterpret_cast<float*>(panel), zero());
    panel += panel_header_bytes(precision);
    for (std::size_t d = 0; d < call.head_dim; d += 2, panel += 64)
      _mm512_storeu_si512(panel, two_bf16(load(keys + d * lanes), load(keys + (d + 1) * lanes)));
  }

  static void pack_values(const AttentionCall& call, std::size_t p, unsigned char* panel) {
    const float* v = call.v + p * lanes;
    store(reinterpret_cast<float*>(panel), zero());
    panel += panel_header_bytes(precision);
    for (std::size_t j = 0; j < padded(call.length); j += 2, panel += 64)
      _mm512_storeu_si512(panel, two_bf16(values_of(call, v, j), values_of(call, v, j + 1)));
  }

  static Quantization encode(const float* x, std::size_t count, std::uint16_t* y) {
    for (std::size_t i = 0; i < count; i += lanes)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), to_bf16(load(x + i)));
    return {};
  }

  static Quantization encode_softmax(float* scores, std::size_t count, std::uint16_t* y) {
    const F inverse = broadcast(1.0f / exponentials(scores, count));
    for (std::size_t i = 0; i < count; i += lanes)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), to_bf16(load(scores + i) * inverse));
    return {};
  }
};

inline constexpr Kernels table =
    with_bf16(avx512_vnni::table, "avx512_bf16", linear_bf16, packed_attention<Bf16Attention>);

} // namespace avx512_bf16
} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels

DISTILBERT_REGION_END

#endif
