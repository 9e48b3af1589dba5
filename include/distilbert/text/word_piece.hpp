#pragma once
// WordPiece: a word becomes the longest tokens that spell it, from left to right (Schuster and Nakajima 2012; BERT,
// Devlin et al. 2018).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../shared_bytes.hpp"
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

/// The short way of for_each_piece for words of ASCII letters and digits: the tokens of one and two bytes by these
/// bytes, and the longest other ones by their first three. An invented word falls into pieces of two bytes mostly,
/// which need no hash, no comparison and hardly a branch here. 192 KiB, 0.2 ms to build for BERT's English vocabulary;
/// a converted model carries them as they are. Immutable; const methods are safe from many threads at once; copies
/// share the memory.
class AsciiPieces {
public:
  static constexpr std::size_t byte_count = std::size_t{192} << 10;

  /// Neither is kept.
  AsciiPieces(const TokenTable& vocabulary, std::string_view prefix) {
    const auto tables = std::make_shared<Tables>();
    for (std::size_t number = 0; number < vocabulary.size(); ++number) {
      const std::string_view token = vocabulary.token(number);
      tables->add(0, token, number);
      const bool may_continue = prefix.empty() || (!token.empty() && token[0] == prefix[0]); // saves most calls
      if (may_continue && token.substr(0, prefix.size()) == prefix)
        tables->add(1, token.substr(prefix.size()), number);
    }
    for (auto* row = tables->shortest; row != tables->shortest + 2 * pairs; row += row_size)
      if (*row != 0) // first of a row: the token of one byte
        std::replace(row + 1, row + row_size, std::uint32_t{0}, *row);
    tables_ = tables;
  }

  /// The pieces that bytes() gave, for a vocabulary of `size` numbers, used where they lie. Errors:
  /// ErrorCode::invalid_packed_model.
  static AsciiPieces from_bytes(const SharedBytes& bytes, std::size_t size) {
    if (bytes.bytes.size() != byte_count)
      throw_invalid_vocabulary_table("is cut short");
    const auto* tables = reinterpret_cast<const Tables*>(bytes.bytes.data());
    AsciiPieces pieces(std::shared_ptr<const Tables>(bytes.owner, tables));
    std::uint64_t room = 0; // the highest bit is set as soon as one difference is negative
    for (const std::uint32_t entry : tables->shortest) {
      const std::uint64_t number = entry >> 2;
      room |= (size - number) | (number - (entry != 0));
    }
    if (room >> 63 != 0)
      throw_invalid_vocabulary_table("has a piece that lies outside");
    return pieces;
  }

  /// All of them, valid as long as they or a copy of them.
  std::string_view bytes() const { return {reinterpret_cast<const char*>(tables_.get()), byte_count}; }

  /// As for_each_piece with what the constructor got; a null byte must follow the word of at most 255 bytes.
  template <class F>
  bool for_each(const TokenTable& vocabulary, std::string_view prefix, char* word, std::size_t size, F&& piece) const {
    std::size_t begin = 0; // what a broken file says of lengths cannot lead past the word
    while (begin < size) {
      char* const rest = word + begin;
      const std::size_t continues = begin > 0;
      const std::uint32_t found = tables_->shortest[continues * pairs + pair(rest[0], rest[1])];
      TokenTable::Match match{static_cast<std::int32_t>(found >> 2) - 1, found & 3};
      const std::size_t longest =
          std::min<std::size_t>(tables_->longest[continues * triples + triple(rest)], size - begin);
      if (longest > 2) {
        const std::size_t front = continues * prefix.size();
        std::memcpy(rest - front, prefix.data(), front);
        const TokenTable::Match longer = vocabulary.longest_match(rest - front, front + longest, front + 2);
        if (longer.value != TokenTable::none)
          match = {longer.value, longer.length - front};
      }
      if (match.length == 0)
        return false;
      piece(match.value, begin, begin + match.length);
      begin += match.length;
    }
    return begin == size;
  }

private:
  static constexpr std::size_t pairs = 1 << 14, triples = 1 << 15;
  static constexpr std::ptrdiff_t row_size = 1 << 7; // pairs that begin with the same byte

  static std::size_t pair(char first, char second) {
    return static_cast<std::size_t>((first & 127) << 7 | (second & 127));
  }
  /// Letters of either case are one; a digit and a letter may be, too: that costs time alone.
  static std::size_t triple(const char* bytes) {
    return static_cast<std::size_t>((bytes[0] & 31) << 10 | (bytes[1] & 31) << 5 | (bytes[2] & 31));
  }
  /// Other bytes are in no word, and must not pass for those that are.
  static bool is_ascii(char byte) { return byte != '\0' && static_cast<unsigned char>(byte) < 128; }

  struct Tables {
    std::uint32_t shortest[2 * pairs]; // (number + 1) * 4 + bytes of the longest token of one or two; 0: none
    std::uint8_t longest[2 * triples]; // bytes of the longest token of three or more, at most 255; 0: none

    void add(std::size_t continues, std::string_view token, std::size_t number) {
      if (token.size() > 2) {
        std::uint8_t& most = longest[continues * triples + triple(token.data())];
        most = static_cast<std::uint8_t>(std::max<std::size_t>(most, std::min<std::size_t>(token.size(), 255)));
      } else if (!token.empty() && is_ascii(token.front()) && is_ascii(token.back())) {
        shortest[continues * pairs + pair(token[0], token.size() > 1 ? token[1] : '\0')] =
            static_cast<std::uint32_t>((number + 1) << 2 | token.size());
      }
    }
  };

  explicit AsciiPieces(std::shared_ptr<const Tables> tables) : tables_(std::move(tables)) {}

  static_assert(sizeof(Tables) == byte_count, "no padding, since a file holds it");

  std::shared_ptr<const Tables> tables_;
};

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
