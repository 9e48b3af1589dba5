#pragma once
// Level "avx2": AVX2 with FMA (Haswell, Zen and later). Sixteen lanes are two registers.

#if defined(__x86_64__)

#include <utility>

#include <immintrin.h>

#include "packed_attention.hpp"
#include "polynomials.hpp"
#include "target_region.hpp"
#include "tiling.hpp"

DISTILBERT_REGION_BEGIN("avx2,fma")

namespace distilbert::kernels {
inline namespace DISTILBERT_BASELINE {
namespace avx2 {

struct F {
  __m256 low, high;
};
struct I {
  __m256i low, high;
};

/// Of a wide tile: 6 rows by 1 panel are 12 of 16 registers.
inline constexpr std::size_t wide_panels = 1;
/// 24 KB of a panel
inline constexpr std::size_t depth_block = 384;
/// Two registers are two chains already: four make quantize 3 to 10 % slower (Xeon of 2023, 2026-11-29).
inline constexpr std::size_t range_chains = 1;

DISTILBERT_INLINE F operator+(F a, F b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
DISTILBERT_INLINE F operator-(F a, F b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
DISTILBERT_INLINE F operator*(F a, F b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
DISTILBERT_INLINE I operator+(I a, I b) { return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)}; }
DISTILBERT_INLINE I operator*(I a, I b) {
  return {_mm256_mullo_epi32(a.low, b.low), _mm256_mullo_epi32(a.high, b.high)};
}
DISTILBERT_INLINE F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
DISTILBERT_INLINE void store(float* p, F x) {
  _mm256_storeu_ps(p, x.low);
  _mm256_storeu_ps(p + 8, x.high);
}
DISTILBERT_INLINE F broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
DISTILBERT_INLINE F fma(F a, F b, F c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
DISTILBERT_INLINE F max(F a, F b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
DISTILBERT_INLINE F min(F a, F b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
DISTILBERT_INLINE F divide(F a, F b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
DISTILBERT_INLINE F round(F x) {
  return {_mm256_round_ps(x.low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
          _mm256_round_ps(x.high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
DISTILBERT_INLINE F less(F a, F b, F x, F y) {
  return {_mm256_blendv_ps(y.low, x.low, _mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ)),
          _mm256_blendv_ps(y.high, x.high, _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ))};
}
DISTILBERT_INLINE float sqrt_of(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
DISTILBERT_INLINE I to_integers(F x) { return {_mm256_cvtps_epi32(x.low), _mm256_cvtps_epi32(x.high)}; }
DISTILBERT_INLINE std::int32_t first_lane(I x) { return _mm_cvtsi128_si32(_mm256_castsi256_si128(x.low)); }
DISTILBERT_INLINE F to_floats(I x) { return {_mm256_cvtepi32_ps(x.low), _mm256_cvtepi32_ps(x.high)}; }
DISTILBERT_INLINE F as_floats(I bits) { return {_mm256_castsi256_ps(bits.low), _mm256_castsi256_ps(bits.high)}; }
DISTILBERT_INLINE I as_integers(F bits) { return {_mm256_castps_si256(bits.low), _mm256_castps_si256(bits.high)}; }
DISTILBERT_INLINE I broadcast_integer(int x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
DISTILBERT_INLINE I shift_left(I x, int bits) {
  return {_mm256_slli_epi32(x.low, bits), _mm256_slli_epi32(x.high, bits)};
}
DISTILBERT_INLINE I shift_right(I x, int bits) {
  return {_mm256_srli_epi32(x.low, bits), _mm256_srli_epi32(x.high, bits)};
}
DISTILBERT_INLINE I operator&(I a, I b) { return {_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)}; }
DISTILBERT_INLINE F times_power_of_two(F x, F n) {
  return x * as_floats(shift_left(to_integers(max(n, broadcast(-126.0f))) + broadcast_integer(127), 23));
}
DISTILBERT_INLINE float fold_sum(F x) {
  const __m256 a = _mm256_add_ps(x.low, x.high);
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
DISTILBERT_INLINE float fold_max(F x) {
  const __m256 a = _mm256_max_ps(x.low, x.high);
  const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

DISTILBERT_INLINE I load_pairs(const void* p) {
  const auto* halves = static_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)};
}
DISTILBERT_INLINE I broadcast_pair(const void* p) {
  std::int32_t pair; // not _mm_loadu_si32, which g++ has from 11.3 on (GCC bug 99754)
  __builtin_memcpy(&pair, p, sizeof pair);
  return broadcast_integer(pair);
}
DISTILBERT_INLINE F even(I pairs) { return as_floats(shift_left(pairs, 16)); }
DISTILBERT_INLINE F odd(I pairs) { return as_floats(pairs & broadcast_integer(-65536)); }
DISTILBERT_INLINE F load_bf16(const std::uint16_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return even(
      {_mm256_cvtepu16_epi32(_mm256_castsi256_si128(bits)), _mm256_cvtepu16_epi32(_mm256_extracti128_si256(bits, 1))});
}
DISTILBERT_INLINE void store_bf16(std::uint16_t* p, F x) {
  const I bits = as_integers(x);
  const I last = shift_right(bits, 16) & broadcast_integer(1);
  const F rounded = as_floats(bits + broadcast_integer(0x7fff) + last);
  const F quiet = as_floats({_mm256_or_si256(bits.low, _mm256_set1_epi32(0x400000)),
                             _mm256_or_si256(bits.high, _mm256_set1_epi32(0x400000))});
  // the carry must not turn a NaN into an infinity
  const F kept = {_mm256_blendv_ps(rounded.low, quiet.low, _mm256_cmp_ps(x.low, x.low, _CMP_UNORD_Q)),
                  _mm256_blendv_ps(rounded.high, quiet.high, _mm256_cmp_ps(x.high, x.high, _CMP_UNORD_Q))};
  const I high_halves = shift_right(as_integers(kept), 16);
  const __m256i mixed = _mm256_packus_epi32(high_halves.low, high_halves.high);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(mixed, 0xd8));
}
DISTILBERT_INLINE I four_bytes(I a, I b, I c, I d) {
  const I byte = broadcast_integer(255);
  return (a & byte) + shift_left(b & byte, 8) + shift_left(c & byte, 16) + shift_left(d, 24);
}
DISTILBERT_INLINE void store_integers(void* p, I x) {
  auto* halves = static_cast<__m256i*>(p);
  _mm256_storeu_si256(halves, x.low);
  _mm256_storeu_si256(halves + 1, x.high);
}
DISTILBERT_INLINE F load_bytes(const std::int8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return to_floats({_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))});
}

/// y[8][16] = x[8][stride] transposed: rounds that swap neighbours at distance 1, 2 and 4.
DISTILBERT_INLINE void transpose_8x8(const float* x, std::size_t stride, float* y) {
  __m256 a[8], b[8];
  DISTILBERT_UNROLL
  for (std::size_t i = 0; i < 8; ++i)
    a[i] = _mm256_loadu_ps(x + i * stride);
  DISTILBERT_UNROLL
  for (std::size_t i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
  }
  DISTILBERT_UNROLL
  for (std::size_t i = 0; i < 8; i += 4) {
    a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
    a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xee);
    a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xee);
  }
  DISTILBERT_UNROLL
  for (std::size_t i = 0; i < 4; ++i) {
    _mm256_storeu_ps(y + i * 16, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
    _mm256_storeu_ps(y + (i + 4) * 16, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
  }
}
DISTILBERT_INLINE void transpose(const float* x, std::size_t stride, float* y) {
  transpose_8x8(x, stride, y);
  transpose_8x8(x + 8, stride, y + 8 * lanes);
  transpose_8x8(x + 8 * stride, stride, y + 8);
  transpose_8x8(x + 8 * stride + 8, stride, y + 8 * lanes + 8);
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

inline constexpr std::size_t int8_panels = 1, int8_tall_panels = 1, int8_tall_rows = tile_rows;

DISTILBERT_INLINE I even_bytes(I w) {
  return {_mm256_srai_epi16(_mm256_slli_epi16(w.low, 8), 8), _mm256_srai_epi16(_mm256_slli_epi16(w.high, 8), 8)};
}
DISTILBERT_INLINE I odd_bytes(I w) { return {_mm256_srai_epi16(w.low, 8), _mm256_srai_epi16(w.high, 8)}; }
DISTILBERT_INLINE void multiply_add_pairs(I& sum, I a, I b) {
  sum = sum + I{_mm256_madd_epi16(a.low, b.low), _mm256_madd_epi16(a.high, b.high)};
  asm("" : "+x"(sum.low), "+x"(sum.high)); // g++ would add products first, and run out of registers
}
DISTILBERT_INLINE void store_quantized(I q, std::byte* row, std::size_t i) {
  const __m256i mixed = _mm256_packs_epi32(_mm256_shuffle_epi32(q.low, 0xd8), _mm256_shuffle_epi32(q.high, 0xd8));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(row + 2 * i), _mm256_permute4x64_epi64(mixed, 0xd8));
}

#include "lanes/int8_in_pairs.inc"

#include "lanes/linear_int8.inc"

#include "lanes/attention_int8.inc"

} // namespace widened

inline constexpr Kernels table{"avx2",
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

inline constexpr std::size_t int8_panels = 1, int8_tall_panels = 1, int8_tall_rows = tile_rows;

DISTILBERT_INLINE void store_bytes(I q, std::byte* p) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(q.low, q.high), 0xd8);
  const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

/// For weights whose products add up in 16 bits, four at a time (see packed_layout.hpp): 275 GOPS on Zen 4. Weights of
/// seven bits, of which only two fit, keep the multipliers busier: 225. The exact form makes 177.
struct Bytes : TwoGroups {
  DISTILBERT_INLINE static __m256i add_products(__m256i sum, __m256i x, __m256i w, __m256i next_x, __m256i next_w) {
    const __m256i fours = _mm256_add_epi16(_mm256_maddubs_epi16(x, w), _mm256_maddubs_epi16(next_x, next_w));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(fours, _mm256_set1_epi16(1)));
  }
  DISTILBERT_INLINE static void multiply_add(I& sum, Two x, Two w) {
    sum = {add_products(sum.low, x.first.low, w.first.low, x.second.low, w.second.low),
           add_products(sum.high, x.first.high, w.first.high, x.second.high, w.second.high)};
  }
};

#include "lanes/int8_in_bytes.inc"

#include "lanes/linear_int8.inc"

inline constexpr Kernels table =
    with_int8(avx2::table, "avx2", linear_int8, quantize, quantized_bytes, avx2::table.attention_int8);

} // namespace sums_in_16_bits

} // namespace avx2
} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels

DISTILBERT_REGION_END

#endif
