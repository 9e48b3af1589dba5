#pragma once
// The head that gives one row of logits for each token.

#include <algorithm>

#include "../nn/distilbert_model.hpp"

namespace distilbert {

/// DistilBertForTokenClassification: classifier of every hidden state. A BERT's head is the same. Thread-safe as
/// DistilBertModel is.
class DistilBertForTokenClassification {
public:
  static DistilBertForTokenClassification load(const PackedModel& weights, const DistilBertConfig& config) {
    return {DistilBertModel::load(weights, config),
            Linear::load(weights, "classifier", {1, config.num_labels()}, {1, config.dim}), config.num_labels()};
  }

  std::size_t width() const { return labels_; }
  std::size_t rows(const Batch& batch) const { return batch.tokens(); }

  /// batch -> logits [rows, width], a row of labels for each token, special tokens included. Throws, and uses the pool,
  /// as DistilBertModel::forward does.
  void forward(const Batch& batch, Workspace& workspace, float* logits, ThreadPool* pool = nullptr) const {
    const Rows hidden = distilbert_.forward(batch, workspace, pool);
    const Rows padded_logits = workspace.logits(batch.tokens());
    classifier_.forward(hidden, padded_logits, workspace);
    for (std::size_t token = 0; token < batch.tokens(); ++token)
      std::copy_n(padded_logits.data() + token * padded(labels_), labels_, logits + token * labels_);
  }

private:
  DistilBertForTokenClassification(DistilBertModel distilbert, Linear classifier, std::size_t labels)
      : distilbert_(std::move(distilbert)), classifier_(classifier), labels_(labels) {}

  DistilBertModel distilbert_;
  Linear classifier_;
  std::size_t labels_;
};

} // namespace distilbert
