// The tokenizer on the lines of a file, one by one, on one thread.

#include "micro.hpp"

#include <distilbert/text/tokenizer.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace bench {

void register_tokenizer(const std::string& model, const std::string& texts) {
  std::ifstream in(texts);
  const auto lines = std::make_shared<std::vector<std::string>>();
  for (std::string line; std::getline(in, line);)
    lines->push_back(line);
  if (lines->empty())
    throw std::runtime_error("no text in " + texts);

  add("tokenizer/ids", [=](benchmark::State& state) {
    const auto tokenizer = distilbert::Tokenizer::from_pretrained(model);
    std::vector<std::int32_t> ids;
    double bytes = 0;
    for (const std::string& line : *lines) { // the lean path against the full one
      const std::size_t before = ids.size();
      tokenizer.append_ids(line, 0, ids);
      bytes += double(line.size());
      const auto expected = tokenizer.encode(line).ids;
      if (!std::equal(ids.begin() + std::ptrdiff_t(before), ids.end(), expected.begin(), expected.end()))
        throw std::runtime_error("tokenizer: append_ids and encode disagree on: " + line);
    }
    const double tokens = double(ids.size());
    for (auto _ : state) {
      ids.clear();
      for (const std::string& line : *lines)
        tokenizer.append_ids(line, 0, ids);
    }
    count_bytes(state, bytes);
    state.counters["tokens/s"] = benchmark::Counter(tokens, benchmark::Counter::kIsIterationInvariantRate);
    state.counters["texts/s"] =
        benchmark::Counter(double(lines->size()), benchmark::Counter::kIsIterationInvariantRate);
  });
  add("tokenizer/load", [=](benchmark::State& state) {
    for (auto _ : state)
      benchmark::DoNotOptimize(distilbert::Tokenizer::from_pretrained(model).vocabulary_size());
  })->Unit(benchmark::kMillisecond);
}

} // namespace bench
