#pragma once
// The head that says of each token how likely an answer starts there, and how likely one ends there.

#include <algorithm>

#include "../nn/distilbert_model.hpp"

namespace distilbert {

/// DistilBertForQuestionAnswering: qa_outputs of every hidden state. A BERT's head is the same. Thread-safe as
/// DistilBertModel is.
class DistilBertForQuestionAnswering {
public:
  static DistilBertForQuestionAnswering load(const PackedModel& weights, const DistilBertConfig& config) {
    return {DistilBertModel::load(weights, config),
            Linear::load(weights, "qa_outputs", {1, start_and_end}, {1, config.dim})};
  }

  std::size_t width() const { return start_and_end; }
  std::size_t rows(const Batch& batch) const { return batch.tokens(); }

  /// batch -> logits [rows, width]: for each token its start logit and its end logit. Throws, and uses the pool, as
  /// DistilBertModel::forward does.
  void forward(const Batch& batch, Workspace& workspace, float* logits, ThreadPool* pool = nullptr) const {
    const Rows hidden = distilbert_.forward(batch, workspace, pool);
    const Rows padded_logits = workspace.logits(batch.tokens());
    qa_outputs_.forward(hidden, padded_logits, workspace);
    for (std::size_t token = 0; token < batch.tokens(); ++token)
      std::copy_n(padded_logits.data() + token * padded(start_and_end), start_and_end, logits + token * start_and_end);
  }

private:
  static constexpr std::size_t start_and_end = 2;

  DistilBertForQuestionAnswering(DistilBertModel distilbert, Linear qa_outputs)
      : distilbert_(std::move(distilbert)), qa_outputs_(qa_outputs) {}

  DistilBertModel distilbert_;
  Linear qa_outputs_;
};

} // namespace distilbert
