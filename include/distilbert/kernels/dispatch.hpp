#pragma once
// Which kernels run: the best level that this CPU offers, chosen at first use, or the one that is asked for.

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "../error.hpp"
#include "avx2.hpp"
#include "avx512.hpp"
#include "avx512_vnni.hpp"
#include "neon.hpp"
#include "neon_dotprod.hpp"
#include "portable.hpp"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace distilbert {

namespace detail {

/// One level: its kernels, those for int8 weights whose sums fit 16 bits (the same where that gains nothing), whether
/// CPU and operating system can run them, and whether it is worth choosing: of the levels that can run, a CPU is given
/// the first that pays. Best level first.
struct Level {
  const Kernels *kernels, *in_16_bits;
  bool (*supported)();
  bool (*pays)();

  const Kernels& for_sums(int bits) const { return bits == 16 ? *in_16_bits : *kernels; }
};

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

inline constexpr Level levels[] = {
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

inline const Level& find_level(std::string_view isa) {
  std::string offered;
  for (const Level& level : levels) {
    if (!level.supported())
      continue;
    if (level.kernels->isa == isa)
      return level;
    offered += offered.empty() ? "" : ", ";
    offered += level.kernels->isa;
  }
  throw Error(ErrorCode::unsupported_isa, "asked for \"" + std::string(isa) + "\", offered here: " + offered);
}

inline const Level& best_level() {
  const char* forced = std::getenv("DISTILBERT_ISA");
  if (forced && *forced)
    return find_level(forced);
  for (const Level& level : levels)
    if (level.supported() && level.pays())
      return level;
  throw Error(ErrorCode::unsupported_isa, "no level at all");
}

inline std::atomic<const Level*>& chosen_level() {
  static std::atomic<const Level*> chosen{nullptr};
  return chosen;
}

inline const Level& active_level() {
  const Level* level = chosen_level().load(std::memory_order_acquire);
  if (!level) {
    const Level* best = &best_level();
    if (chosen_level().compare_exchange_strong(level, best, std::memory_order_acq_rel))
      level = best; // else set_isa() came in between, and level is what it chose
  }
  return *level;
}

} // namespace detail

/// The kernels in use, for any int8 weights or for those that add up in 16 bits (see packed_layout.hpp). Chosen at the
/// first call: DISTILBERT_ISA if it is set, else the best level of this CPU.
/// Throws ErrorCode::unsupported_isa if DISTILBERT_ISA names a level that is unknown or that this CPU lacks.
inline const Kernels& active_kernels(int sum_bits = 32) { return detail::active_level().for_sums(sum_bits); }

/// Name of the level in use: "portable", "avx2", "avx512", "avx512_vnni", "avx512_bf16"; on Arm "neon", "neon_dotprod"
inline std::string_view isa() { return active_kernels().isa; }

/// Forces a level for all calls that begin after this one returns; batches in flight end their forward pass on the
/// level they began with. Throws ErrorCode::unsupported_isa, and changes nothing, if the level is unknown or this CPU
/// lacks it.
inline void set_isa(std::string_view isa) {
  detail::chosen_level().store(&detail::find_level(isa), std::memory_order_release);
}

/// The levels that this CPU offers, best first.
inline std::vector<std::string_view> available_isas() {
  std::vector<std::string_view> names;
  for (const detail::Level& level : detail::levels)
    if (level.supported())
      names.push_back(level.kernels->isa);
  return names;
}

} // namespace distilbert
