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

inline constexpr std::size_t int8_panels = 4;

// The instruction multiplies unsigned by signed bytes: activations are stored 128 higher, and the sums start at what
// that adds up to, so that the loop itself knows nothing of it.
inline constexpr std::size_t quantized_bytes = 1;

DISTILBERT_INLINE void store_quantized(I q, std::byte* row, std::size_t i) {
  const __m128i bytes = _mm512_cvtepi32_epi8(q.v);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(row + i), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
}
DISTILBERT_INLINE I start(I sums) { return {_mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(sums.v, 7))}; }

/// Unsigned bytes of x by signed bytes of w. In assembler, because g++ 12 copies and spills the sums around its
/// intrinsic (GCC bug 94663): half of the speed.
struct Bytes : PackedGroups {
  DISTILBERT_INLINE static void multiply_add(I& sum, I x, I w) {
    asm("vpdpbusd {%2, %1, %0|%0, %1, %2}" : "+v"(sum.v) : "v"(x.v), "v"(w.v));
  }
};

#include "lanes/product.inc"

template <std::size_t R, std::size_t P>
DISTILBERT_INLINE void multiply_int8(const std::byte* x, std::size_t x_stride, const unsigned char* w,
                                     std::size_t panel_stride, std::size_t depth, const unsigned char* ahead,
                                     std::size_t ahead_step, I (&sum)[R][P]) {
  Product<Bytes>::add(x, x_stride, w, panel_stride, 64, depth / 4, ahead, ahead_step, sum);
}

#include "lanes/linear_int8.inc"

inline constexpr Kernels table = with_int8(avx512::table, "avx512_vnni", linear_int8, quantize, quantized_bytes);

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

inline constexpr Kernels table = with_bf16(avx512_vnni::table, "avx512_bf16", linear_bf16);

} // namespace avx512_bf16
} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels

DISTILBERT_REGION_END

#endif
