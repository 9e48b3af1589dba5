#pragma once
// How names and values from untrusted files appear in error messages: quoted, escaped and shortened.

#include <cstddef>
#include <string>
#include <string_view>

namespace distilbert::detail {

/// `text` in double quotes, on one line of ASCII: quotes and backslashes get a backslash, every byte outside printable
/// ASCII becomes \xNN, and what exceeds `limit` bytes is replaced by its length.
inline std::string quote(std::string_view text, std::size_t limit = 80) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte > 0x7e) {
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    } else {
      out += c;
    }
  }
  out += '"';
  if (text.size() > limit)
    out += "... (" + std::to_string(text.size()) + " bytes)";
  return out;
}

} // namespace distilbert::detail
