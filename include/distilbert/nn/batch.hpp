#pragma once
// A ragged batch: the tokens of several texts end to end, never padded.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace distilbert {

/// Text i is ids[offsets[i]] up to, not including, ids[offsets[i + 1]]. Only attention, positions and the heads look at
/// the offsets; to all other layers a batch is one long list of tokens.
struct Batch {
  std::vector<std::int32_t> ids;
  std::vector<std::size_t> offsets{0};
  /// Of each token: 1 in the second text of a pair, else 0. Empty: all are 0. A model without token types, as any that
  /// was born a DistilBERT, does not look at them.
  std::vector<std::int32_t> type_ids;
  std::size_t first_text = 0; // index of text 0 among the caller's texts, for messages

  std::size_t texts() const { return offsets.size() - 1; }
  std::size_t tokens() const { return ids.size(); }
  std::size_t length(std::size_t text) const { return offsets[text + 1] - offsets[text]; }
  std::size_t longest() const {
    std::size_t most = 0;
    for (std::size_t i = 0; i < texts(); ++i)
      most = length(i) > most ? length(i) : most;
    return most;
  }

  void add(const std::int32_t* text_ids, std::size_t count) {
    ids.insert(ids.end(), text_ids, text_ids + count);
    end_text();
  }
  /// The ids pushed onto `ids` since the last text become a text.
  void end_text() { offsets.push_back(ids.size()); }
  void clear() {
    ids.clear();
    type_ids.clear();
    offsets.assign(1, 0);
    first_text = 0;
  }
};

} // namespace distilbert
