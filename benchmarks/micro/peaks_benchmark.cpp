// The machine itself: rates of multiply-add instructions, and of reading memory.

#include "micro.hpp"

#include <cstddef>
#include <string>

namespace bench {

namespace {

/// One measurement that takes its own time, shown as a counter
void show(benchmark::State& state, const char* unit, double rate) {
  for (auto _ : state)
    benchmark::DoNotOptimize(rate);
  state.counters[unit] = rate;
}

} // namespace

void register_peaks() {
  for (const std::string_view isa : distilbert::available_isas())
    for (const auto precision : {distilbert::Precision::fp32, distilbert::Precision::bf16, distilbert::Precision::int8})
      benchmark::RegisterBenchmark(
          ("peak/" + std::string(isa) + "/" + std::string(distilbert::precision_name(precision))).c_str(),
          [=](benchmark::State& state) { show(state, "op/s", of_precision(level_peaks(isa), precision)); })
          ->Iterations(1);
  for (const std::size_t mib : {1u, 10u, 256u})
    benchmark::RegisterBenchmark(("peak/read/" + std::to_string(mib) + "MiB").c_str(), [=](benchmark::State& state) {
      show(state, "B/s", read_bandwidth(mib << 20));
    })->Iterations(1);
}

} // namespace bench
