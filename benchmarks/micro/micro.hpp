#pragma once
// What the files of this program share: each registers its benchmarks, and main.cpp runs them.

#include "../common/peaks.hpp"

#include <benchmark/benchmark.h>

#include <distilbert/weights/pack.hpp>

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

void register_peaks();
void register_kernels();
void register_tokenizer(const std::string& model, const std::string& texts);
void register_forward(const std::string& model);
void register_start(const std::string& model);

/// The peaks of one thread, measured at the first call.
inline const Peaks& level_peaks(std::string_view isa) {
  static std::vector<std::pair<std::string_view, Peaks>> known;
  for (const auto& [name, peaks] : known)
    if (name == isa)
      return peaks;
  known.emplace_back(isa, peaks_of_level(isa));
  return known.back().second;
}
inline const Peaks& machine_peaks() {
  static const Peaks peaks = peaks_of_machine();
  return peaks;
}

inline double of_precision(const Peaks& peaks, distilbert::Precision precision) {
  return precision == distilbert::Precision::fp32   ? peaks.fp32
         : precision == distilbert::Precision::bf16 ? peaks.bf16
                                                    : peaks.int8;
}

/// Counters of a benchmark that does so many operations in each iteration: their rate, and in percent of the peak (left
/// out where none is known).
inline void count_operations(benchmark::State& state, double operations, double peak) {
  using benchmark::Counter;
  state.counters["op/s"] = Counter(operations, Counter::kIsIterationInvariantRate);
  if (peak > 0)
    state.counters["% of peak"] = Counter(100 * operations / peak, Counter::kIsIterationInvariantRate);
}

inline void count_bytes(benchmark::State& state, double bytes) {
  state.counters["B/s"] = benchmark::Counter(bytes, benchmark::Counter::kIsIterationInvariantRate);
}

/// Throws unless the values are as the portable level has them, within `tolerance` of the largest, or of `largest` if
/// that is more.
inline void check_against_portable(const std::string& what, const float* values, const float* portable,
                                   std::size_t count, double tolerance, double largest = 0) {
  double worst = 0;
  for (std::size_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::abs(double(portable[i])));
    const double difference = std::abs(double(values[i]) - double(portable[i]));
    worst = difference <= worst ? worst : difference; // NaN is the worst of all
  }
  if (!(worst <= tolerance * largest))
    throw std::runtime_error(what + ": off by " + std::to_string(worst) + " of " + std::to_string(largest));
}

/// Registers a benchmark whose repetitions are short: there are hundreds of them.
template <class Body> benchmark::internal::Benchmark* add(const std::string& name, const Body& body) {
  return benchmark::RegisterBenchmark(name.c_str(), body)->MinTime(0.05)->UseRealTime();
}

} // namespace bench
