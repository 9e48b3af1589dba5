// distilbert-bench-peaks THREADS [BYTES...]: what this machine can do, as JSON: operations a second of so many threads
// together for each precision, and bytes a second at which they read so many bytes again and again.

#include "../common/peaks.hpp"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  const std::size_t threads = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 0;
  if (threads == 0) {
    std::fputs("usage: distilbert-bench-peaks THREADS [BYTES...]\n", stderr);
    return 2;
  }
  const bench::Peaks peaks = bench::peaks_of_machine(threads);
  const double n = double(threads);
  std::printf(R"({"fp32": %.4g, "bf16": %.4g, "int8": %.4g, "bandwidth": {)", peaks.fp32 * n, peaks.bf16 * n,
              peaks.int8 * n);
  for (int i = 2; i < argc; ++i)
    std::printf(R"(%s"%s": %.4g)", i > 2 ? ", " : "", argv[i],
                bench::read_bandwidth(std::strtoul(argv[i], nullptr, 10), threads));
  std::puts("}}");
}
