#include <classify/ranking.hpp>

#include <doctest/doctest.h>

TEST_CASE("the best labels come first, and the lower id among equals") {
  const std::vector<float> scores{0.1f, 0.4f, 0.1f, 0.4f};
  CHECK(best_labels(scores, 4) == std::vector<std::size_t>{1, 3, 0, 2});
  CHECK(best_labels(scores, 1) == std::vector<std::size_t>{1});
  CHECK(best_labels(scores, 0).empty());
  CHECK(best_labels(scores, 99).size() == 4);
}
