#pragma once
// Text in, its entities out: named entities, parts of speech and the like.

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "entities.hpp"
#include "task.hpp"
#include "token_classification.hpp"

namespace distilbert {

struct TokenClassifierOptions {
  Aggregation aggregation = Aggregation::none;
  /// Entities with these labels (as Entity::label has them) are left out.
  std::vector<std::string> ignore_labels{"O"};
  /// Without it a text is read up to max_length() tokens. With it, to its end: in windows of which consecutive ones
  /// share so many tokens; of entities that overlap then, the longest stays, or the surest among equally long ones.
  std::optional<std::size_t> stride;
  /// What Entity::begin and end count.
  OffsetUnit offset_unit = OffsetUnit::bytes;
};

/// What the model says of each token of one text.
struct TokenScores {
  Encoding tokens;           // special tokens included, up to max_length()
  std::vector<float> scores; // [tokens, labels], row-major, each row the softmax over the labels
};

/// Token classification with everything that belongs to it: tokenizer, model, labels, and the rules by which tokens
/// become entities. Entities are those of transformers' token-classification pipeline.
///
///   const auto classifier = TokenClassifier::from_pretrained("ner");
///   TokenClassifierOptions options;
///   options.aggregation = Aggregation::simple;
///   for (const Entity& entity : classifier.classify("Maria Smith lives in Oxford.", options))
///     std::printf("%s: %s\n", entity.label.c_str(), entity.word.c_str());       // PER: maria smith, LOC: oxford
///
/// A text's entities do not depend, to the last bit, on what else is in the call or on the number of threads.
/// Immutable once loaded; all methods may be called from any number of threads at once. Movable, not copyable.
class TokenClassifier {
public:
  /// Loads a model directory, converted or as Hugging Face writes it. Throws Error with the reason if it is not one.
  static TokenClassifier from_pretrained(const std::filesystem::path& directory, const LoadOptions& options = {}) {
    return TokenClassifier(Task::from_pretrained(directory, options));
  }

  /// Loads a model that lies in memory, as TextClassifier::from_memory.
  static TokenClassifier from_memory(const ModelBytes& files, const LoadOptions& options = {}) {
    return TokenClassifier(Task::from_memory(files, options));
  }

  /// The entities of a text, in its order. Throws ErrorCode::invalid_utf8 (by default), non_finite_result, and
  /// invalid_truncation for a stride too large.
  std::vector<Entity> classify(std::string_view text, const TokenClassifierOptions& options = {}) const {
    return classify(std::vector<std::string_view>{text}, options).front();
  }

  /// The same in the order of the texts. An error names the index of its text.
  std::vector<std::vector<Entity>> classify(const std::vector<std::string_view>& texts,
                                            const TokenClassifierOptions& options = {}) const {
    const detail::EntityFinder finder(tokenizer(), config().id2label, options.aggregation, options.ignore_labels);
    const auto windows = task_.windows_of(texts, options.stride);
    std::vector<std::vector<Entity>> found(windows.encodings.size());
    run(windows, [&](std::size_t w, const std::vector<float>& scores) {
      found[w] = finder.find(texts[windows.text_of(w)], windows.encodings[w], scores.data());
    });
    std::vector<std::vector<Entity>> answers(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      for (std::size_t w = windows.first[i]; w < windows.first[i + 1]; ++w)
        std::move(found[w].begin(), found[w].end(), std::back_inserter(answers[i]));
      if (windows.first[i + 1] - windows.first[i] > 1)
        answers[i] = detail::without_overlaps(texts[i], std::move(answers[i]));
      std::vector<std::uint32_t*> positions;
      for (Entity& entity : answers[i])
        positions.insert(positions.end(), {&entity.begin, &entity.end});
      detail::convert_positions(texts[i], options.offset_unit, std::move(positions));
    }
    return answers;
  }
  std::vector<std::vector<Entity>> classify(const std::vector<std::string>& texts,
                                            const TokenClassifierOptions& options = {}) const {
    return classify(std::vector<std::string_view>(texts.begin(), texts.end()), options);
  }
  std::vector<std::vector<Entity>> classify(std::initializer_list<std::string_view> texts,
                                            const TokenClassifierOptions& options = {}) const {
    return classify(std::vector<std::string_view>(texts), options);
  }

  /// The scores of all tokens, with the tokens' places in that unit. Throws as classify does.
  TokenScores scores(std::string_view text, OffsetUnit offset_unit = OffsetUnit::bytes) const {
    return scores(std::vector<std::string_view>{text}, offset_unit).front();
  }
  std::vector<TokenScores> scores(const std::vector<std::string_view>& texts,
                                  OffsetUnit offset_unit = OffsetUnit::bytes) const {
    auto windows = task_.windows_of(texts, std::nullopt, offset_unit);
    std::vector<TokenScores> answers(texts.size());
    run(windows, [&](std::size_t i, std::vector<float>& scores) { answers[i].scores = std::move(scores); });
    for (std::size_t i = 0; i < texts.size(); ++i)
      answers[i].tokens = std::move(windows.encodings[i]);
    return answers;
  }

  const DistilBertConfig& config() const { return task_.config(); }
  const Tokenizer& tokenizer() const { return task_.tokenizer(); }
  /// Precision of the weights
  Precision precision() const { return task_.precision(); }
  /// Tokens of one text, or of one window, special tokens included, that are read
  std::size_t max_length() const { return task_.max_length(); }
  /// See TextClassifier.
  std::size_t memory_bound() const { return task_.memory_bound(); }
  std::size_t idle_memory() const { return task_.idle_memory(); }

private:
  using Task = detail::Task<DistilBertForTokenClassification>;

  explicit TokenClassifier(Task task) : task_(std::move(task)) {}

  /// body(w, scores [tokens, labels] of window w), from several threads at once.
  template <class Body> void run(const Task::Windows& windows, const Body& body) const {
    task_.run(windows, [&](std::size_t first, const Batch& batch, const float* logits) {
      const std::size_t labels = task_.model().width();
      std::vector<float> row(padded(labels));
      for (std::size_t i = 0; i < batch.texts(); ++i) {
        std::vector<float> scores;
        for (std::size_t token = batch.offsets[i]; token < batch.offsets[i + 1]; ++token) {
          std::copy_n(logits + token * labels, labels, row.data());
          active_kernels().softmax(row.data(), labels);
          scores.insert(scores.end(), row.data(), row.data() + labels);
        }
        // logits too far apart for fp32 have no softmax
        Task::check_finite(scores.data(), scores.size(), windows.text_of(first + i));
        body(first + i, scores);
      }
    });
  }

  Task task_;
};

} // namespace distilbert
