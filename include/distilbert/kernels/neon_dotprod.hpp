#pragma once
// Level "neon_dotprod": neon with the instruction that multiplies four signed bytes at a time (Cortex-A75, Neoverse N1,
// Graviton 2 and later).

#if defined(__aarch64__)

#include "neon.hpp"

// g++ inlines no function of the unit's own instruction set into a region that lacks a part of it, and the assembler
// takes the instruction only from armv8.2-a on: later units keep what they have, earlier ones are raised.
#if defined(__clang__)
DISTILBERT_REGION_BEGIN("dotprod")
#elif defined(__ARM_FEATURE_DOTPROD) || defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC) || defined(__ARM_FEATURE_COMPLEX)
DISTILBERT_REGION_BEGIN("+dotprod")
#else
DISTILBERT_REGION_BEGIN("arch=armv8.2-a+crypto+dotprod")
#endif

namespace distilbert::kernels {
inline namespace DISTILBERT_BASELINE {
namespace neon_dotprod {

using namespace neon;

/// sum[c] += sum over four k of x[4 * Group + k] * w[c][k]. In assembler, because clang 14 has the intrinsic only where
/// the whole translation unit may use the instruction.
template <int Group> DISTILBERT_INLINE void multiply_add(int32x4_t& sum, int32x4_t w, int32x4_t x) {
  asm("sdot %0.4s, %1.16b, %2.4b[%3]" : "+w"(sum) : "w"(w), "w"(x), "i"(Group));
}

/// One group of four k. A register of weights at a time: sums and activations already take 30 of 32 registers.
template <int Group, std::size_t R, std::size_t P>
DISTILBERT_INLINE void multiply_group(const int32x4_t (&x)[R], const unsigned char* w, std::size_t panel_stride,
                                      I (&sum)[R][P]) {
  DISTILBERT_UNROLL
  for (std::size_t p = 0; p < P; ++p) {
    DISTILBERT_UNROLL
    for (std::size_t i = 0; i < 4; ++i) {
      const int32x4_t wk = load_pairs_at(w + p * panel_stride + Group * 64 + i * 16);
      DISTILBERT_UNROLL
      for (std::size_t r = 0; r < R; ++r)
        multiply_add<Group>(sum[r][p].v[i], wk, x[r]);
    }
  }
}

template <std::size_t R, std::size_t P>
DISTILBERT_INLINE void multiply_int8(const std::byte* x, std::size_t x_stride, const unsigned char* w,
                                     std::size_t panel_stride, std::size_t depth, const unsigned char* ahead,
                                     std::size_t ahead_step, I (&sum)[R][P]) {
  for (std::size_t k = 0; k < depth; k += 16, w += 4 * 64, x += 16, ahead += 4 * ahead_step) {
    fetch<4, P>(ahead, panel_stride, ahead_step);
    int32x4_t xk[R];
    DISTILBERT_UNROLL
    for (std::size_t r = 0; r < R; ++r)
      xk[r] = load_pairs_at(reinterpret_cast<const unsigned char*>(x + r * x_stride));
    multiply_group<0>(xk, w, panel_stride, sum);
    multiply_group<1>(xk, w, panel_stride, sum);
    multiply_group<2>(xk, w, panel_stride, sum);
    multiply_group<3>(xk, w, panel_stride, sum);
  }
}

#include "lanes/linear_int8.inc"

#include "lanes/attention_int8.inc"

inline constexpr Kernels table = with_int8(neon::table, "neon_dotprod", linear_int8, quantize, neon::quantized_bytes,
                                           packed_attention<Int8Attention>);

} // namespace neon_dotprod
} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels

DISTILBERT_REGION_END

#endif
