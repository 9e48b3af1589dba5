#include <doctest/doctest.h>

#include <string_view>
#include <vector>

#include <distilbert/text/word_piece.hpp>

#include "support.hpp"

using distilbert::Vocabulary;
using distilbert::detail::append_word_pieces;
using distilbert::detail::ByteTrie;
using distilbert::detail::Piece;

namespace {

std::vector<std::vector<std::size_t>> pieces_of(std::string_view word, const Vocabulary& vocabulary) {
  std::vector<Piece> pieces{{7, 0, 0}}; // what is there stays there
  append_word_pieces(vocabulary.trie(), vocabulary.trie().descend(ByteTrie::root, "##"), 1, word, pieces);
  REQUIRE(pieces.at(0).id == 7);
  std::vector<std::vector<std::size_t>> result;
  for (std::size_t i = 1; i < pieces.size(); ++i)
    result.push_back({static_cast<std::size_t>(pieces[i].id), pieces[i].begin, pieces[i].end});
  return result;
}

using Pieces = std::vector<std::vector<std::size_t>>;

} // namespace

TEST_CASE("the longest pieces from left to right") {
  const auto vocabulary = Vocabulary::from_lines("un\n[UNK]\nunaff\n##aff\n##able\n##a\n##b\n\xE4\xB8\xAD\n##\n");
  CHECK(pieces_of("unaffable", vocabulary) == Pieces{{2, 0, 5}, {4, 5, 9}});
  CHECK(pieces_of("unab", vocabulary) == Pieces{{0, 0, 2}, {5, 2, 3}, {6, 3, 4}});
  CHECK(pieces_of("\xE4\xB8\xAD", vocabulary) == Pieces{{7, 0, 3}});
}

TEST_CASE("a word that cannot be spelt to its end is unknown as a whole") {
  const auto vocabulary = Vocabulary::from_lines("un\n[UNK]\n##a\nab\n");
  CHECK(pieces_of("unax", vocabulary) == Pieces{{1, 0, 4}});
  CHECK(pieces_of("aba", vocabulary) == Pieces{{3, 0, 2}, {2, 2, 3}}); // greedy: "ab" although "a" is no token
  CHECK(pieces_of("ununa", vocabulary) == Pieces{{1, 0, 5}});          // "un" does not continue a word
  CHECK(pieces_of("xun", vocabulary) == Pieces{{1, 0, 3}});
}

TEST_CASE("without tokens that continue a word, only whole words are known") {
  const auto vocabulary = Vocabulary::from_lines("un\n[UNK]\n");
  CHECK(pieces_of("un", vocabulary) == Pieces{{0, 0, 2}});
  CHECK(pieces_of("unun", vocabulary) == Pieces{{1, 0, 4}});
}
