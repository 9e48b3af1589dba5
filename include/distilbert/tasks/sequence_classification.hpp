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

  std::size_t labels() const { return labels_; }

  /// batch -> logits [texts, labels]. Throws as DistilBertModel::forward does.
  void forward(const Batch& batch, Workspace& workspace, float* logits) const {
    const Rows hidden = distilbert_.forward(batch, workspace);
    const auto dim = hidden.cols();
    const auto texts = static_cast<Eigen::Index>(batch.texts());
    // no text has fewer tokens than one, so the encoder's buffers are wide enough for the head
    Rows cls(workspace.projected(batch.texts()).data(), texts, dim);
    const Rows pooled(workspace.context(batch.texts()).data(), texts, dim);
    for (Eigen::Index text = 0; text < texts; ++text)
      cls.row(text) = hidden.row(static_cast<Eigen::Index>(batch.offsets[static_cast<std::size_t>(text)]));
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
