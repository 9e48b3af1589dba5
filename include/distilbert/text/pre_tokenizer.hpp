#pragma once
// BertPreTokenizer: white space ends a word, punctuation is a word of its own.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "offsets.hpp"
#include "unicode.hpp"
#include "utf8.hpp"

namespace distilbert::detail {

/// A word in its normalised form.
struct Word {
  std::string_view text; // UTF-8; cut off after the limit if too_long
  const Span* alignment; // [text.size()] origin of each byte; null if the consumer does not need origins
  Span origin;           // from the first to the last character
  bool too_long;         // more characters than a word may have
};

/// Collects normalised code points into words and hands each to `consumer`, which is called as
///   bool consumer(const Word& word)
/// and returns false when it wants no more. One splitter serves any number of texts; its buffers are reused.
template <class Consumer> class WordSplitter {
public:
  static constexpr bool needs_origin = Consumer::needs_origin;

  /// max_characters: longest word that is worth keeping.
  WordSplitter(std::size_t max_characters, Consumer& consumer) : max_characters_(max_characters), consumer_(consumer) {}

  bool operator()(char32_t c, CodePointKind kind, Span origin) {
    if (!has(kind, flag::white_space | flag::punctuation)) {
      append(c, origin);
      return true;
    }
    if (!end_word())
      return false;
    if (has(kind, flag::punctuation))
      append(c, origin);
    return end_word();
  }

  /// Passes on the word collected so far, if any.
  bool end_word() {
    if (characters_ == 0)
      return true;
    const bool wants_more =
        consumer_(Word{text_, needs_origin ? alignment_.data() : nullptr, origin_, characters_ > max_characters_});
    characters_ = 0;
    text_.clear();
    alignment_.clear();
    return wants_more;
  }

private:
  void append(char32_t c, Span origin) {
    if (characters_ == 0)
      origin_.begin = origin.begin;
    origin_.end = origin.end;
    if (characters_ > max_characters_ || ++characters_ > max_characters_)
      return;
    append_utf8(c, text_);
    if (needs_origin)
      alignment_.resize(text_.size(), origin);
  }

  const std::size_t max_characters_;
  Consumer& consumer_;
  std::size_t characters_ = 0; // at most max_characters_ + 1
  std::string text_;
  std::vector<Span> alignment_;
  Span origin_{};
};

} // namespace distilbert::detail
