#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <distilbert/text/ascii_words.hpp>

using namespace distilbert;
using namespace distilbert::detail;

namespace {

/// Writes down what it is told: "word|.|<other>".
struct Record {
  std::string_view text;
  std::string calls;
  std::size_t most = 1000;
  std::size_t count = 0;

  bool note(const std::string& call) {
    calls += call + "|";
    return ++count < most;
  }
  bool word(std::uint32_t begin, std::uint32_t end) { return note(std::string(text.substr(begin, end - begin))); }
  bool punctuation(unsigned char byte) { return note(std::string(1, static_cast<char>(byte))); }
  bool other(Span range) { return note("<" + std::string(text.substr(range.begin, range.end - range.begin)) + ">"); }
};

std::string calls(std::string_view text, const NormalizerConfig& config = {}) {
  Record record{text, "", 1000, 0};
  CHECK(split_ascii_words(text, {0, static_cast<std::uint32_t>(text.size())}, byte_classes(config), record));
  return record.calls;
}

} // namespace

TEST_CASE("stops are the bytes that are no letters or digits, wherever they are") {
  for (unsigned byte = 0; byte < 256; ++byte)
    for (std::size_t at = 0; at < 64; ++at) {
      std::string text(64, byte % 2 == 0 ? 'z' : '\xFF');
      text[at] = static_cast<char>(byte);
      const std::uint64_t expected =
          (byte % 2 == 0 ? 0 : ~(std::uint64_t{1} << at)) | static_cast<std::uint64_t>(!is_letter_or_digit(byte)) << at;
      REQUIRE(find_stops(text.data(), 64) == expected);
      const std::size_t size = at + 1;
      REQUIRE(find_stops(text.data(), size) == (size == 64 ? expected : expected & ((std::uint64_t{1} << size) - 1)));
    }
}

TEST_CASE("letters and digits are what the Unicode tables leave as they are, but for case") {
  const auto classes = byte_classes({});
  for (unsigned byte = 0; byte < 0x80; ++byte) {
    const CodePointKind kind = kind_of(byte);
    CHECK((classes[byte] == ByteClass::letter_or_digit) == is_letter_or_digit(byte));
    if (!is_letter_or_digit(byte))
      continue;
    CHECK_FALSE(has(kind, ~(flag::word_character | flag::has_lowercase)));
    CHECK(kind.combining_class == 0);
    if (has(kind, flag::has_lowercase))
      CHECK(find_mapping(lowercase_mappings, byte).to[0] == (byte | 0x20));
    else
      CHECK(byte == (byte | 0x20));
  }
}

TEST_CASE("words, punctuation and the rest") {
  CHECK(calls("") == "");
  CHECK(calls(" \t\n") == "");
  CHECK(calls("a") == "a|");
  CHECK(calls("It's 42!") == "It|'|s|42|!|");
  CHECK(calls("na\xC3\xAFve caf\xC3\xA9.") == "<na\xC3\xAFve>|<caf\xC3\xA9>|.|");
  CHECK(calls("a \x01 b\x01") == "a|<\x01>|<b\x01>|");
  CHECK(calls("\xE2\x80\x99tis\xE2\x80\x99") == "<\xE2\x80\x99tis\xE2\x80\x99>|");
  NormalizerConfig unclean;
  unclean.clean_text = false;
  CHECK(calls("a\x01 \x0B b", unclean) == "<a\x01>|b|"); // a vertical tab is white space unless it is removed
}

TEST_CASE("words and other stretches that cross blocks of 64 bytes") {
  for (std::size_t before = 55; before < 75; ++before)
    for (std::size_t size : {1u, 5u, 64u, 130u}) {
      const std::string lead(before, ' '), word(size, 'w');
      CHECK(calls(lead + word) == word + "|");
      CHECK(calls(lead + word + "! x") == word + "|!|x|");
      const std::string mixed = word + '\x80' + word;
      CHECK(calls(lead + mixed + " x") == "<" + mixed + ">|x|");
    }
}

TEST_CASE("it ends as soon as the sink wants no more") {
  const std::string_view text = "one, two \x80 three";
  for (std::size_t most = 1; most <= 5; ++most) {
    Record record{text, "", most, 0};
    CHECK_FALSE(split_ascii_words(text, {0, 16}, byte_classes({}), record));
    CHECK(record.count == most);
  }
}

TEST_CASE("only the range is read") {
  const std::string_view text = "one two three";
  Record record{text, "", 1000, 0};
  CHECK(split_ascii_words(text, {1, 10}, byte_classes({}), record));
  CHECK(record.calls == "ne|two|th|");
}
