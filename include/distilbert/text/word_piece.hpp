#pragma once
// WordPiece: a word becomes the longest tokens that spell it, from left to right (Schuster and Nakajima 2012; BERT,
// Devlin et al. 2018).

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "byte_trie.hpp"
#include "vocabulary.hpp"

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

/// Appends the pieces of `word` to `pieces`. A word that the vocabulary cannot spell is one unknown token. The work is
/// at most (bytes of the word) x (bytes of the longest token), and words have a bounded length.
/// `continuing` is the vocabulary's node below the prefix of tokens that continue a word.
inline void append_word_pieces(const ByteTrie& vocabulary, ByteTrie::Node continuing, std::int32_t unknown_id,
                               std::string_view word, std::vector<Piece>& pieces) {
  const std::size_t before = pieces.size();
  for (std::size_t begin = 0; begin < word.size();) {
    const ByteTrie::Match match =
        vocabulary.longest_match(begin == 0 ? ByteTrie::root : continuing, word.substr(begin));
    if (match.value == ByteTrie::no_value) {
      pieces.resize(before);
      pieces.push_back({unknown_id, 0, word.size()});
      return;
    }
    pieces.push_back({match.value, begin, begin + match.length});
    begin += match.length;
  }
}

} // namespace detail
} // namespace distilbert
