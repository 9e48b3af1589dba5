#pragma once
// What this machine can do at most, measured: the rate of its multiply-add instructions with all operands in registers,
// and the rate at which it reads memory. The yardstick of every share in the benchmarks.

#include <distilbert/aligned_buffer.hpp>
#include <distilbert/kernels/dispatch.hpp>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

namespace bench {

/// Operations a second (a multiply-add is two) of one thread; 0 if there is no such instruction for it here.
struct Peaks {
  double fp32 = 0, bf16 = 0, int8 = 0;
};

namespace detail {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Seconds that `work(thread)` takes on so many threads at once: the best of as many rounds as fit into `budget`.
template <class Work> double best_seconds(std::size_t threads, double budget, const Work& work) {
  double best = 1e30;
  bool more = true;
  Clock::time_point round;
  const Clock::time_point start = Clock::now();
  std::barrier begin(static_cast<std::ptrdiff_t>(threads)), end(static_cast<std::ptrdiff_t>(threads));
  const auto run = [&](std::size_t thread) {
    for (;;) {
      if (thread == 0) {
        more = seconds_since(start) < budget;
        round = Clock::now();
      }
      begin.arrive_and_wait();
      if (!more)
        return;
      work(thread);
      end.arrive_and_wait();
      if (thread == 0)
        best = std::min(best, seconds_since(round));
    }
  };
  std::vector<std::thread> others;
  for (std::size_t thread = 1; thread < threads; ++thread)
    others.emplace_back(run, thread);
  run(0);
  for (std::thread& other : others)
    other.join();
  return best;
}

inline constexpr std::size_t turns = 20000; // of a loop of multiply-adds: some 0.1 ms, which drowns the barrier

// Loops of `turns` turns with one multiply-add into each of 24 (or 12) registers: enough to hide any latency. They
// start from zeros, because subnormal numbers are slow on some CPUs.
#if defined(__x86_64__)
#define DISTILBERT_BENCH_VECTORS                                                                                       \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",  \
      "xmm14", "xmm15"
#define DISTILBERT_BENCH_UPPER_VECTORS                                                                                 \
  "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", \
      "xmm29", "xmm30", "xmm31"
#define DISTILBERT_BENCH_UP_TO_11 "0,1,2,3,4,5,6,7,8,9,10,11"
#define DISTILBERT_BENCH_UP_TO_23 DISTILBERT_BENCH_UP_TO_11 ",12,13,14,15,16,17,18,19,20,21,22,23"

#define DISTILBERT_BENCH_LOOP_512(name, body)                                                                          \
  __attribute__((target("avx512f"))) inline void name() {                                                              \
    std::size_t n = turns;                                                                                             \
    asm volatile(".irp i," DISTILBERT_BENCH_UP_TO_23 ",24,25,26,27,28,29,30,31\n"                                      \
                 "vpxorq %%zmm\\i,%%zmm\\i,%%zmm\\i\n.endr\n"                                                          \
                 "1:\n.irp i," DISTILBERT_BENCH_UP_TO_23 "\n" body "\n.endr\n"                                         \
                 "dec %0\njnz 1b\nvzeroupper"                                                                          \
                 : "+r"(n)                                                                                             \
                 :                                                                                                     \
                 : "cc", DISTILBERT_BENCH_VECTORS, DISTILBERT_BENCH_UPPER_VECTORS);                                    \
  }
#define DISTILBERT_BENCH_LOOP_256(name, body)                                                                          \
  inline void name() {                                                                                                 \
    std::size_t n = turns;                                                                                             \
    asm volatile(".irp i," DISTILBERT_BENCH_UP_TO_11 ",12,13,14,15\nvpxor %%ymm\\i,%%ymm\\i,%%ymm\\i\n.endr\n"         \
                 "1:\n.irp i," DISTILBERT_BENCH_UP_TO_11 "\n" body "\n.endr\n"                                         \
                 "dec %0\njnz 1b\nvzeroupper"                                                                          \
                 : "+r"(n)                                                                                             \
                 :                                                                                                     \
                 : "cc", DISTILBERT_BENCH_VECTORS);                                                                    \
  }
DISTILBERT_BENCH_LOOP_512(fma_512, "vfmadd231ps %%zmm31,%%zmm30,%%zmm\\i")
DISTILBERT_BENCH_LOOP_512(bf16_512, "vdpbf16ps %%zmm31,%%zmm30,%%zmm\\i")
DISTILBERT_BENCH_LOOP_512(vnni_512, "vpdpbusd %%zmm31,%%zmm30,%%zmm\\i")
DISTILBERT_BENCH_LOOP_512(pairs_512, "vpmaddwd %%zmm31,%%zmm30,%%zmm29\nvpaddd %%zmm29,%%zmm\\i,%%zmm\\i")
DISTILBERT_BENCH_LOOP_256(fma_256, "vfmadd231ps %%ymm15,%%ymm14,%%ymm\\i")
DISTILBERT_BENCH_LOOP_256(pairs_256, "vpmaddwd %%ymm15,%%ymm14,%%ymm13\nvpaddd %%ymm13,%%ymm\\i,%%ymm\\i")

#elif defined(__aarch64__)
#define DISTILBERT_BENCH_LOOP_128(name, body)                                                                          \
  inline void name() {                                                                                                 \
    std::size_t n = turns;                                                                                             \
    asm volatile(".arch armv8.2-a+dotprod\n"                                                                           \
                 ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,30,31\n"                        \
                 "movi v\\i\\().16b,#0\n.endr\n"                                                                       \
                 "1:\n.irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23\n" body "\n.endr\n"         \
                 "subs %0,%0,#1\nb.ne 1b"                                                                              \
                 : "+r"(n)                                                                                             \
                 :                                                                                                     \
                 : "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",       \
                   "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v30", "v31");                \
  }
DISTILBERT_BENCH_LOOP_128(fma_128, "fmla v\\i\\().4s,v31.4s,v30.4s")
DISTILBERT_BENCH_LOOP_128(dot_128, "sdot v\\i\\().4s,v31.16b,v30.16b")
DISTILBERT_BENCH_LOOP_128(pairs_128, "smlal v\\i\\().4s,v31.4h,v30.4h")
#endif

/// Operations a second of one of `threads` threads that all run the loop; `operations` in each of its turns.
inline double rate(void (*loop)(), double operations, std::size_t threads) {
  return operations * static_cast<double>(turns) / best_seconds(threads, 0.2, [&](std::size_t) { loop(); });
}

/// Reads the memory once.
inline std::uint64_t read_all(const unsigned char* data, std::size_t bytes) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    const unsigned char* const end = data + bytes / 256 * 256;
    asm volatile("1:\n.irp i,0,1,2,3,4,5,6,7\nvmovdqa 32*\\i(%0),%%ymm\\i\n.endr\n"
                 "add $256,%0\ncmp %1,%0\njb 1b\nvzeroupper"
                 : "+r"(data)
                 : "r"(end)
                 : "cc", "memory", DISTILBERT_BENCH_VECTORS);
    return 0;
  }
#endif
  std::uint64_t sums[8] = {};
  for (std::size_t at = 0; at + 64 <= bytes; at += 64) {
    std::uint64_t words[8];
    std::memcpy(words, data + at, 64);
    for (std::size_t i = 0; i < 8; ++i)
      sums[i] += words[i];
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums)
    sum += part;
  return sum;
}

} // namespace detail

/// What one of `threads` busy threads reaches with the instructions that the level's kernels may use.
inline Peaks peaks_of_level(std::string_view isa, std::size_t threads = 1) {
  using namespace detail;
#if defined(__x86_64__)
  if (isa.starts_with("avx512")) {
    const bool vnni = isa != "avx512";
    const double fma = rate(fma_512, 24 * 32, threads);
    return {fma, isa == "avx512_bf16" ? rate(bf16_512, 24 * 64, threads) : fma,
            vnni ? rate(vnni_512, 24 * 128, threads) : rate(pairs_512, 24 * 64, threads)};
  }
  if (isa == "avx2") {
    const double fma = rate(fma_256, 12 * 16, threads);
    return {fma, fma, rate(pairs_256, 12 * 32, threads)};
  }
#elif defined(__aarch64__)
  if (isa.starts_with("neon")) {
    const double fma = rate(fma_128, 24 * 8, threads);
    return {fma, fma, isa == "neon_dotprod" ? rate(dot_128, 24 * 32, threads) : rate(pairs_128, 24 * 8, threads)};
  }
#endif
  static_cast<void>(isa);
  static_cast<void>(threads);
  return {};
}

/// The best of all levels that this CPU offers, for each precision.
inline Peaks peaks_of_machine(std::size_t threads = 1) {
  Peaks best;
  for (const std::string_view isa : distilbert::available_isas()) {
    const Peaks level = peaks_of_level(isa, threads);
    best = {std::max(best.fp32, level.fp32), std::max(best.bf16, level.bf16), std::max(best.int8, level.int8)};
  }
  return best;
}

/// Bytes a second at which so many threads together read so many bytes again and again: from memory if they are more
/// than the caches hold.
inline double read_bandwidth(std::size_t bytes, std::size_t threads = 1) {
  distilbert::AlignedBuffer buffer(bytes);
  std::memset(buffer.data(), 1, bytes);
  const std::size_t part = bytes / threads / 256 * 256;
  std::uint64_t sink = 0;
  const double seconds = detail::best_seconds(threads, 0.4, [&](std::size_t thread) {
    const std::uint64_t sum = detail::read_all(buffer.data() + thread * part, part);
    if (thread == 0)
      sink = sum;
  });
  static_cast<volatile std::uint64_t&>(sink) = sink; // or the loop would be for nothing
  return static_cast<double>(part * threads) / seconds;
}

} // namespace bench
