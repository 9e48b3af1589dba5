#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <distilbert/text/unicode.hpp>

using namespace distilbert::detail;

namespace {

std::size_t count(int flags) {
  std::size_t found = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c)
    found += has(kind_of(c), flags);
  return found;
}

} // namespace

TEST_CASE("the tables have the sizes that were measured on the reference") {
  CHECK(count(flag::removed) == 137681);
  CHECK(count(flag::cleaned_to_space) == 21); // and the space itself
  CHECK(count(flag::white_space) == 25);      // White_Space of Unicode
  CHECK(count(flag::punctuation) == 726);
  CHECK(count(flag::mark) == 1549); // and 18 more that decompose into marks
  CHECK(count(flag::chinese) == 0x4DC0 - 0x3400 + 0xA000 - 0x4E00 + 0xFB00 - 0xF900 + 0x2A6E0 - 0x20000 + 0x2B820 -
                                    0x2A700 + 0x2CEB0 - 0x2B920 + 0x2FA20 - 0x2F800);
}

TEST_CASE("the tables are the reference's mixture of Unicode versions, not a newer one") {
  CHECK_FALSE(has(kind_of(0x061D), flag::punctuation)); // Arabic end of text mark, Unicode 14
  CHECK(has(kind_of(0x166D), flag::punctuation));       // a symbol since Unicode 12
  CHECK_FALSE(has(kind_of(0x0378), flag::removed));     // unassigned
  CHECK_FALSE(has(kind_of(0x2B820), flag::chinese));    // extension E starts too late
  CHECK(has(kind_of(0x2B920), flag::chinese));
  CHECK_FALSE(has(kind_of(0x1ABF), flag::mark)); // a mark since Unicode 13
}

TEST_CASE("every entry of the mapping tables is found, and only where a flag announces it") {
  std::size_t decomposing = 0, lowered = 0;
  for (const auto& mapping : decompositions) {
    REQUIRE(&find_mapping(decompositions, mapping.from) == &mapping);
    REQUIRE(has(kind_of(mapping.from), flag::decomposes));
    ++decomposing;
  }
  for (const auto& mapping : lowercase_mappings) {
    REQUIRE(&find_mapping(lowercase_mappings, mapping.from) == &mapping);
    REQUIRE(has(kind_of(mapping.from), flag::has_lowercase));
    ++lowered;
  }
  CHECK(count(flag::decomposes) == decomposing + 11172); // and the Hangul syllables
  CHECK(count(flag::has_lowercase) == lowered);
}

TEST_CASE("trim_end takes Unicode white space and nothing else") {
  CHECK(trim_end("ab \t\r\n") == "ab");
  CHECK(trim_end("ab\xC2\x85\xE3\x80\x80") == "ab");   // U+0085, U+3000
  CHECK(trim_end(" \xE2\x80\x8B") == " \xE2\x80\x8B"); // U+200B is no white space
  CHECK(trim_end("  ").empty());
  CHECK(trim_end("").empty());
}

TEST_CASE("lower_case goes code point by code point") {
  CHECK(lower_case("The CAT, 42!") == "the cat, 42!");
  CHECK(lower_case("\xC3\x84\xE1\xBA\x9E\xF0\x90\x90\x80") == "\xC3\xA4\xC3\x9F\xF0\x90\x90\xA8"); // U+10400
  CHECK(lower_case("\xC4\xB0") == "i\xCC\x87");                                                    // U+0130 becomes two
  CHECK(lower_case("\xCE\x91\xCE\xA3") == "\xCE\xB1\xCF\x83"); // a final sigma is a sigma
  CHECK(lower_case("\xE6\x9D\xB1\xCC\x81") == "\xE6\x9D\xB1\xCC\x81");
  CHECK(lower_case("A\xFF") == "a\xEF\xBF\xBD");
}
