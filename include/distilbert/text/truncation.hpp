#pragma once
// How long texts are made to fit: truncation of one text or two, and windows.

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "../error.hpp"

namespace distilbert {

/// Which of two texts gives way when both are too long together. longest_first shortens the longer one until both are
/// equal, then both; the others shorten one text only, and fail if that is not enough.
enum class TruncationStrategy { longest_first, only_first, only_second };

enum class Side { left, right };

namespace detail {

inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

/// Half-open range of tokens.
struct TokenRange {
  std::size_t begin, end;
  std::size_t size() const { return end - begin; }
};

[[noreturn]] inline void throw_invalid_truncation(const std::string& detail) {
  throw Error(ErrorCode::invalid_truncation, detail);
}

/// How many tokens of a pair of texts remain so that they are `room` at most together.
inline std::pair<std::size_t, std::size_t> truncated_sizes(std::size_t first, std::size_t second, std::size_t room,
                                                           TruncationStrategy strategy) {
  if (first <= room && second <= room - first)
    return {first, second};
  if (room == 0)
    return {0, 0};
  if (strategy != TruncationStrategy::longest_first) {
    const bool cut_first = strategy == TruncationStrategy::only_first;
    const std::size_t other = cut_first ? second : first;
    if (other >= room) {
      throw_invalid_truncation(std::string(cut_first ? "the second" : "the first") + " text alone has " +
                               std::to_string(other) + " tokens, there is room for " + std::to_string(room) +
                               ", and only the other one may be cut");
    }
    return cut_first ? std::pair{room - other, other} : std::pair{other, room - other};
  }
  const std::size_t half = room / 2;
  if (std::min(first, second) > half) {
    // The odd token goes to the longer text, to the second one if both are equal.
    return first > second ? std::pair{room - half, half} : std::pair{half, room - half};
  }
  return first > second ? std::pair{room - second, second} : std::pair{first, room - first};
}

/// Ranges of at most `size` of `count` tokens that share `stride` tokens with their neighbours and together hold every
/// token; from left to right, or from the end backwards.
inline std::vector<TokenRange> windows_of(std::size_t count, std::size_t size, std::size_t stride, Side truncated) {
  if (count <= size)
    return {{0, count}};
  if (stride >= size) {
    throw_invalid_truncation("a stride of " + std::to_string(stride) + " needs windows of more tokens than that, " +
                             "there is room for " + std::to_string(size));
  }
  std::vector<TokenRange> windows;
  if (truncated == Side::right) {
    std::size_t begin = 0;
    for (; count - begin > size; begin += size - stride)
      windows.push_back({begin, begin + size});
    windows.push_back({begin, count});
  } else {
    std::size_t end = count;
    for (; end > size; end -= size - stride)
      windows.push_back({end - size, end});
    windows.push_back({0, end});
  }
  return windows;
}

/// Range of `size` of `count` tokens that truncation leaves.
inline TokenRange truncated_range(std::size_t count, std::size_t size, Side truncated) {
  return truncated == Side::right ? TokenRange{0, size} : TokenRange{count - size, count};
}

/// Tokens of text that fit into max_length (0: no limit) beside the special tokens.
inline std::size_t room_for_text(std::size_t max_length, std::size_t special_tokens) {
  if (max_length == 0)
    return no_limit;
  if (max_length < special_tokens) {
    throw_invalid_truncation("max_length is " + std::to_string(max_length) + ", the special tokens alone are " +
                             std::to_string(special_tokens));
  }
  return max_length - special_tokens;
}

/// Bounds what windows that overlap, or that of two texts each meet all of the other, can make us allocate.
inline void check_window_count(std::size_t first, std::size_t second, std::size_t tokens) {
  constexpr std::size_t most = std::size_t{1} << 26;
  if (first > most / second || first * second > most / std::max<std::size_t>(tokens, 1)) {
    throw_invalid_truncation(std::to_string(first) + " x " + std::to_string(second) + " windows of " +
                             std::to_string(tokens) + " tokens, more than " + std::to_string(most) +
                             " tokens together");
  }
}

} // namespace detail
} // namespace distilbert
