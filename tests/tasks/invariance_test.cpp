#include "invariance.hpp"

#include <doctest/doctest.h>

using namespace distilbert;
using namespace distilbert::test;

TEST_CASE("1,200 random batches of a small model, in every precision, on each level") {
  const RandomModel model({.vocab = 300, .positions = 60, .dim = 40, .hidden_dim = 100, .n_heads = 5, .labels = 3});
  std::vector<std::string> words;
  for (std::size_t id = 5; id < 310; ++id)
    words.push_back("w" + std::to_string(id)); // the last ten are unknown
  for (const std::string_view isa : available_isas())
    for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
      CAPTURE(std::string(isa));
      CAPTURE(static_cast<int>(precision));
      set_isa(isa);
      Stream stream(static_cast<std::uint64_t>(precision), "invariance");
      const auto texts = random_texts(stream, 80, 70, words); // some are truncated
      CHECK(differences(with_threads(model.path(), precision), texts, 400, 30, stream) == 0);
    }
}
