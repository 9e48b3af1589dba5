#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <distilbert/text/utf8.hpp>

using namespace distilbert;
using namespace distilbert::detail;

TEST_CASE("every scalar value survives encoding and decoding") {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF)
      continue;
    std::string text = "x";
    append_utf8(c, text);
    const DecodedCodePoint decoded = decode_utf8(text, 1);
    const DecodedCodePoint before = decode_utf8_before(text, text.size());
    const bool same = decoded.valid && decoded.code_point == c && decoded.length == text.size() - 1 && before.valid &&
                      before.code_point == c && before.length == decoded.length;
    REQUIRE_MESSAGE(same, "U+" << static_cast<unsigned long>(c));
  }
}

TEST_CASE("ill-formed parts end where the Unicode standard ends them") {
  // Lengths of the parts that U+FFFD stands for, in order; valid code points count too.
  const std::pair<std::string, std::vector<std::uint32_t>> cases[] = {
      {"\xFF", {1}},
      {"\x80", {1}},
      {"\xC0\xAF", {1, 1}},        // overlong
      {"\xE0\x80\xAF", {1, 1, 1}}, // overlong
      {"\xF0\x80\x80\xAF", {1, 1, 1, 1}},
      {"\xED\xA0\x80", {1, 1, 1}},        // surrogate
      {"\xF4\x90\x80\x80", {1, 1, 1, 1}}, // above U+10FFFF
      {"\xE2\x82", {2}},                  // cut short
      {"\xF0\x9F\x98", {3}},
      {"\xF0\x9F\x98\xF0\x9F\x98\x80", {3, 4}},
      {"\xE2\x82"
       "a",
       {2, 1}},
      {"\xC2", {1}},
  };
  for (const auto& [bytes, lengths] : cases) {
    const std::string& text = bytes;
    CAPTURE(text);
    CHECK(find_invalid_utf8(text) == 0);
    std::size_t position = 0;
    for (const std::uint32_t length : lengths) {
      const DecodedCodePoint decoded = decode_utf8(text, position);
      CHECK(decoded.length == length);
      if (!decoded.valid)
        CHECK(decoded.code_point == 0xFFFD);
      position += decoded.length;
    }
    CHECK(position == text.size());
  }
}

TEST_CASE("find_invalid_utf8 finds the first ill-formed part at every distance from a block of ASCII") {
  for (std::size_t before = 0; before < 40; ++before) {
    for (std::size_t after = 0; after < 20; ++after) {
      const std::string text = std::string(before, 'a') + "\xC3\xA9" + std::string(after, 'b');
      CHECK(find_invalid_utf8(text) == std::string_view::npos);
      CHECK(find_invalid_utf8(text + "\xC3" + std::string(after, 'c')) == text.size());
    }
  }
}

TEST_CASE("decoding backwards does not run into what lies before") {
  CHECK_FALSE(decode_utf8_before("\xE4\xB8", 2).valid);
  CHECK_FALSE(decode_utf8_before("a\x80", 2).valid);
  CHECK(decode_utf8_before("\xC3\xA9\x80", 2).code_point == 0xE9);
}
