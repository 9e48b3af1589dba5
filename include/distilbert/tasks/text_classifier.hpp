#pragma once
// Text in, label out: the whole path of a text through the library.

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "task.hpp"

namespace distilbert {

/// What a TextClassifier says of one text.
struct Classification {
  std::string label;           // id2label of the best score; the lowest id among equals
  float score = 0;             // scores of that label
  std::vector<float> scores;   // [labels], by id; see TextClassifier
  std::vector<float> logits;   // [labels], by id: what the scores are made of
  std::size_t token_count = 0; // tokens that were read, special tokens included
  bool truncated = false;      // the text had more tokens than max_length(); the rest was not read
};

/// Sequence classification with everything that belongs to it: tokenizer, model, labels.
///
/// Scores follow transformers' text-classification pipeline: the bare logits if problem_type is "regression", else the
/// sigmoid of each if it is "multi_label_classification" or there is one label, else their softmax.
/// A text's scores do not depend, to the last bit, on what else is in the call or on the number of threads.
/// Immutable once loaded; all methods may be called from any number of threads at once. Movable, not copyable.
class TextClassifier {
public:
  /// Loads a model directory, converted or as Hugging Face writes it. Throws Error with the reason if it is not one.
  static TextClassifier from_pretrained(const std::filesystem::path& directory, const LoadOptions& options = {}) {
    return TextClassifier(Task::from_pretrained(directory, options));
  }

  /// Loads a model that lies in memory. Converted weights are used where they lie, and must outlive the classifier; so
  /// is the vocabulary that they carry, unless files.vocabulary holds another. options.memory has no meaning here. An
  /// error in one part begins with its name as a file.
  static TextClassifier from_memory(const ModelBytes& files, const LoadOptions& options = {}) {
    return TextClassifier(Task::from_memory(files, options));
  }

  /// Throws ErrorCode::invalid_utf8 (by default), non_finite_result.
  Classification classify(std::string_view text) const { return classify(std::vector<std::string_view>{text}).front(); }

  /// The answers in the order of the texts. An error names the index of its text.
  std::vector<Classification> classify(const std::vector<std::string_view>& texts) const { return classify_all(texts); }
  std::vector<Classification> classify(const std::vector<std::string>& texts) const {
    return classify(std::vector<std::string_view>(texts.begin(), texts.end()));
  }
  std::vector<Classification> classify(std::initializer_list<std::string_view> texts) const {
    return classify(std::vector<std::string_view>(texts));
  }

  /// The same for pairs of texts, of which `truncation` says what is cut where they are too long together. Throws also
  /// ErrorCode::invalid_truncation if it may cut one text only, and the other alone is too long.
  std::vector<Classification> classify_pairs(const std::vector<TextPair>& pairs,
                                             TruncationStrategy truncation = TruncationStrategy::longest_first) const {
    return classify_all(pairs, truncation);
  }

  /// The same for texts that are encoded already; nothing is added or cut. Throws ErrorCode::invalid_token_id,
  /// text_too_long, invalid_argument for a text without tokens.
  std::vector<Classification> classify_encoded(const std::vector<Encoding>& texts) const { return classify_all(texts); }

  /// The same for texts that are read to their end, however long: in windows of max_length() tokens, of which
  /// consecutive ones share `stride` tokens. A text's logits are the mean of its windows', each weighted by the tokens
  /// that no window before it had. A text of one window gets exactly what classify() says of it.
  /// token_count is that of all windows together. Throws also ErrorCode::invalid_truncation for a stride too large.
  std::vector<Classification> classify_windows(const std::vector<std::string_view>& texts, std::size_t stride) const {
    const auto windows = task_.windows_of(texts, stride);
    std::vector<float> logits(windows.encodings.size() * labels());
    task_.run(windows, [&](std::size_t first, const Batch& batch, const float* answer) {
      std::copy_n(answer, batch.texts() * labels(), logits.data() + first * labels());
    });
    std::vector<Classification> answers(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i)
      set_answer(answers[i], i, windows.mean(i, logits, labels()).data(), windows.token_count(i));
    return answers;
  }

  /// The logits [texts, labels], row-major.
  std::vector<float> logits(const std::vector<std::string_view>& texts) const {
    return logits_of(
        texts.size(), [&](std::size_t i) { return task_.guess(texts[i]); },
        [&](std::size_t i, Batch& batch) { task_.append(texts[i], batch); });
  }

  /// The same for texts that are token ids already, special tokens included; nothing is added or cut.
  /// Throws ErrorCode::invalid_token_id, text_too_long, invalid_argument for a text without ids.
  std::vector<float> logits(const std::vector<std::vector<std::int32_t>>& texts) const {
    return logits_of(
        texts.size(), [&](std::size_t i) { return texts[i].size(); },
        [&](std::size_t i, Batch& batch) { batch.add(texts[i].data(), texts[i].size()); });
  }

  const DistilBertConfig& config() const { return task_.config(); }
  const Tokenizer& tokenizer() const { return task_.tokenizer(); }
  /// Precision of the weights
  Precision precision() const { return task_.precision(); }
  /// Tokens of one text, special tokens included, that are read
  std::size_t max_length() const { return task_.max_length(); }

  /// The most bytes of activations that one call holds, whatever the number and the length of its texts; calls at the
  /// same time hold as much each. They are kept for later calls. The weights, 1 MB or two of vocabulary, the answers
  /// and a few bytes for each text come on top.
  std::size_t memory_bound() const { return task_.memory_bound(); }
  /// Bytes of activations that lie ready for the next calls; those that running calls use are not among them.
  std::size_t idle_memory() const { return task_.idle_memory(); }

private:
  using Task = detail::Task<DistilBertForSequenceClassification>;

  explicit TextClassifier(Task task) : task_(std::move(task)) {}

  std::size_t labels() const { return task_.model().width(); }

  /// `options` go to Task::append.
  template <class Text, class... Options>
  std::vector<Classification> classify_all(const std::vector<Text>& texts, Options... options) const {
    std::vector<Classification> answers(texts.size());
    task_.run(
        texts.size(), [&](std::size_t i) { return task_.guess(texts[i]); },
        [&](std::size_t i, Batch& batch) { answers[i].truncated = task_.append(texts[i], batch, options...); },
        [&](std::size_t first, const Batch& batch, const float* logits) {
          for (std::size_t i = 0; i < batch.texts(); ++i)
            set_answer(answers[first + i], first + i, logits + i * labels(), batch.length(i));
        });
    return answers;
  }

  template <class Tokens, class Append>
  std::vector<float> logits_of(std::size_t texts, const Tokens& tokens_of, const Append& append) const {
    std::vector<float> all(texts * labels());
    task_.run(texts, tokens_of, append, [&](std::size_t first, const Batch& batch, const float* logits) {
      std::copy_n(logits, batch.texts() * labels(), all.data() + first * labels());
    });
    return all;
  }

  void set_answer(Classification& answer, std::size_t text, const float* logits, std::size_t token_count) const {
    answer.logits.assign(logits, logits + labels());
    answer.scores = answer.logits;
    const auto problem = config().problem_type;
    if (problem != ProblemType::regression) {
      const bool independent = problem == ProblemType::multi_label_classification || labels() == 1;
      detail::apply(independent ? active_kernels().sigmoid : active_kernels().softmax, answer.scores);
    }
    Task::check_finite(answer.scores.data(), labels(), text); // logits too far apart for fp32 have no softmax
    const auto best = std::max_element(answer.scores.begin(), answer.scores.end());
    answer.label = config().id2label[static_cast<std::size_t>(best - answer.scores.begin())];
    answer.score = *best;
    answer.token_count = token_count;
  }

  Task task_;
};

} // namespace distilbert
