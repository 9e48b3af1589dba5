#pragma once
// Which kernels run: the best level that this CPU offers, chosen at first use, or the one that is asked for.
//
// Every file that calls them compiles them all, ten seconds' worth. A program of many files may define
// DISTILBERT_COMPILED_KERNELS for all, and include compiled_kernels.hpp in one.

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "../error.hpp"
#include "level.hpp"

#if !defined(DISTILBERT_COMPILED_KERNELS)
#include "levels.hpp"
#endif

namespace distilbert {

namespace detail {

#if defined(DISTILBERT_COMPILED_KERNELS)
Levels levels(); // in compiled_kernels.hpp
#else
inline Levels levels() { return all_levels; }
#endif

inline const Level& find_level(std::string_view isa) {
  std::string offered;
  for (const Level& level : levels()) {
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
  for (const Level& level : levels())
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
  for (const detail::Level& level : detail::levels())
    if (level.supported())
      names.push_back(level.kernels->isa);
  return names;
}

} // namespace distilbert
