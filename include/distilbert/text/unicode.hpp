#pragma once
// Questions to the generated Unicode tables.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "unicode_tables.hpp"
#include "utf8.hpp"

namespace distilbert::detail {

/// code_point must be at most U+10FFFF.
inline CodePointKind kind_of(char32_t code_point) {
  return code_point_kinds[kind_blocks[kind_index[code_point / 128]][code_point % 128]];
}

/// Whether any of `flags` is set.
inline bool has(CodePointKind kind, int flags) { return (kind.flags & flags) != 0; }

/// The entry of code_point in a table of mappings that has one.
template <std::size_t longest, std::size_t count>
const Mapping<longest>& find_mapping(const Mapping<longest> (&table)[count], char32_t code_point) {
  return *std::lower_bound(table, table + count, code_point,
                           [](const Mapping<longest>& mapping, char32_t c) { return mapping.from < c; });
}

/// text without the white space at its end.
inline std::string_view trim_end(std::string_view text) {
  while (!text.empty() && (text.back() <= ' ' || text.back() > '~')) { // printable ASCII is none
    const DecodedCodePoint last = decode_utf8_before(text, text.size());
    if (!last.valid || !has(kind_of(last.code_point), flag::white_space))
      break;
    text.remove_suffix(last.length);
  }
  return text;
}

/// text in lower case, code point by code point.
inline std::string lower_case(std::string_view text) {
  std::string lower;
  for (std::size_t position = 0; position < text.size();) {
    const DecodedCodePoint decoded = decode_utf8(text, position);
    position += decoded.length;
    if (!has(kind_of(decoded.code_point), flag::has_lowercase)) {
      append_utf8(decoded.code_point, lower);
      continue;
    }
    const auto& lowercase = find_mapping(lowercase_mappings, decoded.code_point);
    for (std::uint32_t i = 0; i < lowercase.length; ++i)
      append_utf8(lowercase.to[i], lower);
  }
  return lower;
}

} // namespace distilbert::detail
