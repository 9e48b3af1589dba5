// Random models of many small shapes against Hugging Face transformers: logits of classifiers, hidden states of
// encoders.

#include <doctest/doctest.h>

#include "golden.hpp"

using namespace distilbert::test;

TEST_CASE("small random models answer as transformers does") {
  const GoldenFile file("random_models.json");
  std::size_t count = 0;
  for (const Json json : list_of(file["cases"])) {
    const GoldenCase golden(json);
    if (golden.shape.dim > 64)
      continue; // golden_large_test.cpp
    CAPTURE(golden.name);
    const RandomModel model(golden.shape);
    REQUIRE(checksum(model.tensors) == golden.checksum);
    CHECK(relative_difference(library_answers(golden, model), joined(golden.answers)) <= golden_tolerance);
    ++count;
  }
  CHECK(count == 10);
}
