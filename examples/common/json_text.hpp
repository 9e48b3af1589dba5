#pragma once
// JSON, written: strings and numbers appended to a buffer. The rest of a document is punctuation.

#include <distilbert/text/utf8.hpp>

#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

namespace cli {

/// Appends the number as the shortest text that reads back as the same value. x must be finite: JSON knows no other.
template <class Number> void append_number(std::string& out, Number x) {
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, x).ptr);
}

/// Appends the text as a JSON string, quotes included. Only what must be escaped is escaped (RFC 8259, section 7); the
/// result is valid UTF-8 whatever the text holds: each ill-formed part becomes U+FFFD.
inline void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t position = 0; position < text.size();) {
    const auto decoded = distilbert::decode_utf8(text, position);
    position += decoded.length;
    switch (const char32_t c = decoded.code_point) {
    case '"': out += "\\\""; break;
    case '\\': out += "\\\\"; break;
    case '\b': out += "\\b"; break;
    case '\f': out += "\\f"; break;
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default:
      if (c < 0x20) {
        out += "\\u00";
        out += "0123456789abcdef"[c >> 4];
        out += "0123456789abcdef"[c & 15];
      } else {
        distilbert::append_utf8(c, out);
      }
    }
  }
  out += '"';
}

/// Appends [a,b,c], each number in its shortest form.
template <class Numbers> void append_json_array(std::string& out, const Numbers& numbers) {
  char separator = '[';
  for (const auto x : numbers) {
    out += separator;
    append_number(out, x);
    separator = ',';
  }
  out += separator == '[' ? "[]" : "]";
}

} // namespace cli
