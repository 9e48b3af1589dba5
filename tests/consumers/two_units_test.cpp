// Two translation units of one program use the whole library: no symbol is defined twice, and both get the same scores.
// TOLERANCE is 0 when both were compiled with the same flags, else room for the rounding of fused multiply-add.

#include <cmath>

#include <doctest/doctest.h>

#include "unit.hpp"

TEST_CASE("both units compute the same scores") {
  const char* model = DISTILBERT_SOURCE_DIR "/models/sst2";
  const std::vector<std::string_view> texts{"a joy from first to last", "two hours I will not get back", ""};
  const std::vector<float> first = first_unit::scores(model, texts);
  const std::vector<float> second = second_unit::scores(model, texts);
  REQUIRE(first.size() == 2 * texts.size());
  REQUIRE(second.size() == first.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(first[i] - second[i]) <= TOLERANCE);
  }
}
