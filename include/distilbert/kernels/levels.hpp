#pragma once
// All levels of this architecture, and which CPUs can run them.

#include <iterator>

#include "avx2.hpp"
#include "avx512.hpp"
#include "avx512_vnni.hpp"
#include "level.hpp"
#include "neon.hpp"
#include "neon_dotprod.hpp"
#include "portable.hpp"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace distilbert::detail {

inline bool always() { return true; }

#if defined(__x86_64__)
inline bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
inline bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
inline bool has_avx512_vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
inline bool has_avx512_bf16() { return has_avx512_vnni() && __builtin_cpu_supports("avx512bf16"); }
/// AMD's cores multiply bf16 at twice the rate of fp32, Intel's (without AMX) at half of it.
inline bool has_fast_bf16() { return __builtin_cpu_is("amd"); }
#elif defined(__aarch64__) && defined(__linux__)
inline bool has_neon_dotprod() { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#elif defined(__ARM_FEATURE_DOTPROD)
inline bool has_neon_dotprod() { return true; }
#elif defined(__aarch64__)
inline bool has_neon_dotprod() { return false; }
#endif

inline constexpr Level level_table[] = {
#if defined(__x86_64__)
    {&kernels::avx512_bf16::table, &kernels::avx512_bf16::table, has_avx512_bf16, has_fast_bf16},
    {&kernels::avx512_vnni::table, &kernels::avx512_vnni::table, has_avx512_vnni, always},
    {&kernels::avx512::table, &kernels::avx512::sums_in_16_bits::table, has_avx512, always},
    {&kernels::avx2::table, &kernels::avx2::sums_in_16_bits::table, has_avx2, always},
#elif defined(__aarch64__)
    {&kernels::neon_dotprod::table, &kernels::neon_dotprod::table, has_neon_dotprod, always},
    {&kernels::neon::table, &kernels::neon::table, always, always},
#endif
    {&kernels::portable, &kernels::portable, always, always},
};

inline constexpr Levels all_levels{std::begin(level_table), std::end(level_table)};

} // namespace distilbert::detail
