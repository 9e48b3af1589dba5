#pragma once
// What dispatch.hpp knows of a level.

#include "contract.hpp"

namespace distilbert::detail {

/// One level: its kernels, those for int8 weights whose sums fit 16 bits (the same where that gains nothing), whether
/// CPU and operating system can run them, and whether it is worth choosing: of the levels that can run, a CPU is given
/// the first that pays. Best level first.
struct Level {
  const Kernels *kernels, *in_16_bits;
  bool (*supported)();
  bool (*pays)();

  const Kernels& for_sums(int bits) const { return bits == 16 ? *in_16_bits : *kernels; }
};

/// Levels, best first.
struct Levels {
  const Level *first, *last;

  const Level* begin() const { return first; }
  const Level* end() const { return last; }
};

} // namespace distilbert::detail
