#include <common/bar.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <utility>

namespace {
std::pair<std::string, std::size_t> bar(double fraction, std::size_t columns, bool utf8) {
  std::string out;
  const std::size_t taken = cli::append_bar(out, fraction, columns, utf8);
  return {out, taken};
}
} // namespace

TEST_CASE("a bar fills its fraction, to an eighth of a column") {
  CHECK(bar(0, 4, true) == std::pair<std::string, std::size_t>("", 0));
  CHECK(bar(1, 2, true) == std::pair<std::string, std::size_t>("\u2588\u2588", 2));
  CHECK(bar(0.5, 4, true) == std::pair<std::string, std::size_t>("\u2588\u2588", 2));
  CHECK(bar(0.75, 2, true) == std::pair<std::string, std::size_t>("\u2588\u258C", 2));
  CHECK(bar(1 / 8.0, 1, true).first == "\u258F");
  CHECK(bar(7 / 8.0, 1, true).first == "\u2589");
}

TEST_CASE("without UTF-8 a bar is whole columns of ASCII") {
  CHECK(bar(0.5, 4, false) == std::pair<std::string, std::size_t>("##", 2));
  CHECK(bar(0.6, 4, false).first == "##");
  CHECK(bar(0.65, 4, false).first == "###");
}

TEST_CASE("a fraction above zero shows, and none leaves the bar") {
  CHECK(bar(1e-9, 10, true).first == "\u258F");
  CHECK(bar(1e-9, 10, false).first == "#");
  CHECK(bar(-3, 10, true).first.empty());
  CHECK(bar(17, 3, false).first == "###");
}
