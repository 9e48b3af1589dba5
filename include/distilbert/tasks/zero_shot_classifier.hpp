#pragma once
// Text and labels in, the labels by likelihood out: classification without training for it, by a model that was trained
// on natural language inference (Yin et al. 2019).

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text_classifier.hpp"

namespace distilbert {

/// What a ZeroShotClassifier says of one text.
struct ZeroShotClassification {
  std::vector<std::string> labels; // from the likeliest to the least likely; equal ones as they were given
  std::vector<float> scores;       // theirs
  bool truncated = false;          // the text had more tokens than were left beside one of the hypotheses
};

/// Each label makes a hypothesis, "This example is sports.", and the model says how far the text entails it. Scores
/// follow transformers' zero-shot-classification pipeline.
///
/// A text's scores do not depend, to the last bit, on what else is in the call or on the number of threads.
/// Immutable once loaded; all methods may be called from any number of threads at once. Movable, not copyable.
class ZeroShotClassifier {
public:
  static constexpr std::string_view default_template = "This example is {}.";

  /// Loads a model directory as TextClassifier does. Throws also ErrorCode::invalid_config if label2id gives entailment
  /// an id that no label has.
  static ZeroShotClassifier from_pretrained(const std::filesystem::path& directory, const LoadOptions& options = {}) {
    return ZeroShotClassifier(TextClassifier::from_pretrained(directory, options));
  }

  explicit ZeroShotClassifier(TextClassifier classifier)
      : classifier_(std::move(classifier)), entailment_(find_entailment(classifier_.config())) {}

  /// Scores of the labels for one text. The hypotheses are hypothesis_template with each label in the place of its {}.
  /// Where text and hypothesis are too long together, the text is cut.
  ///   multi_label = false: one label is right, and the scores add up to 1: softmax of the entailment logits.
  ///   multi_label = true, or one label alone: softmax of entailment against contradiction, for each label by itself.
  ///   Contradiction is label 0 of the model, its last one if 0 is the entailment.
  /// Throws ErrorCode::invalid_argument for no labels and for a template that does not hold exactly one {},
  /// invalid_truncation for a hypothesis that leaves no room for the text, and what TextClassifier::classify throws.
  ZeroShotClassification classify(std::string_view text, const std::vector<std::string>& labels,
                                  std::string_view hypothesis_template = default_template,
                                  bool multi_label = false) const {
    return classify(std::vector<std::string_view>{text}, labels, hypothesis_template, multi_label).front();
  }

  /// The answers in the order of the texts. The texts that an error counts are pairs: that of text i and label j has
  /// the number i * labels.size() + j.
  std::vector<ZeroShotClassification> classify(const std::vector<std::string_view>& texts,
                                               const std::vector<std::string>& labels,
                                               std::string_view hypothesis_template = default_template,
                                               bool multi_label = false) const {
    const std::vector<std::string> hypotheses = hypotheses_of(labels, hypothesis_template);
    std::vector<TextPair> pairs;
    for (const std::string_view text : texts)
      for (const std::string& hypothesis : hypotheses)
        pairs.push_back({text, hypothesis});
    const auto judged = classifier_.classify_pairs(pairs, TruncationStrategy::only_first);
    std::vector<ZeroShotClassification> answers;
    for (auto first = judged.begin(); first != judged.end(); first += static_cast<std::ptrdiff_t>(labels.size()))
      answers.push_back(ranked(labels, &*first, multi_label));
    return answers;
  }

  /// The id of the label that stands for entailment: the first in config.json's label2id whose name begins with
  /// "entail", in upper or lower case. Only where there is no label2id, id2label tells. If it is empty, the
  /// last label is taken for entailment, which is a guess.
  std::optional<std::size_t> entailment_id() const { return entailment_; }

  const TextClassifier& classifier() const { return classifier_; }
  const DistilBertConfig& config() const { return classifier_.config(); }
  const Tokenizer& tokenizer() const { return classifier_.tokenizer(); }
  /// See TextClassifier.
  Precision precision() const { return classifier_.precision(); }
  std::size_t max_length() const { return classifier_.max_length(); }
  std::size_t memory_bound() const { return classifier_.memory_bound(); }
  std::size_t idle_memory() const { return classifier_.idle_memory(); }

private:
  static std::optional<std::size_t> find_entailment(const DistilBertConfig& config) {
    const auto entails = [](const std::string& label) {
      constexpr std::string_view stem = "entail";
      return label.size() >= stem.size() && std::equal(stem.begin(), stem.end(), label.begin(), [](char a, char b) {
               return a == b || (b >= 'A' && b <= 'Z' && a == b - 'A' + 'a');
             });
    };
    const LabelIds ids = config.label_ids();
    const auto found = std::find_if(ids.begin(), ids.end(), [&](const auto& entry) { return entails(entry.first); });
    if (found == ids.end())
      return std::nullopt;
    if (!found->second)
      throw Error(ErrorCode::invalid_config, "label2id: an id from 0 to " + std::to_string(config.num_labels() - 1) +
                                                 " expected for " + detail::quote(found->first));
    return found->second;
  }

  static std::vector<std::string> hypotheses_of(const std::vector<std::string>& labels, std::string_view text) {
    if (labels.empty())
      throw Error(ErrorCode::invalid_argument, "no labels");
    const std::size_t at = text.find("{}");
    if (at == text.npos || text.find("{}", at + 2) != text.npos)
      throw Error(ErrorCode::invalid_argument,
                  "hypothesis_template: one {} expected, " + detail::quote(text) + " found");
    std::vector<std::string> hypotheses;
    for (const std::string& label : labels)
      hypotheses.push_back(std::string(text.substr(0, at)) + label + std::string(text.substr(at + 2)));
    return hypotheses;
  }

  /// `judged` [labels]: what the model says of the text with each hypothesis
  ZeroShotClassification ranked(const std::vector<std::string>& labels, const Classification* judged,
                                bool multi_label) const {
    const auto softmax = active_kernels().softmax;
    const std::size_t entailment = entailment_.value_or(config().num_labels() - 1),
                      contradiction = entailment == 0 ? classifier_.config().num_labels() - 1 : 0;
    std::vector<float> scores;
    for (std::size_t i = 0; i < labels.size(); ++i)
      scores.push_back(judged[i].logits[entailment]);
    if (multi_label || labels.size() == 1)
      for (std::size_t i = 0; i < labels.size(); ++i) {
        std::vector<float> against{judged[i].logits[contradiction], scores[i]};
        detail::apply(softmax, against);
        scores[i] = against[1];
      }
    else
      detail::apply(softmax, scores);

    std::vector<std::size_t> order(labels.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    ZeroShotClassification answer;
    for (const std::size_t i : order) {
      answer.labels.push_back(labels[i]);
      answer.scores.push_back(scores[i]);
      answer.truncated = answer.truncated || judged[i].truncated;
    }
    return answer;
  }

  TextClassifier classifier_;
  std::optional<std::size_t> entailment_;
};

} // namespace distilbert
