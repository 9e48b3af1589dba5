#include <doctest/doctest.h>

#include <string>

#include <distilbert/text/offsets.hpp>

#include "support.hpp"

using distilbert::OffsetUnit;
using distilbert::detail::convert_positions;
using distilbert::detail::convert_spans;
using support::Spans;

namespace {

Spans converted(const std::string& text, OffsetUnit unit, Spans spans) {
  convert_spans(text, unit, spans);
  return spans;
}

} // namespace

TEST_CASE("positions are counted in the unit asked for") {
  const std::string text = "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80z"; // one code point of each length, and z
  const Spans bytes = {{0, 1}, {1, 3}, {3, 6}, {6, 10}, {10, 11}};
  CHECK(converted(text, OffsetUnit::bytes, bytes) == bytes);
  CHECK(converted(text, OffsetUnit::code_points, bytes) == Spans{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}});
  CHECK(converted(text, OffsetUnit::utf16, bytes) == Spans{{0, 1}, {1, 2}, {2, 3}, {3, 5}, {5, 6}});
}

TEST_CASE("spans may repeat, overlap and step back") {
  const std::string text = "\xC3\xA9\xC3\xA9\xC3\xA9";
  CHECK(converted(text, OffsetUnit::code_points, {{0, 2}, {0, 2}, {0, 6}, {2, 4}}) ==
        Spans{{0, 1}, {0, 1}, {0, 3}, {1, 2}});
}

TEST_CASE("an ill-formed part counts as the one replacement character that it is read as") {
  CHECK(converted("\xF0\x9F\x98"
                  "a",
                  OffsetUnit::code_points, {{3, 4}}) == Spans{{1, 2}});
  CHECK(converted("\xC0\xAF"
                  "a",
                  OffsetUnit::utf16, {{2, 3}}) == Spans{{2, 3}});
}

TEST_CASE("single positions are converted in any order") {
  const std::string text = "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80z";
  for (const auto& [unit, expected] : {std::pair(OffsetUnit::bytes, std::vector<std::uint32_t>{11, 0, 10, 3, 3}),
                                       {OffsetUnit::code_points, {5, 0, 4, 2, 2}},
                                       {OffsetUnit::utf16, {6, 0, 5, 2, 2}}}) {
    std::vector<std::uint32_t> positions = {11, 0, 10, 3, 3};
    std::vector<std::uint32_t*> places;
    for (std::uint32_t& position : positions)
      places.push_back(&position);
    convert_positions(text, unit, std::move(places));
    CHECK(positions == expected);
  }
}
