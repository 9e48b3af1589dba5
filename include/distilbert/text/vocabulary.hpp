#pragma once
// The vocabulary: token <-> id. All tokens lie in one text; ids are found through a hash table. Both are built from the
// tokenizer's files, or lie ready in a converted model.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../error.hpp"
#include "../quote.hpp"
#include "../shared_bytes.hpp"
#include "token_table.hpp"
#include "unicode.hpp"
#include "utf8.hpp"
#include "word_piece.hpp"

namespace distilbert {

/// Immutable after construction; const methods are safe from many threads at once; copies share the memory.
class Vocabulary {
public:
  /// Ids lie below this, which bounds what a file with one huge id can make us allocate.
  static constexpr std::size_t max_ids = detail::TokenTable::max_size;

  Vocabulary() = default;

  /// Reads the bytes of a vocab.txt: one token a line, the id is the number of the line (from 0). White space at the
  /// end of a line is dropped, of equal lines the last one is the token's id, and a byte order mark is part of the
  /// first token: all as in Hugging Face tokenizers. Errors: ErrorCode::invalid_vocabulary for ill-formed UTF-8 and for
  /// too many lines or bytes.
  static Vocabulary from_lines(std::string_view text) {
    check_size(text.size());
    check_utf8(text);
    std::vector<Extent> tokens;
    tokens.reserve(text.size() / 7); // a line of BERT's English vocabulary has 7.6 bytes
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view token = detail::trim_end(text.substr(begin, end - begin));
      check_id(tokens.size());
      tokens.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(token.size())});
      begin = end + 1;
    }
    return Vocabulary(detail::TokenTable(text, tokens));
  }

  /// The vocabulary that packed() gave, used where it lies, which must be at a multiple of 8 bytes. All that leads from
  /// one place to another is checked (0.06 ms for BERT's English vocabulary); what the tokens are called is believed,
  /// as the weights are, so that one may be ill-formed UTF-8. Errors: ErrorCode::invalid_packed_model.
  static Vocabulary from_packed(const SharedBytes& packed) {
    const std::size_t pieces = detail::AsciiPieces::byte_count;
    if (packed.bytes.size() < pieces)
      detail::throw_invalid_vocabulary_table("is cut short");
    Vocabulary vocabulary(detail::TokenTable::from_bytes({packed.owner, packed.bytes.substr(pieces)}));
    vocabulary.packed_pieces_ =
        detail::AsciiPieces::from_bytes({packed.owner, packed.bytes.substr(0, pieces)}, vocabulary.size_);
    return vocabulary;
  }

  /// All that was built, for a converted model to carry: a multiple of 64 bytes.
  std::string packed() const {
    std::string bytes(ascii_pieces(packed_prefix).bytes());
    return bytes += table_.bytes();
  }

  /// The bytes that it was built from: of a vocab.txt, the whole file. Valid as long as the vocabulary.
  std::string_view text() const { return table_.text(); }

  class Builder;

  /// Rows that an embedding table needs: the largest id of a token that a text can yield, plus one.
  std::size_t size() const { return size_; }

  /// Distinct tokens.
  std::size_t token_count() const { return table_.token_count(); }

  /// The token's text; "" for an id that no token has. Valid as long as the vocabulary. id must lie in [0, size()).
  std::string_view token(std::size_t id) const { return table_.token(id); }

  std::optional<std::int32_t> id(std::string_view token) const {
    const std::int32_t found = table_.find(token);
    return found == detail::TokenTable::none ? std::nullopt : std::optional<std::int32_t>(found);
  }

  /// id(), or ErrorCode::invalid_vocabulary if there is no such token.
  std::int32_t require(std::string_view token) const {
    const std::optional<std::int32_t> found = id(token);
    if (!found) {
      const bool marked = table_.size() > 0 && table_.token(0).substr(0, 3) == "\xEF\xBB\xBF";
      throw Error(ErrorCode::invalid_vocabulary,
                  "it lacks the token " + detail::quote(token) + (marked ? ", and begins with a byte order mark" : ""));
    }
    return *found;
  }

  const detail::TokenTable& table() const { return table_; }

  /// The short way for words of ASCII letters and digits; `prefix` is that of tokens that continue a word.
  detail::AsciiPieces ascii_pieces(std::string_view prefix) const {
    return packed_pieces_ && prefix == packed_prefix ? *packed_pieces_ : detail::AsciiPieces(table_, prefix);
  }

private:
  using Extent = detail::TokenTable::Extent;
  static constexpr Extent absent = detail::TokenTable::absent;

  static constexpr std::string_view packed_prefix = "##"; // a vocab.txt has no other

  explicit Vocabulary(detail::TokenTable table) : table_(std::move(table)), size_(table_.size()) {
    while (size_ > 0 && table_.token(size_ - 1).empty())
      --size_;
  }

  static void check_size(std::size_t bytes) {
    if (bytes >= absent.begin)
      throw Error(ErrorCode::invalid_vocabulary, "it has more than 4 GiB");
  }

  static void check_utf8(std::string_view text) {
    const std::size_t invalid = find_invalid_utf8(text);
    if (invalid != std::string_view::npos) {
      const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(invalid), '\n');
      throw Error(ErrorCode::invalid_vocabulary, "line " + std::to_string(line) + " is not valid UTF-8");
    }
  }

  static void check_id(std::size_t id) {
    if (id >= max_ids) {
      throw Error(ErrorCode::invalid_vocabulary,
                  "the id " + std::to_string(id) + " is too large, ids must lie below " + std::to_string(max_ids));
    }
  }

  detail::TokenTable table_;
  std::optional<detail::AsciiPieces> packed_pieces_; // for packed_prefix
  std::size_t size_ = 0;
};

/// Collects tokens with their ids, in any order; two tokens with one id, and one token with two ids, are errors.
class Vocabulary::Builder {
public:
  void add(std::string_view token, std::size_t id) {
    check_utf8(token);
    check_id(id);
    check_size(bytes_.size() + token.size());
    if (id >= tokens_.size())
      tokens_.resize(id + 1, absent);
    Extent& extent = tokens_[id];
    if (extent.begin != absent.begin)
      throw Error(ErrorCode::invalid_vocabulary, "two tokens have the id " + std::to_string(id));
    extent = {static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(token.size())};
    bytes_ += token;
    ++added_;
  }

  Vocabulary build() && {
    Vocabulary vocabulary(detail::TokenTable(bytes_, tokens_));
    if (vocabulary.token_count() != added_)
      throw Error(ErrorCode::invalid_vocabulary, "a token has two ids");
    return vocabulary;
  }

private:
  std::string bytes_;
  std::vector<Extent> tokens_; // [id]
  std::size_t added_ = 0;
};

} // namespace distilbert
