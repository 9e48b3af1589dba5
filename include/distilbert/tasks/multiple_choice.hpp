#pragma once
// A prompt and its choices in, the likeliest choice out: the head, and the whole path through it.

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "task.hpp"

namespace distilbert {

/// DistilBertForMultipleChoice: the head of a sequence classification with one label, the logit of a text, which is the
/// prompt with one of its choices. Thread-safe as DistilBertModel is.
class DistilBertForMultipleChoice : public DistilBertForSequenceClassification {
public:
  /// Throws also ErrorCode::unsupported_architecture for a model of several labels.
  static DistilBertForMultipleChoice load(const PackedModel& weights, const DistilBertConfig& config) {
    if (config.num_labels() != 1)
      throw Error(ErrorCode::unsupported_architecture, "multiple choice: a model of one label expected, one of " +
                                                           std::to_string(config.num_labels()) + " found");
    return DistilBertForMultipleChoice(DistilBertForSequenceClassification::load(weights, config));
  }

private:
  explicit DistilBertForMultipleChoice(DistilBertForSequenceClassification head)
      : DistilBertForSequenceClassification(std::move(head)) {}
};

/// What a MultipleChoice says of one prompt.
struct ChoiceAnswer {
  std::size_t best = 0;      // the choice of the best score; the first among equals
  std::vector<float> scores; // [choices]: softmax of the logits
  std::vector<float> logits; // [choices]
  bool truncated = false;    // the prompt was too long with one of the choices
};

/// Multiple choice with everything that belongs to it.
///
/// A choice's logit does not depend, to the last bit, on the other choices or on the number of threads.
/// Immutable once loaded; all methods may be called from any number of threads at once. Movable, not copyable.
class MultipleChoice {
public:
  /// Loads a model directory, converted or as Hugging Face writes it. Throws Error with the reason if it is not one.
  static MultipleChoice from_pretrained(const std::filesystem::path& directory, const LoadOptions& options = {}) {
    return MultipleChoice(Task::from_pretrained(directory, options));
  }

  /// Loads a model that lies in memory, as TextClassifier does.
  static MultipleChoice from_memory(const ModelBytes& files, const LoadOptions& options = {}) {
    return MultipleChoice(Task::from_memory(files, options));
  }

  /// Reads the prompt with each of the choices as a pair, cut by Hugging Face's "longest_first" where they are too long
  /// together. Throws ErrorCode::invalid_argument for no choices; invalid_utf8 (by default) and non_finite_result name
  /// the choice as a text.
  ChoiceAnswer choose(std::string_view prompt, const std::vector<std::string_view>& choices) const {
    if (choices.empty())
      throw Error(ErrorCode::invalid_argument, "no choices");
    ChoiceAnswer answer;
    answer.logits.resize(choices.size());
    std::vector<char> truncated(choices.size()); // of bytes, for threads write side by side
    const auto pair = [&](std::size_t i) { return TextPair{prompt, choices[i]}; };
    task_.run(
        choices.size(), [&](std::size_t i) { return task_.guess(pair(i)); },
        [&](std::size_t i, Batch& batch) { truncated[i] = task_.append(pair(i), batch); },
        [&](std::size_t first, const Batch& batch, const float* logits) {
          std::copy_n(logits, batch.texts(), answer.logits.begin() + static_cast<std::ptrdiff_t>(first));
        });
    answer.scores = answer.logits;
    detail::apply(active_kernels().softmax, answer.scores);
    Task::check_finite(answer.scores.data(), answer.scores.size(), 0);
    const auto best = std::max_element(answer.scores.begin(), answer.scores.end());
    answer.best = static_cast<std::size_t>(best - answer.scores.begin());
    answer.truncated = std::find(truncated.begin(), truncated.end(), true) != truncated.end();
    return answer;
  }

  const DistilBertConfig& config() const { return task_.config(); }
  const Tokenizer& tokenizer() const { return task_.tokenizer(); }
  /// Precision of the weights
  Precision precision() const { return task_.precision(); }
  /// Tokens of one text, special tokens included, that are read
  std::size_t max_length() const { return task_.max_length(); }
  /// See TextClassifier.
  std::size_t memory_bound() const { return task_.memory_bound(); }
  std::size_t idle_memory() const { return task_.idle_memory(); }

private:
  using Task = detail::Task<DistilBertForMultipleChoice>;

  explicit MultipleChoice(Task task) : task_(std::move(task)) {}

  Task task_;
};

} // namespace distilbert
