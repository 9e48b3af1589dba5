#pragma once
// UTF-8 in, code points out: strict decoding, with each maximal ill-formed part told apart as the Unicode standard
// (section 3.9, "U+FFFD substitution of maximal subparts") and Python's errors="replace" do.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace distilbert {

/// What ill-formed UTF-8 reads as.
inline constexpr char32_t replacement_character = 0xFFFD;

/// One step of decoding. If the bytes are ill-formed, code_point is U+FFFD and length covers the maximal subpart, so
/// that decoding may go on behind it.
struct DecodedCodePoint {
  char32_t code_point;
  std::uint32_t length; // bytes, at least 1
  bool valid;
};

namespace detail {

/// decode_utf8 for a lead byte above 0x7F.
inline DecodedCodePoint decode_multibyte(std::string_view text, std::size_t position) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[position + i]); };
  const unsigned lead = byte(0);
  // Trail bytes that are still to come, and the range of the first of them: it is what shuts out overlong forms,
  // surrogates and code points above U+10FFFF.
  std::uint32_t trail = 0;
  unsigned low = 0x80, high = 0xBF;
  char32_t code_point = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    trail = 1;
    code_point = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    trail = 2;
    code_point = lead & 0x0F;
    low = lead == 0xE0 ? 0xA0 : 0x80;
    high = lead == 0xED ? 0x9F : 0xBF;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    trail = 3;
    code_point = lead & 0x07;
    low = lead == 0xF0 ? 0x90 : 0x80;
    high = lead == 0xF4 ? 0x8F : 0xBF;
  } else {
    return {replacement_character, 1, false};
  }
  const std::size_t available = text.size() - position;
  for (std::uint32_t i = 1; i <= trail; ++i) {
    if (i >= available || byte(i) < low || byte(i) > high)
      return {replacement_character, i, false};
    code_point = code_point << 6 | (byte(i) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {code_point, trail + 1, true};
}

} // namespace detail

/// Decodes what text holds at position; position must be smaller than text.size(). Advancing by the length of each
/// result reads all of any text: ill-formed parts come out as U+FFFD.
inline DecodedCodePoint decode_utf8(std::string_view text, std::size_t position) {
  const auto lead = static_cast<unsigned char>(text[position]);
  return lead < 0x80 ? DecodedCodePoint{lead, 1, true} : detail::decode_multibyte(text, position);
}

/// Start of the first ill-formed part, or std::string_view::npos if text is valid UTF-8.
inline std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t position = 0; position < text.size();) {
    std::uint64_t block = 0x80;
    if (text.size() - position >= sizeof block)
      std::memcpy(&block, text.data() + position, sizeof block);
    if ((block & 0x8080808080808080) == 0) { // eight bytes of ASCII
      position += sizeof block;
      continue;
    }
    const DecodedCodePoint decoded = decode_utf8(text, position);
    if (!decoded.valid)
      return position;
    position += decoded.length;
  }
  return std::string_view::npos;
}

/// Appends a scalar value (no surrogate, at most U+10FFFF) to text.
inline void append_utf8(char32_t code_point, std::string& text) {
  const auto trail = [&](unsigned shift) { return static_cast<char>(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    text += static_cast<char>(0xC0 | code_point >> 6);
    text += trail(0);
  } else if (code_point < 0x10000) {
    text += static_cast<char>(0xE0 | code_point >> 12);
    text += trail(6);
    text += trail(0);
  } else {
    text += static_cast<char>(0xF0 | code_point >> 18);
    text += trail(12);
    text += trail(6);
    text += trail(0);
  }
}

/// Decodes backwards what ends right before `end` (0 < end <= text.size()).
inline DecodedCodePoint decode_utf8_before(std::string_view text, std::size_t end) {
  for (std::uint32_t length = 1; length <= 4 && length <= end; ++length) {
    const DecodedCodePoint decoded = decode_utf8(text.substr(0, end), end - length);
    if (decoded.valid && decoded.length == length)
      return decoded;
  }
  return {replacement_character, 1, false};
}

} // namespace distilbert
