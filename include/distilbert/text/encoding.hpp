#pragma once
// What comes out of the tokenizer.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "offsets.hpp"
#include "truncation.hpp"

namespace distilbert {

struct EncodeOptions {
  /// [CLS] text [SEP], or [CLS] text [SEP] other text [SEP].
  bool add_special_tokens = true;
  /// Tokens of the result, special tokens included; 0: no limit. Less than the special tokens need is an error.
  std::size_t max_length = 0;
  TruncationStrategy truncation = TruncationStrategy::longest_first;
  /// The end at which tokens are cut off; by default TokenizerConfig::truncation_side.
  std::optional<Side> truncation_side;
  /// Tokens that consecutive windows share; only encode_windows looks at it.
  std::size_t stride = 0;
  OffsetUnit offset_unit = OffsetUnit::bytes;
};

/// One encoded text or pair of texts. All vectors have one element for each token.
struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> type_ids;            // 1 for the second text and the [SEP] after it, 0 for the rest
  std::vector<Span> offsets;                     // into the token's own text; {0, 0} for added special tokens
  std::vector<std::int32_t> word_ids;            // which word of its own text; -1 for added special tokens
  std::vector<std::int32_t> sequence_ids;        // 0: first text, 1: second; -1 for added special tokens
  std::vector<std::uint8_t> special_tokens_mask; // 1 for added special tokens
  bool truncated = false;                        // tokens of a text are missing here

  std::size_t size() const { return ids.size(); }
};

namespace detail {

/// The tokens of one text before anything is cut off or added.
struct TokenSequence {
  std::vector<std::int32_t> ids;
  std::vector<Span> offsets;
  std::vector<std::int32_t> word_ids;
};

/// Puts an Encoding together from special tokens and ranges of token sequences, in the order of the calls.
class EncodingBuilder {
public:
  explicit EncodingBuilder(std::size_t size) {
    encoding_.ids.reserve(size);
    encoding_.type_ids.reserve(size);
    encoding_.offsets.reserve(size);
    encoding_.word_ids.reserve(size);
    encoding_.sequence_ids.reserve(size);
    encoding_.special_tokens_mask.reserve(size);
  }

  void add_special(std::int32_t id, std::int32_t type_id) { push(id, type_id, {}, -1, -1, 1); }

  void add(const TokenSequence& tokens, TokenRange range, std::int32_t sequence_id) {
    for (std::size_t i = range.begin; i < range.end; ++i)
      push(tokens.ids[i], sequence_id, tokens.offsets[i], tokens.word_ids[i], sequence_id, 0);
    encoding_.truncated = encoding_.truncated || range.size() < tokens.ids.size();
  }

  Encoding build() && { return std::move(encoding_); }

private:
  void push(std::int32_t id, std::int32_t type_id, Span offset, std::int32_t word_id, std::int32_t sequence_id,
            std::uint8_t special) {
    encoding_.ids.push_back(id);
    encoding_.type_ids.push_back(type_id);
    encoding_.offsets.push_back(offset);
    encoding_.word_ids.push_back(word_id);
    encoding_.sequence_ids.push_back(sequence_id);
    encoding_.special_tokens_mask.push_back(special);
  }

  Encoding encoding_;
};

} // namespace detail
} // namespace distilbert
