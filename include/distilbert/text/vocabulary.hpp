#pragma once
// The vocabulary: token <-> id. All tokens lie in one text; ids are found through a hash table.

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
#include "token_table.hpp"
#include "unicode.hpp"
#include "utf8.hpp"

namespace distilbert {

/// Immutable after construction; const methods are safe from many threads at once.
class Vocabulary {
public:
  /// Ids lie below this, which bounds what a file with one huge id can make us allocate.
  static constexpr std::size_t max_ids = std::size_t{1} << 24;

  Vocabulary() = default;

  /// Reads the bytes of a vocab.txt: one token a line, the id is the number of the line (from 0). White space at the
  /// end of a line is dropped, of equal lines the last one is the token's id, and a byte order mark is part of the
  /// first token: all as in Hugging Face tokenizers. Errors: ErrorCode::invalid_vocabulary for ill-formed UTF-8 and for
  /// too many lines or bytes.
  static Vocabulary from_lines(std::string bytes) { return from_lines(detail::share(std::move(bytes))); }

  /// The same without a copy of the bytes.
  static Vocabulary from_lines(detail::SharedText bytes) {
    const std::string_view text = bytes.text;
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
    return Vocabulary(std::move(bytes), std::move(tokens));
  }

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

private:
  using Extent = detail::TokenTable::Extent;
  static constexpr Extent absent = detail::TokenTable::absent;

  Vocabulary(detail::SharedText text, std::vector<Extent> tokens)
      : table_(std::move(text), std::move(tokens)), size_(table_.size()) {
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
    Vocabulary vocabulary(detail::share(std::move(bytes_)), std::move(tokens_));
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
