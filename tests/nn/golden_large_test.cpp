// The shapes that people run, MiniLM's and DistilBERT-base's, with random weights and texts of 1 to 512 tokens, against
// Hugging Face transformers.

#include <doctest/doctest.h>

#include "golden.hpp"

using namespace distilbert::test;

TEST_CASE("random models of MiniLM's and DistilBERT-base's shape answer as transformers does") {
  const GoldenFile file("random_models.json");
  std::vector<std::string> names;
  for (const Json json : list_of(file["cases"])) {
    const GoldenCase golden(json);
    if (golden.shape.dim <= 64)
      continue; // golden_test.cpp
    CAPTURE(golden.name);
    const RandomModel model(golden.shape);
    REQUIRE(checksum(model.tensors) == golden.checksum);
    CHECK(relative_difference(library_answers(golden, model), joined(golden.answers)) <= golden_tolerance);
    names.push_back(golden.name);
  }
  CHECK(names == std::vector<std::string>{"MiniLM", "DistilBERT base"});
}
