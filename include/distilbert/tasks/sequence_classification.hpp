#pragma once
// The head that gives one row of logits for each text, from its [CLS] token.

#include <algorithm>

#include "../nn/distilbert_model.hpp"

namespace distilbert {

/// DistilBertForSequenceClassification: classifier(relu(pre_classifier([CLS]))). A BERT's head is the same with its
/// pooler as pre_classifier and tanh. Thread-safe as DistilBertModel is.
class DistilBertForSequenceClassification {
public:
  static DistilBertForSequenceClassification load(const PackedModel& weights, const DistilBertConfig& config) {
    return {DistilBertModel::load(weights, config),
            Linear::load(weights, "pre_classifier", {1, config.dim}, {1, config.dim}),
            Linear::load(weights, "classifier", {1, config.num_labels()}, {1, config.dim}), config};
  }

  std::size_t width() const { return labels_; }
  std::size_t rows(const Batch& batch) const { return batch.texts(); }

  /// batch -> logits [rows, width], a row of labels for each text. Throws, and uses the pool, as
  /// DistilBertModel::forward does.
  void forward(const Batch& batch, Workspace& workspace, float* logits, ThreadPool* pool = nullptr) const {
    const Rows cls = distilbert_.forward_cls(batch, workspace, pool);
    const Rows pooled = workspace.projected(batch.texts());
    pre_classifier_.forward(cls, pooled, workspace, activation_);
    const Rows padded_logits = workspace.logits(batch.texts());
    classifier_.forward(pooled, padded_logits, workspace);
    for (std::size_t text = 0; text < batch.texts(); ++text)
      std::copy_n(padded_logits.data() + text * padded(labels_), labels_, logits + text * labels_);
  }

private:
  DistilBertForSequenceClassification(DistilBertModel distilbert, Linear pre_classifier, Linear classifier,
                                      const DistilBertConfig& config)
      : distilbert_(std::move(distilbert)), pre_classifier_(pre_classifier), classifier_(classifier),
        activation_(config.pre_classifier_activation == Activation::tanh ? Epilogue::tanh : Epilogue::relu),
        labels_(config.num_labels()) {}

  DistilBertModel distilbert_;
  Linear pre_classifier_, classifier_;
  Epilogue activation_;
  std::size_t labels_;
};

} // namespace distilbert
