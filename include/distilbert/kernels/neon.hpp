#pragma once
// Level "neon": what every 64-bit Arm CPU has, so that it needs no target region. Sixteen lanes are four registers.

#if defined(__aarch64__)

#include <utility>

#include <arm_neon.h>

#include "packed_attention.hpp"
#include "polynomials.hpp"
#include "target_region.hpp"
#include "tiling.hpp"

namespace distilbert::kernels {
inline namespace DISTILBERT_BASELINE {
namespace neon {

struct F {
  float32x4_t v[4];
};
struct I {
  int32x4_t v[4];
};

/// Of a wide tile: 6 rows by 1 panel are 24 of 32 registers.
inline constexpr std::size_t wide_panels = 1;
/// 16 KB of a panel
inline constexpr std::size_t depth_block = 256;
/// Four registers are four chains already.
inline constexpr std::size_t range_chains = 1;

DISTILBERT_INLINE F operator+(F a, F b) {
  return {vaddq_f32(a.v[0], b.v[0]), vaddq_f32(a.v[1], b.v[1]), vaddq_f32(a.v[2], b.v[2]), vaddq_f32(a.v[3], b.v[3])};
}
DISTILBERT_INLINE F operator-(F a, F b) {
  return {vsubq_f32(a.v[0], b.v[0]), vsubq_f32(a.v[1], b.v[1]), vsubq_f32(a.v[2], b.v[2]), vsubq_f32(a.v[3], b.v[3])};
}
DISTILBERT_INLINE F operator*(F a, F b) {
  return {vmulq_f32(a.v[0], b.v[0]), vmulq_f32(a.v[1], b.v[1]), vmulq_f32(a.v[2], b.v[2]), vmulq_f32(a.v[3], b.v[3])};
}
DISTILBERT_INLINE I operator+(I a, I b) {
  return {vaddq_s32(a.v[0], b.v[0]), vaddq_s32(a.v[1], b.v[1]), vaddq_s32(a.v[2], b.v[2]), vaddq_s32(a.v[3], b.v[3])};
}
DISTILBERT_INLINE F load(const float* p) {
  return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
DISTILBERT_INLINE void store(float* p, F x) {
  vst1q_f32(p, x.v[0]);
  vst1q_f32(p + 4, x.v[1]);
  vst1q_f32(p + 8, x.v[2]);
  vst1q_f32(p + 12, x.v[3]);
}
DISTILBERT_INLINE F broadcast(float x) {
  const float32x4_t all = vdupq_n_f32(x);
  return {all, all, all, all};
}
DISTILBERT_INLINE I broadcast_integer(std::int32_t x) {
  const int32x4_t all = vdupq_n_s32(x);
  return {all, all, all, all};
}
DISTILBERT_INLINE F fma(F a, F b, F c) {
  return {vfmaq_f32(c.v[0], a.v[0], b.v[0]), vfmaq_f32(c.v[1], a.v[1], b.v[1]), vfmaq_f32(c.v[2], a.v[2], b.v[2]),
          vfmaq_f32(c.v[3], a.v[3], b.v[3])};
}
// Unlike those of x86, max and min give NaN whenever one of the two is NaN.
DISTILBERT_INLINE F max(F a, F b) {
  return {vmaxq_f32(a.v[0], b.v[0]), vmaxq_f32(a.v[1], b.v[1]), vmaxq_f32(a.v[2], b.v[2]), vmaxq_f32(a.v[3], b.v[3])};
}
DISTILBERT_INLINE F min(F a, F b) {
  return {vminq_f32(a.v[0], b.v[0]), vminq_f32(a.v[1], b.v[1]), vminq_f32(a.v[2], b.v[2]), vminq_f32(a.v[3], b.v[3])};
}
DISTILBERT_INLINE F divide(F a, F b) {
  return {vdivq_f32(a.v[0], b.v[0]), vdivq_f32(a.v[1], b.v[1]), vdivq_f32(a.v[2], b.v[2]), vdivq_f32(a.v[3], b.v[3])};
}
DISTILBERT_INLINE F round(F x) {
  return {vrndnq_f32(x.v[0]), vrndnq_f32(x.v[1]), vrndnq_f32(x.v[2]), vrndnq_f32(x.v[3])};
}
DISTILBERT_INLINE F less(F a, F b, F x, F y) {
  return {vbslq_f32(vcltq_f32(a.v[0], b.v[0]), x.v[0], y.v[0]), vbslq_f32(vcltq_f32(a.v[1], b.v[1]), x.v[1], y.v[1]),
          vbslq_f32(vcltq_f32(a.v[2], b.v[2]), x.v[2], y.v[2]), vbslq_f32(vcltq_f32(a.v[3], b.v[3]), x.v[3], y.v[3])};
}
DISTILBERT_INLINE float sqrt_of(float x) { return vget_lane_f32(vsqrt_f32(vdup_n_f32(x)), 0); }
DISTILBERT_INLINE I to_integers(F x) {
  return {vcvtnq_s32_f32(x.v[0]), vcvtnq_s32_f32(x.v[1]), vcvtnq_s32_f32(x.v[2]), vcvtnq_s32_f32(x.v[3])};
}
DISTILBERT_INLINE std::int32_t first_lane(I x) { return vgetq_lane_s32(x.v[0], 0); }
DISTILBERT_INLINE F to_floats(I x) {
  return {vcvtq_f32_s32(x.v[0]), vcvtq_f32_s32(x.v[1]), vcvtq_f32_s32(x.v[2]), vcvtq_f32_s32(x.v[3])};
}
DISTILBERT_INLINE float32x4_t power_of_two(float32x4_t n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23));
}
DISTILBERT_INLINE F times_power_of_two(F x, F n) {
  const F least = max(n, broadcast(-126.0f));
  return x * F{power_of_two(least.v[0]), power_of_two(least.v[1]), power_of_two(least.v[2]), power_of_two(least.v[3])};
}
DISTILBERT_INLINE float fold_sum(F x) {
  const float32x4_t b = vaddq_f32(vaddq_f32(x.v[0], x.v[2]), vaddq_f32(x.v[1], x.v[3]));
  const float32x2_t c = vadd_f32(vget_low_f32(b), vget_high_f32(b));
  return vget_lane_f32(vpadd_f32(c, c), 0);
}
DISTILBERT_INLINE float fold_max(F x) {
  return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.v[0], x.v[2]), vmaxq_f32(x.v[1], x.v[3])));
}

DISTILBERT_INLINE int32x4_t load_pairs_at(const unsigned char* p) { return vreinterpretq_s32_u8(vld1q_u8(p)); }
DISTILBERT_INLINE I load_pairs(const void* p) {
  const auto* bytes = static_cast<const unsigned char*>(p);
  return {load_pairs_at(bytes), load_pairs_at(bytes + 16), load_pairs_at(bytes + 32), load_pairs_at(bytes + 48)};
}
DISTILBERT_INLINE I broadcast_pair(const void* p) {
  std::int32_t pair;
  __builtin_memcpy(&pair, p, sizeof pair);
  const int32x4_t all = vdupq_n_s32(pair);
  return {all, all, all, all};
}
DISTILBERT_INLINE int32x4_t four_bytes(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d) {
  return vsliq_n_s32(vsliq_n_s32(vsliq_n_s32(a, b, 8), c, 16), d, 24);
}
DISTILBERT_INLINE I four_bytes(I a, I b, I c, I d) {
  return {four_bytes(a.v[0], b.v[0], c.v[0], d.v[0]), four_bytes(a.v[1], b.v[1], c.v[1], d.v[1]),
          four_bytes(a.v[2], b.v[2], c.v[2], d.v[2]), four_bytes(a.v[3], b.v[3], c.v[3], d.v[3])};
}
DISTILBERT_INLINE void store_integers(void* p, I x) {
  auto* quarters = static_cast<std::int32_t*>(p);
  DISTILBERT_UNROLL
  for (std::size_t i = 0; i < 4; ++i)
    vst1q_s32(quarters + 4 * i, x.v[i]);
}
DISTILBERT_INLINE float32x4_t even(int32x4_t pairs) { return vreinterpretq_f32_s32(vshlq_n_s32(pairs, 16)); }
DISTILBERT_INLINE float32x4_t odd(int32x4_t pairs) {
  return vreinterpretq_f32_s32(vandq_s32(pairs, vdupq_n_s32(-65536)));
}
DISTILBERT_INLINE F even(I pairs) { return {even(pairs.v[0]), even(pairs.v[1]), even(pairs.v[2]), even(pairs.v[3])}; }
DISTILBERT_INLINE F odd(I pairs) { return {odd(pairs.v[0]), odd(pairs.v[1]), odd(pairs.v[2]), odd(pairs.v[3])}; }
DISTILBERT_INLINE F load_bf16(const std::uint16_t* p) {
  const uint16x8_t low = vld1q_u16(p), high = vld1q_u16(p + 8);
  return {vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(low), 16)), vreinterpretq_f32_u32(vshll_high_n_u16(low, 16)),
          vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(high), 16)),
          vreinterpretq_f32_u32(vshll_high_n_u16(high, 16))};
}
DISTILBERT_INLINE uint16x4_t to_bf16(float32x4_t x) {
  const uint32x4_t bits = vreinterpretq_u32_f32(x);
  const uint32x4_t last = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), last);
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000)); // the carry must not turn a NaN into an infinity
  return vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), rounded, quiet), 16);
}
DISTILBERT_INLINE void store_bf16(std::uint16_t* p, F x) {
  vst1q_u16(p, vcombine_u16(to_bf16(x.v[0]), to_bf16(x.v[1])));
  vst1q_u16(p + 8, vcombine_u16(to_bf16(x.v[2]), to_bf16(x.v[3])));
}
DISTILBERT_INLINE F load_bytes(const std::int8_t* p) {
  const int8x16_t bytes = vld1q_s8(p);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
  return to_floats(
      {vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)});
}

DISTILBERT_INLINE float32x4_t low_halves(float32x4_t a, float32x4_t b) {
  return vcombine_f32(vget_low_f32(a), vget_low_f32(b));
}
DISTILBERT_INLINE float32x4_t high_halves(float32x4_t a, float32x4_t b) {
  return vcombine_f32(vget_high_f32(a), vget_high_f32(b));
}
/// y[4][16] = x[4][stride] transposed: rounds that swap neighbours at distance 1 and 2.
DISTILBERT_INLINE void transpose_4x4(const float* x, std::size_t stride, float* y) {
  const float32x4_t a = vld1q_f32(x), b = vld1q_f32(x + stride);
  const float32x4_t c = vld1q_f32(x + 2 * stride), d = vld1q_f32(x + 3 * stride);
  const float32x4_t even_ab = vtrn1q_f32(a, b), odd_ab = vtrn2q_f32(a, b);
  const float32x4_t even_cd = vtrn1q_f32(c, d), odd_cd = vtrn2q_f32(c, d);
  vst1q_f32(y, low_halves(even_ab, even_cd));
  vst1q_f32(y + 16, low_halves(odd_ab, odd_cd));
  vst1q_f32(y + 32, high_halves(even_ab, even_cd));
  vst1q_f32(y + 48, high_halves(odd_ab, odd_cd));
}
DISTILBERT_INLINE void transpose(const float* x, std::size_t stride, float* y) {
  for (std::size_t i = 0; i < 16; i += 4)
    for (std::size_t j = 0; j < 16; j += 4)
      transpose_4x4(x + i * stride + j, stride, y + j * 16 + i);
}

#include "lanes/functions.inc"

#include "lanes/groups.inc"

#include "lanes/product.inc"

#include "lanes/linear_fp32.inc"

#include "lanes/attention.inc"
#include "lanes/linear_transposed.inc"

using Pairs = WidenedPairs;

#include "lanes/linear_bf16.inc"

// Weights and activations are signed bytes, a row's least value -128: four k of four channels are one register.
inline constexpr std::size_t int8_panels = 1, int8_tall_panels = 1, int8_tall_rows = tile_rows;
inline constexpr std::size_t quantized_bytes = 1;

DISTILBERT_INLINE void store_quantized(I q, std::byte* row, std::size_t i) {
  const int16x8_t low = vcombine_s16(vmovn_s32(q.v[0]), vmovn_s32(q.v[1]));
  const int16x8_t high = vcombine_s16(vmovn_s32(q.v[2]), vmovn_s32(q.v[3]));
  const int8x16_t bytes = vcombine_s8(vmovn_s16(low), vmovn_s16(high));
  vst1q_u8(reinterpret_cast<unsigned char*>(row + i), vreinterpretq_u8_s8(bytes));
}
DISTILBERT_INLINE I zero_point(I steps_below) { return steps_below + broadcast_integer(-128); }
DISTILBERT_INLINE I start(I sums, std::int32_t zero_point) {
  return {vmulq_n_s32(sums.v[0], -zero_point), vmulq_n_s32(sums.v[1], -zero_point), vmulq_n_s32(sums.v[2], -zero_point),
          vmulq_n_s32(sums.v[3], -zero_point)};
}

namespace widened {

/// sum[c] += sum over four k of x[k] * w[c][k]. Two products fit 16 bits (2 * 127 * 128 < 2^15), four need not.
DISTILBERT_INLINE int32x4_t add_products(int32x4_t sum, int32x4_t x, int32x4_t w) {
  const int8x16_t a = vreinterpretq_s8_s32(x), b = vreinterpretq_s8_s32(w);
  return vpadalq_s16(sum, vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)));
}

struct Bytes : PackedGroups {
  DISTILBERT_INLINE static void multiply_add(I& sum, I x, I w) {
    DISTILBERT_UNROLL
    for (std::size_t i = 0; i < 4; ++i)
      sum.v[i] = add_products(sum.v[i], x.v[i], w.v[i]);
  }
};

#include "lanes/multiply_bytes.inc"

#include "lanes/linear_int8.inc"

#include "lanes/attention_int8.inc"

} // namespace widened

inline constexpr Kernels table{"neon",
                               linear_fp32,
                               linear_bf16,
                               widened::linear_int8,
                               linear_transposed,
                               round_to_bf16,
                               widened::quantize,
                               quantized_bytes,
                               attention,
                               attention,
                               packed_attention<widened::Int8Attention>,
                               layer_norm,
                               embed,
                               softmax,
                               sigmoid};

} // namespace neon
} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels

#endif
