#pragma once
// Added tokens: strings such as "[SEP]" that are found in the text before it is split into words.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "byte_trie.hpp"
#include "normalizer.hpp"
#include "offsets.hpp"
#include "unicode.hpp"
#include "utf8.hpp"

namespace distilbert {

/// An entry of added_tokens in tokenizer.json, by its names there.
struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool single_word = false; // not inside a longer word
  bool lstrip = false;      // takes the white space on its left with it
  bool rstrip = false;      // and on its right
  bool normalized = false;  // is normalised itself, and looked for in the normalised text
  bool special = false;     // left out by decode(), and text like any other under encode_special_tokens
};

namespace detail {

/// A normalised text with the origin of each of its bytes.
struct NormalizedText {
  static constexpr bool needs_origin = true;

  bool operator()(char32_t c, CodePointKind, Span origin) {
    append_utf8(c, text);
    alignment.resize(text.size(), origin);
    return true;
  }

  std::string text;
  std::vector<Span> alignment; // [text.size()]
};

/// Finds tokens in a text: leftmost first, the longest of those that start at one place, never overlapping. Immutable;
/// const methods are safe from many threads at once. Time: (length of the text) x (length of the longest token).
class AddedTokenMatcher {
public:
  struct Pattern {
    std::string text;
    AddedToken token;
  };

  AddedTokenMatcher() = default;

  /// ignore_special: special tokens hide what they match, but are not found.
  AddedTokenMatcher(std::vector<Pattern> patterns, bool ignore_special)
      : patterns_(std::move(patterns)), ignore_special_(ignore_special) {
    std::vector<ByteTrie::Entry> entries;
    for (const Pattern& pattern : patterns_) {
      entries.push_back({pattern.text, static_cast<std::int32_t>(entries.size())});
      if (!pattern.text.empty())
        starts_[static_cast<unsigned char>(pattern.text.front())] = true;
    }
    trie_ = ByteTrie(entries);
    if (std::count(starts_.begin(), starts_.end(), true) == 1)
      only_start_ = static_cast<int>(std::find(starts_.begin(), starts_.end(), true) - starts_.begin());
  }

  bool empty() const { return patterns_.empty(); }

  /// Cuts text into tokens and what lies between them, in order, and calls for each
  ///   bool segment(const AddedToken* token /* null: between */, Span range)
  /// until that returns false. Returns whether it never did.
  template <class F> bool split(std::string_view text, F&& segment) const {
    const auto size = static_cast<std::uint32_t>(text.size());
    std::uint32_t done = 0;          // end of the last token
    std::uint32_t end_of_spaces = 0; // how far white space was followed to the right
    for (std::size_t position = find_start(text, 0); position < text.size();) {
      const ByteTrie::Match match = trie_.longest_match(ByteTrie::root, text.substr(position));
      if (match.value == ByteTrie::no_value) {
        position = find_start(text, position + 1);
        continue;
      }
      Span range{static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position + match.length)};
      position = find_start(text, range.end);
      const AddedToken& token = patterns_[static_cast<std::size_t>(match.value)].token;
      if ((ignore_special_ && token.special) || (token.single_word && inside_word(text, range)))
        continue;
      if (token.lstrip)
        range.begin = std::max(done, start_of_spaces(text, done, range.begin));
      if (token.rstrip) {
        end_of_spaces = std::max(end_of_spaces, range.end);
        range.end = end_of_spaces = skip_spaces(text, end_of_spaces);
      }
      if (done < range.begin && !segment(nullptr, Span{done, range.begin}))
        return false;
      if (range.begin < range.end && !segment(&token, range))
        return false;
      done = range.end;
    }
    return done >= size || segment(nullptr, Span{done, size});
  }

private:
  std::size_t find_start(std::string_view text, std::size_t position) const {
    if (only_start_ >= 0)
      return std::min(text.find(static_cast<char>(only_start_), position), text.size());
    while (position < text.size() && !starts_[static_cast<unsigned char>(text[position])])
      ++position;
    return position;
  }

  static bool inside_word(std::string_view text, Span range) {
    return (range.begin > 0 && has(kind_of(decode_utf8_before(text, range.begin).code_point), flag::word_character)) ||
           (range.end < text.size() && has(kind_of(decode_utf8(text, range.end).code_point), flag::word_character));
  }

  static std::uint32_t start_of_spaces(std::string_view text, std::uint32_t lowest, std::uint32_t end) {
    while (end > lowest) {
      const DecodedCodePoint last = decode_utf8_before(text, end);
      if (!has(kind_of(last.code_point), flag::white_space))
        break;
      end -= last.length;
    }
    return end;
  }

  static std::uint32_t skip_spaces(std::string_view text, std::uint32_t position) {
    while (position < text.size()) {
      const DecodedCodePoint next = decode_utf8(text, position);
      if (!has(kind_of(next.code_point), flag::white_space))
        break;
      position += next.length;
    }
    return position;
  }

  std::vector<Pattern> patterns_;
  ByteTrie trie_;                  // value: index of the pattern
  std::array<bool, 256> starts_{}; // bytes that a pattern starts with
  int only_start_ = -1;            // the one of them, if there is only one
  bool ignore_special_ = false;
};

} // namespace detail

/// The added tokens of a tokenizer. Immutable; const methods are safe from many threads at once.
class AddedTokens {
public:
  AddedTokens() = default;

  /// encode_special_tokens: special tokens are text like any other.
  AddedTokens(std::vector<AddedToken> tokens, const NormalizerConfig& normalizer, bool encode_special_tokens) {
    std::vector<detail::AddedTokenMatcher::Pattern> raw, normalized;
    std::vector<detail::ByteTrie::Entry> ids;
    for (const AddedToken& token : tokens)
      ids.push_back({token.content, token.id});
    ids_ = detail::ByteTrie(ids);
    for (AddedToken& token : tokens) {
      std::string text = token.content;
      if (token.normalized) {
        detail::NormalizedText form;
        detail::Normalizer<detail::NormalizedText>(normalizer, form)
            .run(text, Span{0, static_cast<std::uint32_t>(text.size())});
        text = form.text;
      }
      entries_.push_back({token.id, text, token.special && text == token.content});
      (token.normalized ? normalized : raw).push_back({std::move(text), std::move(token)});
    }
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.id < b.id; });
    raw_ = detail::AddedTokenMatcher(std::move(raw), encode_special_tokens);
    normalized_ = detail::AddedTokenMatcher(std::move(normalized), encode_special_tokens);
  }

  /// Tokens to look for in the text itself, and those to look for in the normalised text between them.
  const detail::AddedTokenMatcher& raw() const { return raw_; }
  const detail::AddedTokenMatcher& normalized() const { return normalized_; }

  struct Entry {
    std::int32_t id;
    std::string text; // normalised, if the token is
    bool special;     // decode() may skip it
  };
  /// All tokens by ascending id.
  const std::vector<Entry>& entries() const { return entries_; }

  std::optional<std::int32_t> id(std::string_view content) const {
    const std::int32_t found = ids_.value(ids_.descend(detail::ByteTrie::root, content));
    return found == detail::ByteTrie::no_value ? std::nullopt : std::optional<std::int32_t>(found);
  }

  /// The token with that id; null if there is none.
  const Entry* find(std::int32_t id) const {
    const auto entry = std::lower_bound(entries_.begin(), entries_.end(), id,
                                        [](const Entry& e, std::int32_t wanted) { return e.id < wanted; });
    return entry != entries_.end() && entry->id == id ? &*entry : nullptr;
  }

private:
  detail::AddedTokenMatcher raw_, normalized_;
  std::vector<Entry> entries_;
  detail::ByteTrie ids_; // by content
};

} // namespace distilbert
