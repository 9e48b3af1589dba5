// distilbert-bench-micro [--model=DIR...] [--texts=FILE] [--benchmark_filter=REGEX ...]: the parts one by one.
// Every result is compared with the portable level's before it is timed. All on one thread, operands in the cache as
// the last iteration left them.

#include "micro.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  std::vector<std::string> models;
  std::string texts = DISTILBERT_SOURCE_DIR "/examples/classify/sentences.txt";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--model=")) {
      models.emplace_back(argument.substr(8));
    } else if (argument.starts_with("--texts=")) {
      texts = argument.substr(8);
    } else {
      std::fputs("usage: distilbert-bench-micro [--model=DIR...] [--texts=FILE] [options of Google Benchmark]\n",
                 stderr);
      return 2;
    }
  }
  if (models.empty())
    models.emplace_back(DISTILBERT_SOURCE_DIR "/models/sst2");
  try {
    bench::register_peaks();
    bench::register_kernels();
    bench::register_tokenizer(models.front(), texts);
    for (const std::string& model : models) {
      bench::register_forward(model);
      bench::register_start(model);
    }
    benchmark::RunSpecifiedBenchmarks();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "distilbert-bench-micro: %s\n", e.what());
    return 1;
  }
}
