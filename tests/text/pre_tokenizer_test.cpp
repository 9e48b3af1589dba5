#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <distilbert/text/pre_tokenizer.hpp>

#include "support.hpp"

using distilbert::Span;
using distilbert::detail::kind_of;
using distilbert::detail::Word;
using distilbert::detail::WordSplitter;
using support::Spans;

namespace {

struct Words {
  static constexpr bool needs_origin = true;

  bool operator()(const Word& word) {
    texts.emplace_back(word.text);
    origins.push_back(word.origin);
    too_long.push_back(word.too_long);
    if (!word.too_long)
      CHECK((word.alignment[0].begin == word.origin.begin &&
             word.alignment[word.text.size() - 1].end == word.origin.end));
    return texts.size() < limit;
  }

  std::vector<std::string> texts;
  Spans origins;
  std::vector<bool> too_long;
  std::size_t limit = 1000;
};

/// Feeds one code point for each position.
Words split(const std::u32string& text, std::size_t limit = 1000) {
  Words words;
  words.limit = limit;
  WordSplitter<Words> splitter(5, words);
  bool wants_more = true;
  for (std::uint32_t i = 0; i < text.size() && wants_more; ++i)
    wants_more = splitter(text[i], kind_of(text[i]), Span{i, i + 1});
  if (wants_more)
    splitter.end_word();
  return words;
}

} // namespace

TEST_CASE("white space separates, punctuation stands alone") {
  const Words words = split(U"  ab,c!\u3000\u2014d \n");
  CHECK(words.texts == std::vector<std::string>{"ab", ",", "c", "!", "\xE2\x80\x94", "d"});
  CHECK(words.origins == Spans{{2, 4}, {4, 5}, {5, 6}, {6, 7}, {8, 9}, {9, 10}});
}

TEST_CASE("symbols that are no punctuation do not split") {
  CHECK(split(U"a\u00A9b").texts == std::vector<std::string>{"a\xC2\xA9"
                                                             "b"});
}

TEST_CASE("a word is too long by its characters, not its bytes, and keeps its whole origin") {
  const Words words = split(U"\u00E9\u00E9\u00E9\u00E9\u00E9 abcdefghij x");
  CHECK(words.too_long == std::vector<bool>{false, true, false});
  CHECK(words.texts[0].size() == 10);
  CHECK(words.origins[1] == Span{6, 16});
  CHECK(words.texts[2] == "x");
}

TEST_CASE("the consumer ends the run") {
  CHECK(split(U"a b c d", 2).texts == std::vector<std::string>{"a", "b"});
  CHECK(split(U"a,b", 1).texts == std::vector<std::string>{"a"}); // the comma is not passed on
}
