#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <distilbert/text/truncation.hpp>

#include "support.hpp"

using namespace distilbert;
using namespace distilbert::detail;
using support::thrown_by;

namespace {

using Sizes = std::pair<std::size_t, std::size_t>;
using Windows = std::vector<std::pair<std::size_t, std::size_t>>;

Windows windows(std::size_t count, std::size_t size, std::size_t stride, Side side) {
  Windows result;
  for (const TokenRange range : windows_of(count, size, stride, side))
    result.emplace_back(range.begin, range.end);
  return result;
}

} // namespace

TEST_CASE("longest_first is what taking tokens off the longer text one by one comes to") {
  for (std::size_t first = 0; first < 12; ++first)
    for (std::size_t second = 0; second < 12; ++second)
      for (std::size_t room = 0; room < 24; ++room) {
        Sizes one_by_one{first, second};
        while (one_by_one.first + one_by_one.second > room) {
          // of equal ones, so that the odd token stays with the text that was longer, with the second if none was
          const bool cut_first =
              one_by_one.first == one_by_one.second ? first <= second : one_by_one.first > one_by_one.second;
          --(cut_first ? one_by_one.first : one_by_one.second);
        }
        CAPTURE(first);
        CAPTURE(second);
        CAPTURE(room);
        CHECK(truncated_sizes(first, second, room, TruncationStrategy::longest_first) == one_by_one);
      }
}

TEST_CASE("the other strategies cut one text, or fail") {
  CHECK(truncated_sizes(10, 5, 8, TruncationStrategy::only_first) == Sizes{3, 5});
  CHECK(truncated_sizes(3, 10, 8, TruncationStrategy::only_second) == Sizes{3, 5});
  CHECK(truncated_sizes(3, 5, 8, TruncationStrategy::only_second) == Sizes{3, 5});
  const auto thrown = thrown_by([] { truncated_sizes(3, 8, 8, TruncationStrategy::only_first); });
  CHECK(thrown.code == ErrorCode::invalid_truncation);
  CHECK(thrown.mentions("the second text alone has 8 tokens"));
  CHECK(thrown_by([] { truncated_sizes(9, 0, 8, TruncationStrategy::only_second); }).code ==
        ErrorCode::invalid_truncation);
}

TEST_CASE("no limit means none") {
  CHECK(truncated_sizes(no_limit / 2, no_limit / 2, no_limit, TruncationStrategy::longest_first) ==
        Sizes{no_limit / 2, no_limit / 2});
  CHECK(room_for_text(0, 3) == no_limit);
}

TEST_CASE("max_length must hold the special tokens") {
  CHECK(room_for_text(2, 2) == 0);
  CHECK(room_for_text(1, 0) == 1);
  const auto thrown = thrown_by([] { room_for_text(1, 2); });
  CHECK(thrown.code == ErrorCode::invalid_truncation);
  CHECK(thrown.mentions("max_length is 1"));
}

TEST_CASE("windows share stride tokens and end where the text ends") {
  CHECK(windows(10, 4, 0, Side::right) == Windows{{0, 4}, {4, 8}, {8, 10}});
  CHECK(windows(10, 4, 2, Side::right) == Windows{{0, 4}, {2, 6}, {4, 8}, {6, 10}});
  CHECK(windows(9, 4, 1, Side::left) == Windows{{5, 9}, {2, 6}, {0, 3}});
  CHECK(windows(10, 4, 2, Side::left) == Windows{{6, 10}, {4, 8}, {2, 6}, {0, 4}});
  CHECK(windows(4, 4, 3, Side::right) == Windows{{0, 4}});
  CHECK(windows(0, 0, 0, Side::right) == Windows{{0, 0}});
}

TEST_CASE("a stride as long as a window is an error, and so is no room at all") {
  CHECK(thrown_by([] { windows_of(10, 4, 4, Side::right); }).code == ErrorCode::invalid_truncation);
  CHECK(thrown_by([] { windows_of(10, 0, 0, Side::left); }).code == ErrorCode::invalid_truncation);
}

TEST_CASE("windows are counted before they are made") {
  CHECK(thrown_by([] { check_window_count(1 << 14, 1 << 14, 10); }).code == ErrorCode::invalid_truncation);
  CHECK(thrown_by([] { check_window_count(no_limit, no_limit, no_limit); }).code == ErrorCode::invalid_truncation);
  CHECK_FALSE(thrown_by([] { check_window_count(1000, 1, 512); }).code);
  CHECK_FALSE(thrown_by([] { check_window_count(1, 1, 0); }).code);
}
