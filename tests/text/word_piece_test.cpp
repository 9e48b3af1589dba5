#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <distilbert/text/vocabulary.hpp>
#include <distilbert/text/word_piece.hpp>

#include "support.hpp"

using distilbert::Vocabulary;
using distilbert::detail::append_word_pieces;
using distilbert::detail::AsciiPieces;
using distilbert::detail::Piece;

namespace {

std::vector<std::vector<std::size_t>> pieces_of(std::string_view word, const Vocabulary& vocabulary) {
  std::vector<Piece> pieces{{7, 0, 0}}; // what is there stays there
  std::string scratch;
  append_word_pieces(vocabulary.table(), "##", 1, word, scratch, pieces);
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

TEST_CASE("any prefix continues words: none at all, one of letters, one longer than the word") {
  std::string scratch;
  const auto ids = [&](const Vocabulary& vocabulary, std::string_view prefix, std::string_view word) {
    std::vector<Piece> pieces;
    append_word_pieces(vocabulary.table(), prefix, 0, word, scratch, pieces);
    std::vector<int> result;
    for (const Piece& piece : pieces)
      result.push_back(piece.id);
    return result;
  };
  const auto bare = Vocabulary::from_lines("[UNK]\nun\nable\n");
  CHECK(ids(bare, "", "unable") == std::vector{1, 2});
  const auto letters = Vocabulary::from_lines("[UNK]\nun\nxable\nx\n");
  CHECK(ids(letters, "x", "unable") == std::vector{1, 2});
  CHECK(ids(letters, "x", "xable") == std::vector{2}); // also a word as it stands
  CHECK(ids(letters, "x", "unx") == std::vector{0});   // the prefix alone continues nothing
  const auto far = Vocabulary::from_lines("[UNK]\nun\n0123456789abcdefghij!able\n");
  CHECK(ids(far, "0123456789abcdefghij!", "unable") == std::vector{1, 2});
}

TEST_CASE("tokens longer than a slot of the table") {
  const auto vocabulary = Vocabulary::from_lines("abcdefghijklmnopq\n[UNK]\nabcdefghijklmnop\n##abcdefghijklmnopqr\n"
                                                 "##abcdefghijklmno\n##p\n##q\n");
  CHECK(pieces_of("abcdefghijklmnopq", vocabulary) == Pieces{{0, 0, 17}});
  CHECK(pieces_of("abcdefghijklmnopqq", vocabulary) == Pieces{{0, 0, 17}, {6, 17, 18}});
  CHECK(pieces_of("abcdefghijklmnopp", vocabulary) == Pieces{{2, 0, 16}, {5, 16, 17}});
  CHECK(pieces_of("abcdefghijklmnopabcdefghijklmnopqr", vocabulary) == Pieces{{2, 0, 16}, {3, 16, 34}});
  CHECK(pieces_of("abcdefghijklmnopabcdefghijklmnopq", vocabulary) ==
        Pieces{{2, 0, 16}, {4, 16, 31}, {5, 31, 32}, {6, 32, 33}});
}

TEST_CASE("the short way for ASCII words finds the same pieces") {
  std::mt19937 random(1);
  const auto random_text = [&](const std::string& bytes, std::size_t longest) {
    std::string text;
    for (auto size = 1 + random() % longest; size > 0; --size)
      text += bytes[random() % bytes.size()];
    return text;
  };
  std::size_t spelt = 0;
  for (int round = 0; round < 500; ++round) {
    const std::string prefix = std::vector<std::string>{"##", "", "a", "ab"}[random() % 4];
    std::string lines = "[UNK]\n";
    for (auto count = random() % 60; count > 0; --count) // "p" and "0" are one to the table of lengths
      lines += (random() % 2 == 0 ? prefix : "") +
               random_text(random() % 8 == 0 ? std::string("ab#\0", 4) : "abp0A", random() % 4 == 0 ? 20 : 3) + "\n";
    const auto vocabulary = Vocabulary::from_lines(lines + "\xC3\xA1\n##" + prefix + "\xC3\xA1\n");
    const AsciiPieces built(vocabulary.table(), prefix);
    const AsciiPieces ascii = AsciiPieces::from_bytes(support::placed(built.bytes()), vocabulary.table().size());
    for (int i = 0; i < 50; ++i) {
      const std::string word = random_text("abp0A", 30);
      std::string scratch;
      std::vector<Piece> expected, pieces;
      append_word_pieces(vocabulary.table(), prefix, 0, word, scratch, expected);
      scratch = prefix + word + std::string(distilbert::detail::word_padding, '\0');
      if (!ascii.for_each(vocabulary.table(), prefix, scratch.data() + prefix.size(), word.size(),
                          [&](std::int32_t id, std::size_t begin, std::size_t end) {
                            pieces.push_back({id, begin, end});
                          }))
        pieces.assign(1, {0, 0, word.size()});
      spelt += pieces.at(0).id != 0;
      REQUIRE(pieces.size() == expected.size());
      for (std::size_t k = 0; k < pieces.size(); ++k) {
        REQUIRE(pieces[k].id == expected[k].id);
        REQUIRE(pieces[k].begin == expected[k].begin);
        REQUIRE(pieces[k].end == expected[k].end);
      }
    }
  }
  CHECK(spelt > 4000);
}

TEST_CASE("broken pieces are refused, or spell wrongly, and nothing worse") {
  const auto vocabulary = Vocabulary::from_lines("[UNK]\na\nb\nab\n##a\n##b\n##ab\nabba\n");
  const std::size_t size = vocabulary.table().size();
  const std::string good(AsciiPieces(vocabulary.table(), "##").bytes());
  const auto code_of = [&](const std::string& bytes) {
    return support::thrown_by([&] { AsciiPieces::from_bytes(support::placed(bytes), size); }).code;
  };
  CHECK_FALSE(code_of(good));
  CHECK(code_of(good.substr(64)) == distilbert::ErrorCode::invalid_packed_model);
  for (std::uint32_t entry = 1; entry < 4 * (size + 3); ++entry) { // (number + 1) * 4 + bytes
    std::string bad;
    while (bad.size() < good.size() - (1u << 16))
      bad.append(reinterpret_cast<const char*>(&entry), sizeof entry);
    bad.append(1u << 16, '\xFF'); // the longest tokens
    const bool outside = entry / 4 == 0 || entry / 4 > size;
    REQUIRE(code_of(bad) == (outside ? std::optional(distilbert::ErrorCode::invalid_packed_model) : std::nullopt));
    if (outside)
      continue;
    const AsciiPieces pieces = AsciiPieces::from_bytes(support::placed(bad), size);
    std::string scratch = "##baab" + std::string(distilbert::detail::word_padding, '\0');
    std::size_t count = 0;
    pieces.for_each(vocabulary.table(), "##", scratch.data() + 2, 4, [&](std::int32_t id, std::size_t, std::size_t) {
      CHECK(id >= 0);
      CHECK(id < static_cast<std::int32_t>(size));
      ++count;
    });
    CHECK(count <= 4);
  }
}
