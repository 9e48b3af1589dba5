#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include <distilbert/text/added_tokens.hpp>
#include <distilbert/text/normalizer.hpp>

#include "support.hpp"

using distilbert::NormalizerConfig;
using distilbert::Span;
using distilbert::detail::NormalizedText;
using distilbert::detail::Normalizer;
using support::Spans;

namespace {

NormalizedText normalized(std::string_view text, const NormalizerConfig& config = {}) {
  NormalizedText result;
  Normalizer<NormalizedText>(config, result).run(text, {0, static_cast<std::uint32_t>(text.size())});
  return result;
}

struct TwoCodePoints {
  static constexpr bool needs_origin = false;
  bool operator()(char32_t, distilbert::detail::CodePointKind, Span) { return ++seen < 2; }
  int seen = 0;
};

const NormalizerConfig cased = {true, true, std::nullopt, false};
const NormalizerConfig only_accents = {false, false, true, false};
const NormalizerConfig nothing = {false, false, false, false};

} // namespace

TEST_CASE("uncased: cleaned, spaced, without accents, in lower case") {
  CHECK(normalized("H\xC3\x89llo\tW\xC3\xB6rld\x7F!").text == "hello world!");
  CHECK(normalized("a\xE4\xB8\xAD\xE5\x9B\xBD").text == "a \xE4\xB8\xAD  \xE5\x9B\xBD ");
  CHECK(normalized("\xC4\xB0").text == "i"); // U+0130 loses its dot with the accents
  CHECK(normalized("\xCE\xA3\xCE\x91\xCE\xA3").text == "\xCF\x83\xCE\xB1\xCF\x83"); // no final sigma
}

TEST_CASE("each option works on its own") {
  CHECK(normalized("H\xC3\x89\tx", cased).text == "H\xC3\x89 x");
  CHECK(normalized("\xC3\x89\xE4\xB8\xAD\t", only_accents).text == "E\xE4\xB8\xAD\t");
  CHECK(normalized("\xC3\x89\xE4\xB8\xAD\t", nothing).text == "\xC3\x89\xE4\xB8\xAD\t");
  CHECK(normalized("\xC4\xB0", {true, true, false, true}).text == "i\xCC\x87"); // two code points from one
  CHECK(normalized("\xC3\x89", {true, true, true, false}).text == "E");
}

TEST_CASE("origins are those of the characters, and what is removed has none") {
  CHECK(normalized(std::string_view("a\0b", 3)).alignment == Spans{{0, 1}, {2, 3}});
  CHECK(normalized("e\xCC\x81x").alignment == Spans{{0, 1}, {3, 4}});
  CHECK(normalized("\xC3\xA9x").alignment == Spans{{0, 2}, {2, 3}});
  const Spans chinese(5, Span{0, 3}); // a space, three bytes, a space
  CHECK(normalized("\xE4\xB8\xAD").alignment == chinese);
  const Spans syllable(9, Span{0, 3}); // three letters of three bytes each
  CHECK(normalized("\xED\x95\x9C").text == "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB");
  CHECK(normalized("\xED\x95\x9C").alignment == syllable);
  CHECK(normalized("\xEA\xB0\x80").text == "\xE1\x84\x80\xE1\x85\xA1"); // no final consonant
}

TEST_CASE("marks are put in canonical order, their origins stay in the order of the text") {
  // U+302E and U+1D165 (classes 224 and 216) are kept, U+0301 (230) is dropped.
  const std::string tone = "\xE3\x80\xAE", stem = "\xF0\x9D\x85\xA5", acute = "\xCC\x81";
  const NormalizedText swapped = normalized("a" + tone + stem);
  CHECK(swapped.text == "a" + stem + tone);
  CHECK(swapped.alignment == Spans{{0, 1}, {1, 4}, {1, 4}, {1, 4}, {1, 4}, {4, 8}, {4, 8}, {4, 8}});
  const NormalizedText moved = normalized("a" + acute + tone);
  CHECK(moved.text == "a" + tone);
  CHECK(moved.alignment == Spans{{0, 1}, {1, 3}, {1, 3}, {1, 3}});
  CHECK(normalized(acute + tone).alignment == Spans{{0, 2}, {0, 2}, {0, 2}});
  CHECK(normalized("a" + tone + stem, cased).text == "a" + tone + stem); // no decomposition, no order
}

TEST_CASE("ill-formed UTF-8 reads as the replacement character") {
  CHECK(normalized("a\xFF"
                   "b")
            .text == "ab");
  CHECK(normalized("a\xFF"
                   "b",
                   nothing)
            .text == "a\xEF\xBF\xBD"
                     "b");
}

TEST_CASE("a range is normalised with positions in the whole text, and nothing behind it is looked at") {
  NormalizedText result;
  const NormalizerConfig config;
  Normalizer<NormalizedText>(config, result)
      .run("ab\xC3\xA9"
           "cd\xC3\xA9",
           {2, 5});
  CHECK(result.text == "ec");
  CHECK(result.alignment == Spans{{2, 4}, {4, 5}});
}

TEST_CASE("the sink ends the run") {
  TwoCodePoints two;
  const NormalizerConfig config;
  CHECK_FALSE(Normalizer<TwoCodePoints>(config, two).run("abcdef", {0, 6}));
  CHECK(two.seen == 2);
}
