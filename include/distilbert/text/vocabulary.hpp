#pragma once
// The vocabulary: token <-> id. All tokens lie in one string; ids are found through a trie of bytes.

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
#include "byte_trie.hpp"
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
  /// too many lines.
  static Vocabulary from_lines(std::string bytes) {
    Vocabulary vocabulary;
    vocabulary.bytes_ = std::move(bytes);
    const std::string_view text = vocabulary.bytes_;
    check_utf8(text);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      vocabulary.tokens_.push_back({begin, detail::trim_end(text.substr(begin, end - begin)).size()});
      check_id(vocabulary.tokens_.size() - 1);
      begin = end + 1;
    }
    vocabulary.index();
    return vocabulary;
  }

  class Builder;

  /// Rows that an embedding table needs: the largest id of a token that a text can yield, plus one.
  std::size_t size() const { return size_; }

  /// Distinct tokens.
  std::size_t token_count() const { return trie_.key_count(); }

  /// The token's text; "" for an id that no token has. Valid as long as the vocabulary. id must lie in [0, size()).
  std::string_view token(std::size_t id) const {
    const Extent extent = tokens_[id];
    return std::string_view(bytes_).substr(std::min(extent.begin, bytes_.size()), extent.length);
  }

  std::optional<std::int32_t> id(std::string_view token) const {
    const std::int32_t found = trie_.value(trie_.descend(detail::ByteTrie::root, token));
    return found == detail::ByteTrie::no_value ? std::nullopt : std::optional<std::int32_t>(found);
  }

  /// id(), or ErrorCode::invalid_vocabulary if there is no such token.
  std::int32_t require(std::string_view token) const {
    const std::optional<std::int32_t> found = id(token);
    if (!found) {
      const bool marked = bytes_.compare(0, 3, "\xEF\xBB\xBF") == 0;
      throw Error(ErrorCode::invalid_vocabulary,
                  "it lacks the token " + detail::quote(token) + (marked ? ", and begins with a byte order mark" : ""));
    }
    return *found;
  }

  const detail::ByteTrie& trie() const { return trie_; }

private:
  struct Extent {
    std::size_t begin, length;
  };
  static constexpr Extent absent{static_cast<std::size_t>(-1), 0};

  static void check_utf8(std::string_view text) {
    const std::size_t invalid = detail::find_invalid_utf8(text);
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

  void index() {
    std::vector<detail::ByteTrie::Entry> entries;
    entries.reserve(tokens_.size());
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (tokens_[id].begin == absent.begin)
        continue;
      entries.push_back({token(id), static_cast<std::int32_t>(id)});
      if (tokens_[id].length != 0)
        size_ = id + 1;
    }
    trie_ = detail::ByteTrie(entries);
  }

  std::string bytes_;
  std::vector<Extent> tokens_; // [id]
  detail::ByteTrie trie_;
  std::size_t size_ = 0;
};

/// Collects tokens with their ids, in any order; two tokens with one id, and one token with two ids, are errors.
class Vocabulary::Builder {
public:
  void add(std::string_view token, std::size_t id) {
    check_utf8(token);
    check_id(id);
    if (id >= vocabulary_.tokens_.size())
      vocabulary_.tokens_.resize(id + 1, absent);
    Extent& extent = vocabulary_.tokens_[id];
    if (extent.begin != absent.begin)
      throw Error(ErrorCode::invalid_vocabulary, "two tokens have the id " + std::to_string(id));
    extent = {vocabulary_.bytes_.size(), token.size()};
    vocabulary_.bytes_ += token;
    ++added_;
  }

  Vocabulary build() && {
    vocabulary_.index();
    if (vocabulary_.token_count() != added_)
      throw Error(ErrorCode::invalid_vocabulary, "a token has two ids");
    return std::move(vocabulary_);
  }

private:
  Vocabulary vocabulary_;
  std::size_t added_ = 0;
};

} // namespace distilbert
