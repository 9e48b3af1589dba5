#pragma once
// How many columns of a terminal a text takes, and how to make it fit a given number of them.

#include "display_width_tables.hpp"

#include <distilbert/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace cli {

namespace detail {
template <std::size_t n> bool contains(const CodePointRange (&ranges)[n], char32_t c) {
  const auto after = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                      [](char32_t value, const CodePointRange& range) { return value < range.first; });
  return after != std::begin(ranges) && c <= std::prev(after)->last;
}

/// Marks that turn the direction of writing: one of them in a cell could reorder the rest of its row.
inline bool is_direction_mark(char32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

inline bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029; }
} // namespace detail

/// 0, 1 or 2: the columns of a code point as wcwidth() counts them in a UTF-8 locale. Control characters, which have no
/// width of their own, count as the space that fit_columns() puts in their place.
inline std::size_t columns_of(char32_t c) {
  if (c < 0x300)
    return 1;
  if (detail::contains(detail::zero_width_ranges, c))
    return 0;
  return detail::contains(detail::double_width_ranges, c) ? 2 : 1;
}

/// A text made fit for one cell of a table.
struct Cell {
  std::string text; // valid UTF-8, one line, no control characters
  std::size_t columns = 0;
};

/// The text in at most `limit` columns; what is too long ends in `ellipsis`, which takes `ellipsis_columns`. Control
/// characters (a text must not be able to steer the terminal) become spaces, ill-formed UTF-8 becomes U+FFFD, marks
/// that turn the direction of writing are left out, and so are combining marks that pile up beyond eight. Reading stops
/// where the text is cut.
inline Cell fit_columns(std::string_view text, std::size_t limit, std::string_view ellipsis,
                        std::size_t ellipsis_columns) {
  constexpr std::size_t most_marks = 8;
  Cell cell;
  std::size_t kept_bytes = 0, kept_columns = 0, marks = 0; // what stays in front of an ellipsis
  for (std::size_t position = 0; position < text.size();) {
    const auto decoded = distilbert::decode_utf8(text, position);
    position += decoded.length;
    char32_t c = decoded.code_point;
    if (detail::is_direction_mark(c))
      continue;
    if (detail::is_control(c))
      c = ' ';
    const std::size_t columns = columns_of(c);
    marks = columns == 0 ? marks + 1 : 0;
    if (marks > most_marks)
      continue;
    if (cell.columns + columns > limit) {
      if (ellipsis_columns > limit)
        return {std::string(limit, '.'), limit};
      cell.text.resize(kept_bytes);
      cell.text += ellipsis;
      return {std::move(cell.text), kept_columns + ellipsis_columns};
    }
    distilbert::append_utf8(c, cell.text);
    cell.columns += columns;
    if (cell.columns + ellipsis_columns <= limit) {
      kept_bytes = cell.text.size();
      kept_columns = cell.columns;
    }
  }
  return cell;
}

} // namespace cli
