#pragma once
// Which kernels run: the best level that this CPU offers, chosen at first use, or the one that is asked for.

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "../error.hpp"
#include "portable.hpp"

namespace distilbert {

namespace detail {

/// One level: its kernels, and whether the CPU and the operating system can run them. Best level first.
struct Level {
  const Kernels* kernels;
  bool (*supported)();
};

inline constexpr Level levels[] = {
    {&kernels::portable, [] { return true; }},
};

inline const Kernels& find_level(std::string_view isa) {
  std::string offered;
  for (const Level& level : levels) {
    if (!level.supported())
      continue;
    if (level.kernels->isa == isa)
      return *level.kernels;
    offered += offered.empty() ? "" : ", ";
    offered += level.kernels->isa;
  }
  throw Error(ErrorCode::unsupported_isa, "asked for \"" + std::string(isa) + "\", offered here: " + offered);
}

inline const Kernels& best_level() {
  const char* forced = std::getenv("DISTILBERT_ISA");
  if (forced && *forced)
    return find_level(forced);
  for (const Level& level : levels)
    if (level.supported())
      return *level.kernels;
  throw Error(ErrorCode::unsupported_isa, "no level at all");
}

inline std::atomic<const Kernels*>& chosen_level() {
  static std::atomic<const Kernels*> chosen{nullptr};
  return chosen;
}

} // namespace detail

/// The kernels in use. Chosen at the first call: DISTILBERT_ISA if it is set, else the best level of this CPU.
/// Throws ErrorCode::unsupported_isa if DISTILBERT_ISA names a level that is unknown or that this CPU lacks.
inline const Kernels& active_kernels() {
  const Kernels* kernels = detail::chosen_level().load(std::memory_order_acquire);
  if (!kernels) {
    const Kernels* best = &detail::best_level();
    if (detail::chosen_level().compare_exchange_strong(kernels, best, std::memory_order_acq_rel))
      kernels = best; // else set_isa() came in between, and kernels is what it chose
  }
  return *kernels;
}

/// Name of the level in use: "portable", ...
inline std::string_view isa() { return active_kernels().isa; }

/// Forces a level for all calls that begin after this one returns; batches in flight end on the level they began with.
/// Throws ErrorCode::unsupported_isa, and changes nothing, if the level is unknown or this CPU lacks it.
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
