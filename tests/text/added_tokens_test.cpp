#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <distilbert/text/added_tokens.hpp>

#include "support.hpp"

using distilbert::AddedToken;
using distilbert::AddedTokens;
using distilbert::NormalizerConfig;
using distilbert::Span;
using distilbert::detail::AddedTokenMatcher;

namespace {

struct Segment {
  std::int32_t id; // -1: between tokens
  Span range;

  friend bool operator==(const Segment& a, const Segment& b) { return a.id == b.id && a.range == b.range; }
};

AddedToken token(std::string content, std::int32_t id) {
  AddedToken result;
  result.content = std::move(content);
  result.id = id;
  return result;
}

std::vector<Segment> segments_of(const AddedTokenMatcher& matcher, std::string_view text) {
  std::vector<Segment> segments;
  matcher.split(text, [&](const AddedToken* found, Span range) {
    segments.push_back({found == nullptr ? -1 : found->id, range});
    return true;
  });
  return segments;
}

std::vector<Segment> split(std::vector<AddedToken> tokens, std::string_view text, bool encode_special_tokens = false) {
  return segments_of(AddedTokens(std::move(tokens), NormalizerConfig(), encode_special_tokens).raw(), text);
}

using Segments = std::vector<Segment>;

} // namespace

TEST_CASE("without tokens a text is one segment, and an empty text none") {
  CHECK(split({}, "abc") == Segments{{-1, {0, 3}}});
  CHECK(split({}, "").empty());
  CHECK(split({token("a", 1)}, "").empty());
}

TEST_CASE("leftmost first, longest of those, never overlapping") {
  const std::vector<AddedToken> tokens = {token("aa", 1), token("aaa", 2), token("ab", 3), token("b", 4)};
  CHECK(split(tokens, "aaaaa") == Segments{{2, {0, 3}}, {1, {3, 5}}});
  CHECK(split(tokens, "xaabx") == Segments{{-1, {0, 1}}, {1, {1, 3}}, {4, {3, 4}}, {-1, {4, 5}}});
  CHECK(split({token("abcd", 1), token("bc", 2)}, "abce") == Segments{{-1, {0, 1}}, {2, {1, 3}}, {-1, {3, 4}}});
}

TEST_CASE("tokens that start with different bytes are all found") {
  CHECK(split({token("[S]", 1), token("<s>", 2)}, "a<s>[S]") == Segments{{-1, {0, 1}}, {2, {1, 4}}, {1, {4, 7}}});
}

TEST_CASE("single_word looks at the characters on both sides") {
  AddedToken word = token("foo", 1);
  word.single_word = true;
  CHECK(split({word}, "foo, foo") == Segments{{1, {0, 3}}, {-1, {3, 5}}, {1, {5, 8}}});
  CHECK(split({word}, "foox") == Segments{{-1, {0, 4}}});
  CHECK(split({word}, "_foo") == Segments{{-1, {0, 4}}});
  CHECK(split({word}, "\xC3\xA9"
                      "foo") == Segments{{-1, {0, 5}}});
  CHECK(split({word}, "foo\xCC\x81") == Segments{{-1, {0, 5}}}); // a mark belongs to the word
}

TEST_CASE("lstrip and rstrip take white space along, but none that is taken already") {
  AddedToken left = token("<l>", 1), right = token("<r>", 2);
  left.lstrip = right.rstrip = true;
  CHECK(split({left, right}, "a  <l>\xE3\x80\x80"
                             "b") == Segments{{-1, {0, 1}}, {1, {1, 6}}, {-1, {6, 10}}});
  CHECK(split({left, right}, "<r> \t<l>") == Segments{{2, {0, 5}}, {1, {5, 8}}});
  CHECK(split({left, right}, " <r> ") == Segments{{-1, {0, 1}}, {2, {1, 5}}});
}

TEST_CASE("a token that begins with white space may overlap the white space of the one before") {
  AddedToken right = token("<r>", 1);
  right.rstrip = true;
  CHECK(split({right, token(" q", 2)}, "<r>  qb") == Segments{{1, {0, 5}}, {2, {4, 6}}, {-1, {6, 7}}});
}

TEST_CASE("special tokens can be turned into text, and still hide what they match") {
  AddedToken special = token("[SEP]", 1);
  special.special = true;
  CHECK(split({special}, "a[SEP]") == Segments{{-1, {0, 1}}, {1, {1, 6}}});
  CHECK(split({special, token("SEP", 2), token("x", 3)}, "[SEP]x", true) == Segments{{-1, {0, 5}}, {3, {5, 6}}});
}

TEST_CASE("tokens to be normalised are looked for in their normalised form") {
  AddedToken cafe = token("Caf\xC3\xA9", 9);
  cafe.normalized = true;
  const AddedTokens tokens({cafe}, NormalizerConfig(), false);
  CHECK(tokens.raw().empty());
  CHECK(segments_of(tokens.normalized(), "a cafe") == Segments{{-1, {0, 2}}, {9, {2, 6}}});
  REQUIRE(tokens.find(9) != nullptr);
  CHECK(tokens.find(9)->text == "cafe");
  CHECK(tokens.find(8) == nullptr);
  CHECK(tokens.id("Caf\xC3\xA9") == 9);
  CHECK_FALSE(tokens.id("cafe"));
}

TEST_CASE("a segment function that returns false ends the search") {
  const AddedTokens tokens({token("x", 1)}, NormalizerConfig(), false);
  int calls = 0;
  CHECK_FALSE(tokens.raw().split("axbxc", [&](const AddedToken*, Span) { return ++calls < 2; }));
  CHECK(calls == 2);
}
