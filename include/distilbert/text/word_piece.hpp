#pragma once
// WordPiece: a word becomes the longest tokens that spell it, from left to right (Schuster and Nakajima 2012; BERT,
// Devlin et al. 2018).

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "token_table.hpp"

namespace distilbert {

/// The options of the WordPiece model, by their names in tokenizer.json.
struct WordPieceConfig {
  std::string unk_token = "[UNK]";
  std::string continuing_subword_prefix = "##";
  std::size_t max_input_chars_per_word = 100;
};

namespace detail {

/// A token and the bytes of the word that it stands for.
struct Piece {
  std::int32_t id;
  std::size_t begin, end;
};

/// Bytes that for_each_piece may read behind a word.
inline constexpr std::size_t word_padding = ShortText::capacity;

/// Calls piece(id, begin, end) for the pieces of the word, which are at most one for each byte. Returns false as soon
/// as the vocabulary cannot spell it: the word is then one unknown token, whatever piece() was told. `prefix` is that
/// of tokens that continue a word; in front of `word` prefix.size() bytes must be writable, behind it word_padding
/// bytes readable, whatever they hold. The work is at most (bytes of the word) x (bytes of the longest token).
template <class F>
bool for_each_piece(const TokenTable& vocabulary, std::string_view prefix, char* word, std::size_t size, F&& piece) {
  TokenTable::Match match = vocabulary.longest_match(word, size);
  for (std::size_t begin = 0; match.value != TokenTable::none;) {
    piece(match.value, begin, begin + match.length);
    begin += match.length;
    if (begin == size)
      return true;
    // What is spelt already makes place for the prefix, so that the vocabulary's own tokens are looked up.
    char* const rest = word + begin - prefix.size();
    std::memcpy(rest, prefix.data(), prefix.size());
    match = vocabulary.longest_match(rest, prefix.size() + size - begin, prefix.size());
    match.length -= prefix.size();
  }
  return size == 0;
}

/// Appends the pieces of `word` to `pieces`; a word that the vocabulary cannot spell is one unknown token.
inline void append_word_pieces(const TokenTable& vocabulary, std::string_view prefix, std::int32_t unknown_id,
                               std::string_view word, std::string& scratch, std::vector<Piece>& pieces) {
  const std::size_t before = pieces.size();
  scratch.assign(prefix);
  scratch += word;
  scratch.append(word_padding, '\0');
  const bool spelt = for_each_piece(vocabulary, prefix, scratch.data() + prefix.size(), word.size(),
                                    [&](std::int32_t id, std::size_t begin, std::size_t end) {
                                      pieces.push_back({id, begin, end});
                                    });
  if (!spelt) {
    pieces.resize(before);
    pieces.push_back({unknown_id, 0, word.size()});
  }
}

} // namespace detail
} // namespace distilbert
