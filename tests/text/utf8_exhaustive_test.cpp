// Every string of one to three bytes, and every string of four that begins like a code point of four, against a
// definition of UTF-8 by arithmetic alone.

#include <doctest/doctest.h>

#include <cstddef>
#include <string_view>

#include <distilbert/text/utf8.hpp>

namespace {

/// Length of the code point that text starts with; 0 if it starts with none.
std::size_t code_point_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0x80             ? 1
                             : (byte(0) & 0xE0) == 0xC0 ? 2
                             : (byte(0) & 0xF0) == 0xE0 ? 3
                             : (byte(0) & 0xF8) == 0xF0 ? 4
                                                        : 0;
  if (length == 0 || length > text.size())
    return 0;
  unsigned long value = length == 1 ? byte(0) : byte(0) & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80)
      return 0;
    value = value << 6 | (byte(i) & 0x3F);
  }
  const unsigned long smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool scalar = value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
  return scalar && value >= smallest[length] ? length : 0;
}

bool is_valid(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = code_point_length(text);
    if (length == 0)
      return false;
    text.remove_prefix(length);
  }
  return true;
}

void check_all(std::size_t size, unsigned first_low, unsigned first_high) {
  char bytes[8] = {}; // wider than any text here: g++ 12 takes the reader's eight-byte steps for possible
  std::size_t wrong = 0;
  for (unsigned long rest = 0; rest < 1ul << (8 * (size - 1)); ++rest) {
    for (std::size_t i = 1; i < size; ++i)
      bytes[i] = static_cast<char>(rest >> (8 * (i - 1)));
    for (unsigned first = first_low; first <= first_high; ++first) {
      bytes[0] = static_cast<char>(first);
      const std::string_view text(bytes, size);
      wrong += is_valid(text) != (distilbert::find_invalid_utf8(text) == std::string_view::npos);
    }
  }
  CHECK(wrong == 0);
}

} // namespace

TEST_CASE("the validator agrees with the definition on every short string") {
  check_all(1, 0, 0xFF);
  check_all(2, 0, 0xFF);
  check_all(3, 0, 0xFF);
  check_all(4, 0xF0, 0xF4);
}
