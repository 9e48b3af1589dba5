#pragma once
// Where in the text a token comes from, and in which unit that is counted.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "utf8.hpp"

namespace distilbert {

/// Half-open range of positions in a text.
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  friend bool operator==(const Span& a, const Span& b) { return a.begin == b.begin && a.end == b.end; }
  friend bool operator!=(const Span& a, const Span& b) { return !(a == b); }
};

/// What positions count: bytes of the UTF-8 text, code points (Python's str), or UTF-16 units (JavaScript, Java, C#).
/// An ill-formed part of the text counts as the one U+FFFD that a lenient decoder makes of it.
enum class OffsetUnit { bytes, code_points, utf16 };

namespace detail {

/// Turns byte positions into another unit; ascending positions cost one pass over the text in all.
class PositionConverter {
public:
  PositionConverter(std::string_view text, OffsetUnit unit) : text_(text), unit_(unit) {}

  std::uint32_t operator()(std::uint32_t byte_position) {
    if (byte_position < byte_)
      byte_ = position_ = 0;
    while (byte_ < byte_position) {
      const DecodedCodePoint decoded = decode_utf8(text_, byte_);
      byte_ += decoded.length;
      position_ += unit_ == OffsetUnit::utf16 && decoded.code_point > 0xFFFF ? 2 : 1;
    }
    return position_;
  }

private:
  std::string_view text_;
  OffsetUnit unit_;
  std::uint32_t byte_ = 0, position_ = 0;
};

/// Turns spans of byte positions, in the order of the text, into spans of `unit`.
inline void convert_spans(std::string_view text, OffsetUnit unit, std::vector<Span>& spans) {
  if (unit == OffsetUnit::bytes)
    return;
  PositionConverter begin(text, unit), end(text, unit);
  for (Span& span : spans)
    span = {begin(span.begin), end(span.end)};
}

/// Turns byte positions, in any order, into positions of `unit`.
inline void convert_positions(std::string_view text, OffsetUnit unit, std::vector<std::uint32_t*> positions) {
  if (unit == OffsetUnit::bytes)
    return;
  std::sort(positions.begin(), positions.end(), [](const auto* a, const auto* b) { return *a < *b; });
  PositionConverter convert(text, unit);
  for (std::uint32_t* position : positions)
    *position = convert(*position);
}

} // namespace detail
} // namespace distilbert
