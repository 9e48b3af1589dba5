#pragma once
// Level "avx512": AVX-512 F, BW, DQ and VL (Skylake-SP, Ice Lake, Zen 4 and later). Sixteen lanes are one register.

#if defined(__x86_64__)

#include <utility>

#include <immintrin.h>

#include "packed_attention.hpp"
#include "polynomials.hpp"
#include "target_region.hpp"
#include "tiling.hpp"

DISTILBERT_REGION_BEGIN("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")

namespace distilbert::kernels {
inline namespace DISTILBERT_BASELINE {
namespace avx512 {

struct F {
  __m512 v;
};
struct I {
  __m512i v;
};

/// Of a wide tile: 6 rows by 4 panels are 24 of 32 registers.
inline constexpr std::size_t wide_panels = 4;
/// 192 KB of its panels, which the tiles before fetch (see most_fetched_bytes)
inline constexpr std::size_t depth_block = 768;
/// In one chain each maximum waits four cycles for the one before: by two, quantize takes 112 ns instead of 140 for 768
/// values, and the shipped model 1.6 % less; DistilBERT-base takes the same (Xeon of 2023, 2026-11-29).
inline constexpr std::size_t range_chains = 2;

DISTILBERT_INLINE F operator+(F a, F b) { return {_mm512_add_ps(a.v, b.v)}; }
DISTILBERT_INLINE F operator-(F a, F b) { return {_mm512_sub_ps(a.v, b.v)}; }
DISTILBERT_INLINE F operator*(F a, F b) { return {_mm512_mul_ps(a.v, b.v)}; }
DISTILBERT_INLINE I operator+(I a, I b) { return {_mm512_add_epi32(a.v, b.v)}; }
DISTILBERT_INLINE I operator*(I a, I b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
DISTILBERT_INLINE F load(const float* p) { return {_mm512_loadu_ps(p)}; }
DISTILBERT_INLINE void store(float* p, F x) { _mm512_storeu_ps(p, x.v); }
DISTILBERT_INLINE F broadcast(float x) { return {_mm512_set1_ps(x)}; }
DISTILBERT_INLINE F fma(F a, F b, F c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
DISTILBERT_INLINE F max(F a, F b) { return {_mm512_max_ps(a.v, b.v)}; }
DISTILBERT_INLINE F min(F a, F b) { return {_mm512_min_ps(a.v, b.v)}; }
DISTILBERT_INLINE F divide(F a, F b) { return {_mm512_div_ps(a.v, b.v)}; }
DISTILBERT_INLINE F round(F x) { return {_mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
DISTILBERT_INLINE F less(F a, F b, F x, F y) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), y.v, x.v)};
}
DISTILBERT_INLINE float sqrt_of(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
DISTILBERT_INLINE F times_power_of_two(F x, F n) { return {_mm512_scalef_ps(x.v, n.v)}; }
DISTILBERT_INLINE float fold_sum(F x) {
  const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
DISTILBERT_INLINE float fold_max(F x) { return _mm512_reduce_max_ps(x.v); }

DISTILBERT_INLINE F as_floats(I bits) { return {_mm512_castsi512_ps(bits.v)}; }
DISTILBERT_INLINE I load_pairs(const void* p) { return {_mm512_loadu_si512(p)}; }
DISTILBERT_INLINE I broadcast_integer(int x) { return {_mm512_set1_epi32(x)}; }
DISTILBERT_INLINE I broadcast_pair(const void* p) {
  std::int32_t pair; // not _mm_loadu_si32, which g++ has from 11.3 on (GCC bug 99754)
  __builtin_memcpy(&pair, p, sizeof pair);
  return {_mm512_set1_epi32(pair)};
}
DISTILBERT_INLINE F even(I pairs) { return as_floats({_mm512_slli_epi32(pairs.v, 16)}); }
DISTILBERT_INLINE F odd(I pairs) { return as_floats({_mm512_and_si512(pairs.v, _mm512_set1_epi32(-65536))}); }
DISTILBERT_INLINE F load_bf16(const std::uint16_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return even({_mm512_cvtepu16_epi32(bits)});
}
DISTILBERT_INLINE void store_bf16(std::uint16_t* p, F x) {
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i last = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), last);
  const __mmask16 nan = _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q); // the carry must not turn one into an infinity
  rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
}
DISTILBERT_INLINE F load_bytes(const std::int8_t* p) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
DISTILBERT_INLINE I four_bytes(I a, I b, I c, I d) {
  const __m512i ab = _mm512_mask_blend_epi8(0x2222222222222222, a.v, _mm512_slli_epi32(b.v, 8));
  const __m512i cd = _mm512_mask_blend_epi8(0x8888888888888888, _mm512_slli_epi32(c.v, 16), _mm512_slli_epi32(d.v, 24));
  return {_mm512_mask_blend_epi16(0xaaaaaaaa, ab, cd)};
}
DISTILBERT_INLINE void store_integers(void* p, I x) { _mm512_storeu_si512(p, x.v); }
// Packing 64 bytes at a time instead of 16 makes the shipped model 0.4 % faster: not worth a form of its own.
DISTILBERT_INLINE void store_bytes(I q, std::byte* p) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(q.v));
}
DISTILBERT_INLINE F to_floats(I x) { return {_mm512_cvtepi32_ps(x.v)}; }
DISTILBERT_INLINE I to_integers(F x) { return {_mm512_cvtps_epi32(x.v)}; }
DISTILBERT_INLINE std::int32_t first_lane(I x) { return _mm_cvtsi128_si32(_mm512_castsi512_si128(x.v)); }

/// y[16][16] = x[16][stride] transposed: four rounds that swap neighbours at distance 1, 2, 4 and 8.
DISTILBERT_INLINE void transpose(const float* x, std::size_t stride, float* y) {
  __m512 a[16], b[16];
  DISTILBERT_UNROLL
  for (std::size_t i = 0; i < 16; ++i)
    a[i] = _mm512_loadu_ps(x + i * stride);
  DISTILBERT_UNROLL
  for (std::size_t i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
  DISTILBERT_UNROLL
  for (std::size_t i = 0; i < 16; i += 4) {
    a[i] = _mm512_shuffle_ps(b[i], b[i + 2], 0x44);
    a[i + 1] = _mm512_shuffle_ps(b[i], b[i + 2], 0xee);
    a[i + 2] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    a[i + 3] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0xee);
  }
  // a[4 q + c] now holds column c, c + 4, c + 8, c + 12 of rows 4 q .. 4 q + 3, a quarter register each
  DISTILBERT_UNROLL
  for (std::size_t c = 0; c < 4; ++c) {
    const __m512 low01 = _mm512_shuffle_f32x4(a[c], a[4 + c], 0x88),
                 high01 = _mm512_shuffle_f32x4(a[c], a[4 + c], 0xdd);
    const __m512 low23 = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0x88);
    const __m512 high23 = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0xdd);
    _mm512_storeu_ps(y + c * 16, _mm512_shuffle_f32x4(low01, low23, 0x88));
    _mm512_storeu_ps(y + (c + 4) * 16, _mm512_shuffle_f32x4(high01, high23, 0x88));
    _mm512_storeu_ps(y + (c + 8) * 16, _mm512_shuffle_f32x4(low01, low23, 0xdd));
    _mm512_storeu_ps(y + (c + 12) * 16, _mm512_shuffle_f32x4(high01, high23, 0xdd));
  }
}

#include "lanes/functions.inc"
#include "lanes/groups.inc"

#include "lanes/product.inc"

#include "lanes/linear_fp32.inc"
#include "lanes/attention.inc"
#include "lanes/linear_transposed.inc"

namespace widened {
using Pairs = WidenedPairs;

#include "lanes/linear_bf16.inc"

inline constexpr std::size_t int8_panels = 4, int8_tall_panels = 4, int8_tall_rows = tile_rows;

DISTILBERT_INLINE I even_bytes(I w) { return {_mm512_srai_epi16(_mm512_slli_epi16(w.v, 8), 8)}; }
DISTILBERT_INLINE I odd_bytes(I w) { return {_mm512_srai_epi16(w.v, 8)}; }
DISTILBERT_INLINE void multiply_add_pairs(I& sum, I a, I b) {
  sum = sum + I{_mm512_madd_epi16(a.v, b.v)};
  asm("" : "+v"(sum.v)); // g++ would add products first, and run out of registers
}
DISTILBERT_INLINE void store_quantized(I q, std::byte* row, std::size_t i) {
  const __m512i ordered = _mm512_shuffle_epi32(q.v, _MM_PERM_DBCA);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(row + 2 * i), _mm512_cvtepi32_epi16(ordered));
}
#include "lanes/int8_in_pairs.inc"

#include "lanes/linear_int8.inc"

#include "lanes/attention_int8.inc"
} // namespace widened

inline constexpr Kernels table{"avx512",
                               linear_fp32,
                               widened::linear_bf16,
                               widened::linear_int8,
                               linear_transposed,
                               round_to_bf16,
                               widened::quantize,
                               widened::quantized_bytes,
                               attention,
                               attention,
                               packed_attention<widened::Int8Attention>,
                               layer_norm,
                               embed,
                               softmax,
                               sigmoid};

namespace sums_in_16_bits {

inline constexpr std::size_t int8_panels = 2, int8_tall_panels = 2, int8_tall_rows = tile_rows;

/// For weights whose products add up in 16 bits, four at a time (see packed_layout.hpp).
struct Bytes : TwoGroups {
  DISTILBERT_INLINE static void multiply_add(I& sum, Two x, Two w) {
    const __m512i fours =
        _mm512_add_epi16(_mm512_maddubs_epi16(x.first.v, w.first.v), _mm512_maddubs_epi16(x.second.v, w.second.v));
    sum = sum + I{_mm512_madd_epi16(fours, _mm512_set1_epi16(1))};
  }
};

#include "lanes/int8_in_bytes.inc"

#include "lanes/linear_int8.inc"

inline constexpr Kernels table =
    with_int8(avx512::table, "avx512", linear_int8, quantize, quantized_bytes, avx512::table.attention_int8);

} // namespace sums_in_16_bits

} // namespace avx512
} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels

DISTILBERT_REGION_END

#endif
