#pragma once
// Text in, label out: the whole path of a text through the library.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../text/tokenizer.hpp"
#include "../threads/cpu_count.hpp"
#include "../threads/thread_pool.hpp"
#include "sequence_classification.hpp"

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

/// The files of a model, in memory: of a program, say, that carries its model inside. A tokenizer.json has no place
/// here.
struct ModelBytes {
  std::string_view config;           // config.json
  std::string_view tokenizer_config; // tokenizer_config.json; may be empty
  std::string_view vocabulary;       // vocab.txt; may be empty if the weights are converted and carry it
  std::string_view weights;          // model.safetensors; of a converted model it must start at a multiple of 64 bytes
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
    const auto config = DistilBertConfig::from_pretrained(directory);
    const auto weights = PackedModel::from_pretrained(directory, config, options);
    const auto vocabulary = named(directory / "model.safetensors", [&] { return vocabulary_of(weights); });
    auto tokenizer = Tokenizer::from_pretrained(directory, tokenizer_options(options), vocabulary);
    return from_parts(config, std::move(tokenizer), weights, options);
  }

  /// Loads a model that lies in memory. Converted weights are used where they lie, and must outlive the classifier; so
  /// is the vocabulary that they carry, unless files.vocabulary holds another. options.memory has no meaning here. An
  /// error in one part begins with its name as a file.
  static TextClassifier from_memory(const ModelBytes& files, const LoadOptions& options = {}) {
    const auto config = named("config.json", [&] { return DistilBertConfig::from_json(files.config); });
    const auto weights = named("model.safetensors", [&] {
      const auto* bytes = reinterpret_cast<const unsigned char*>(files.weights.data());
      return PackedModel::from_safetensors(SafeTensors::parse(bytes, files.weights.size()), config, options);
    });
    const auto vocabulary = named("model.safetensors", [&] { return vocabulary_of(weights); });
    auto tokenizer =
        Tokenizer::from_memory(files.vocabulary, files.tokenizer_config, tokenizer_options(options), vocabulary);
    return from_parts(config, std::move(tokenizer), weights, options);
  }

  /// Throws ErrorCode::invalid_utf8 (by default), non_finite_result.
  Classification classify(std::string_view text) const { return classify(std::vector<std::string_view>{text}).front(); }

  /// The answers in the order of the texts. An error names the index of its text.
  std::vector<Classification> classify(const std::vector<std::string_view>& texts) const {
    std::vector<Classification> answers(texts.size());
    for_each_batch(texts,
                   [&](std::size_t first, const Batch& batch, const std::vector<bool>& truncated, float* logits) {
                     for (std::size_t i = 0; i < batch.texts(); ++i)
                       answers[first + i] = answer(first + i, logits + i * labels(), batch.length(i), truncated[i]);
                   });
    return answers;
  }
  std::vector<Classification> classify(const std::vector<std::string>& texts) const {
    return classify(std::vector<std::string_view>(texts.begin(), texts.end()));
  }
  std::vector<Classification> classify(std::initializer_list<std::string_view> texts) const {
    return classify(std::vector<std::string_view>(texts));
  }

  /// The logits [texts, labels], row-major.
  std::vector<float> logits(const std::vector<std::string_view>& texts) const {
    std::vector<float> all(texts.size() * labels());
    for_each_batch(texts, [&](std::size_t first, const Batch& batch, const std::vector<bool>&, const float* logits) {
      std::copy_n(logits, batch.texts() * labels(), all.data() + first * labels());
    });
    return all;
  }

  /// The same for texts that are token ids already, special tokens included; nothing is added or cut.
  /// Throws ErrorCode::invalid_token_id, text_too_long, invalid_argument for a text without ids.
  std::vector<float> logits(const std::vector<std::vector<std::int32_t>>& texts) const {
    std::vector<float> all(texts.size() * labels());
    const auto tokens_of = [&](std::size_t i) { return texts[i].size(); };
    run_batches(texts.size(), tokens_of, [&](std::size_t first, std::size_t last, ThreadPool* pool) {
      Batch batch;
      batch.first_text = first;
      for (std::size_t i = first; i < last; ++i)
        batch.add(texts[i].data(), texts[i].size());
      forward(batch, all.data() + first * labels(), pool);
    });
    return all;
  }

  const DistilBertConfig& config() const { return state_->config; }
  const Tokenizer& tokenizer() const { return state_->tokenizer; }
  /// Precision of the weights
  Precision precision() const { return state_->precision; }
  /// Tokens of one text, special tokens included, that are read
  std::size_t max_length() const { return state_->max_length; }

  /// The most bytes of activations that one call holds, whatever the number and the length of its texts; calls at the
  /// same time hold as much each. They are kept for later calls. The weights, 1 MB or two of vocabulary, the answers
  /// and a few bytes for each text come on top.
  std::size_t memory_bound() const {
    // A text has at most one token for each byte, four times what for_each_batch guesses; ids may fill all positions.
    const std::size_t longest = config().max_position_embeddings, threads = state_->pool.threads();
    const std::size_t tokens = std::max(4 * batch_tokens, longest);
    const std::size_t workspace = Workspace(config()).bytes_for({tokens, batch_tokens, longest, threads});
    return threads * (workspace + AlignedBuffer::huge_page); // the last page of which may be empty
  }
  /// Bytes of activations that lie ready for the next calls; those that running calls use are not among them.
  std::size_t idle_memory() const { return state_->workspaces.bytes(); }

private:
  /// Tokens that one thread runs at a time: enough to keep the products busy, few enough to stay in its cache.
  static constexpr std::size_t batch_tokens = 256;

  struct State {
    DistilBertConfig config;
    Tokenizer tokenizer;
    DistilBertForSequenceClassification model;
    Precision precision;
    std::size_t max_length;
    ThreadPool pool;
    WorkspacePool workspaces;
  };

  TextClassifier(const DistilBertConfig& config, Tokenizer tokenizer, const PackedModel& weights,
                 const LoadOptions& options)
      : state_(new State{config, std::move(tokenizer), DistilBertForSequenceClassification::load(weights, config),
                         weights.precision(), max_length_of(config, options.max_length),
                         ThreadPool(thread_count(options.threads)), WorkspacePool(config)}) {
    if (state_->tokenizer.vocabulary_size() > config.vocab_size)
      throw Error(ErrorCode::invalid_vocabulary,
                  "the tokenizer has ids up to " + std::to_string(state_->tokenizer.vocabulary_size() - 1) +
                      ", the model " + std::to_string(config.vocab_size) + " embeddings");
  }

  static TextClassifier from_parts(const DistilBertConfig& config, Tokenizer tokenizer, const PackedModel& weights,
                                   const LoadOptions& options) {
    TextClassifier classifier(config, std::move(tokenizer), weights, options);
    if (options.selfcheck)
      classifier.selfcheck(weights.probe());
    return classifier;
  }

  static TokenizerOptions tokenizer_options(const LoadOptions& options) {
    TokenizerOptions text_options;
    text_options.encode_special_tokens = options.encode_special_tokens;
    text_options.invalid_utf8 = options.invalid_utf8;
    text_options.memory = options.memory;
    return text_options;
  }

  static std::optional<Vocabulary> vocabulary_of(const PackedModel& weights) {
    return weights.vocabulary() ? std::optional(Vocabulary::from_packed(*weights.vocabulary())) : std::nullopt;
  }

  /// load(), the errors of which get the name in front.
  template <class Load> static auto named(const std::filesystem::path& name, const Load& load) -> decltype(load()) {
    try {
      return load();
    } catch (const Error& e) {
      rethrow_within(name.string(), e);
    }
  }

  static std::size_t max_length_of(const DistilBertConfig& config, std::size_t asked) {
    const std::size_t most = config.max_position_embeddings;
    if (asked == 1 || asked > most || most < 2)
      throw Error(ErrorCode::invalid_truncation,
                  "max_length " + std::to_string(asked) + ", possible are 2 to " + std::to_string(most));
    return asked ? asked : most;
  }

  std::size_t labels() const { return state_->model.labels(); }

  /// Tokenises and runs the texts in batches: body(index of the first text, batch, truncated by text, logits)
  template <class Body> void for_each_batch(const std::vector<std::string_view>& texts, const Body& body) const {
    // English has four to five bytes a token; a wrong guess costs a little speed, nothing else
    const auto guess = [&](std::size_t i) { return std::min(texts[i].size() / 4 + 2, max_length()); };
    run_batches(texts.size(), guess, [&](std::size_t first, std::size_t last, ThreadPool* pool) {
      Batch batch;
      batch.first_text = first;
      std::vector<bool> truncated;
      for (std::size_t i = first; i < last; ++i) {
        try {
          truncated.push_back(tokenizer().append_ids(texts[i], max_length(), batch.ids).truncated);
        } catch (const Error& e) {
          if (texts.size() == 1) // a text alone needs no number
            throw;
          rethrow_within("text " + std::to_string(i), e);
        }
        batch.end_text();
      }
      std::vector<float> logits(batch.texts() * labels());
      forward(batch, logits.data(), pool);
      body(first, batch, truncated, logits.data());
    });
  }

  /// Splits [0, count) into runs of about batch_tokens: body(first, last, the pool that it may use). The threads take a
  /// run each; where there are fewer runs than threads, they share each run.
  template <class Tokens, class Body>
  void run_batches(std::size_t count, const Tokens& tokens_of, const Body& body) const {
    std::vector<std::size_t> bounds{0};
    std::size_t tokens = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (tokens > 0 && tokens + tokens_of(i) > batch_tokens) {
        bounds.push_back(i);
        tokens = 0;
      }
      tokens += tokens_of(i);
    }
    if (count > 0)
      bounds.push_back(count);
    const std::size_t batches = bounds.size() - 1;
    if (batches < state_->pool.threads())
      for (std::size_t i = 0; i < batches; ++i)
        body(bounds[i], bounds[i + 1], &state_->pool);
    else
      state_->pool.parallel_for(batches, [&](std::size_t i) { body(bounds[i], bounds[i + 1], nullptr); });
  }

  void forward(const Batch& batch, float* logits, ThreadPool* pool) const {
    const auto workspace = state_->workspaces.borrow();
    state_->model.forward(batch, *workspace, logits, pool);
    check_finite(logits, batch.first_text, batch.texts());
  }

  /// values [texts, labels], the first of which belong to text `first`
  void check_finite(const float* values, std::size_t first, std::size_t texts) const {
    for (std::size_t i = 0; i < texts * labels(); ++i)
      if (!std::isfinite(values[i]))
        throw Error(ErrorCode::non_finite_result, "text " + std::to_string(first + i / labels()));
  }

  Classification answer(std::size_t text, const float* logits, std::size_t token_count, bool truncated) const {
    Classification answer;
    answer.logits.assign(logits, logits + labels());
    answer.scores.resize(padded(labels()));
    std::copy_n(logits, labels(), answer.scores.data());
    const auto problem = config().problem_type;
    if (problem != ProblemType::regression) {
      const bool independent = problem == ProblemType::multi_label_classification || labels() == 1;
      (independent ? active_kernels().sigmoid : active_kernels().softmax)(answer.scores.data(), labels());
    }
    answer.scores.resize(labels());
    check_finite(answer.scores.data(), text, 1); // logits too far apart for fp32 have no softmax
    const auto best = std::max_element(answer.scores.begin(), answer.scores.end());
    answer.label = config().id2label[static_cast<std::size_t>(best - answer.scores.begin())];
    answer.score = *best;
    answer.token_count = token_count;
    answer.truncated = truncated;
    return answer;
  }

  void selfcheck(const std::optional<Probe>& probe) const {
    if (!probe)
      throw Error(ErrorCode::probe_mismatch, "no probe is stored with it; convert the model first");
    detail::check_probe(probe->logits, logits({probe->ids}), precision());
  }

  std::unique_ptr<State> state_;
};

} // namespace distilbert
