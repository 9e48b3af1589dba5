#pragma once
// What the whole paths share: a tokenizer, a model with its head, and the threads and memory that run them.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../nn/distilbert_model.hpp"
#include "../text/tokenizer.hpp"
#include "../threads/cpu_count.hpp"
#include "../threads/thread_pool.hpp"
#include "sequence_classification.hpp"

namespace distilbert {

/// The files of a model, in memory: of a program, say, that carries its model inside. A tokenizer.json has no place
/// here.
struct ModelBytes {
  std::string_view config;           // config.json
  std::string_view tokenizer_config; // tokenizer_config.json; may be empty
  std::string_view vocabulary;       // vocab.txt; may be empty if the weights are converted and carry it
  std::string_view weights;          // model.safetensors; of a converted model it must start at a multiple of 64 bytes
};

/// Two texts that a model reads as one, [CLS] first [SEP] second [SEP]: premise and hypothesis, query and passage.
struct TextPair {
  std::string_view first, second;
};

namespace detail {

/// Replays the probe of a converted model, whatever it is loaded for. Throws probe_mismatch, also if it has none.
inline void selfcheck(const PackedModel& weights, const DistilBertConfig& config) {
  if (!weights.probe())
    throw Error(ErrorCode::probe_mismatch, "no probe is stored with it; convert the model first");
  const Probe& probe = *weights.probe();
  if (!probe.cls.empty())
    return DistilBertModel::load(weights, config).selfcheck(weights, config);
  Batch batch;
  batch.add(probe.ids.data(), probe.ids.size());
  Workspace workspace(config);
  std::vector<float> logits(config.num_labels());
  DistilBertForSequenceClassification::load(weights, config).forward(batch, workspace, logits.data());
  check_probe(probe.logits, logits, weights.precision());
}

/// Applies a function of the kernels to values that lie in unpadded memory.
inline void apply(void (*function)(float* x, std::size_t count), std::vector<float>& values) {
  const std::size_t count = values.size();
  values.resize(padded(count));
  function(values.data(), count);
  values.resize(count);
}

/// A model with all that it takes to run texts through it. Immutable once loaded; all methods may be called from any
/// number of threads at once. Movable, not copyable. `Model` is a head, which has (each_batch() needs load alone)
///   static Model load(const PackedModel&, const DistilBertConfig&, more...)
///   std::size_t width() const                 floats of one row of its answer
///   std::size_t rows(const Batch&) const      rows of its answer to a batch: one for each text, or for each token
///   void forward(const Batch&, Workspace&, float* answer, ThreadPool*) const      answer [rows, width]
template <class Model> class Task {
public:
  /// `more` goes to Model::load. Errors: those of each part; probe_mismatch if options.selfcheck finds one, or no
  /// probe.
  template <class... More>
  static Task from_pretrained(const std::filesystem::path& directory, const LoadOptions& options, const More&... more) {
    const auto config = DistilBertConfig::from_pretrained(directory);
    const auto weights = PackedModel::from_pretrained(directory, config, options, SmoothedRounding::find);
    const auto vocabulary = named(directory / "model.safetensors", [&] { return vocabulary_of(weights); });
    auto tokenizer = Tokenizer::from_pretrained(directory, tokenizer_options(options), vocabulary);
    return from_parts(config, std::move(tokenizer), weights, options, more...);
  }

  /// The same of files in memory. Converted weights are used where they lie, and must outlive the task; so is the
  /// vocabulary that they carry, unless files.vocabulary holds another. options.memory has no meaning here. An error in
  /// one part begins with its name as a file.
  template <class... More>
  static Task from_memory(const ModelBytes& files, const LoadOptions& options, const More&... more) {
    const auto config = named("config.json", [&] { return DistilBertConfig::from_json(files.config); });
    const auto weights = named("model.safetensors", [&] {
      const auto* bytes = reinterpret_cast<const unsigned char*>(files.weights.data());
      return PackedModel::from_safetensors(SafeTensors::parse(bytes, files.weights.size()), config, options,
                                           SmoothedRounding::find);
    });
    const auto vocabulary = named("model.safetensors", [&] { return vocabulary_of(weights); });
    auto tokenizer =
        Tokenizer::from_memory(files.vocabulary, files.tokenizer_config, tokenizer_options(options), vocabulary);
    return from_parts(config, std::move(tokenizer), weights, options, more...);
  }

  const DistilBertConfig& config() const { return state_->config; }
  const Tokenizer& tokenizer() const { return state_->tokenizer; }
  const Model& model() const { return state_->model; }
  Precision precision() const { return state_->precision; }
  /// Tokens of one text, special tokens included, that are read
  std::size_t max_length() const { return state_->max_length; }
  std::size_t threads() const { return state_->pool.threads(); }

  /// Makes max_length() that many tokens, or what the model can take if that is less or they are 0. For those who load
  /// a task, before anybody runs it. Throws invalid_truncation.
  void limit_length(std::size_t tokens) {
    state_->max_length = max_length_of(config(), std::min(tokens, config().max_position_embeddings));
  }

  /// See TextClassifier.
  std::size_t memory_bound() const {
    // A text has at most one token for each byte, four times what guess() says; ids may fill all positions.
    const std::size_t longest = config().max_position_embeddings, threads = state_->pool.threads();
    const std::size_t tokens = std::max(4 * batch_tokens, longest);
    const std::size_t workspace = Workspace(config()).bytes_for({tokens, batch_tokens, longest, threads});
    return threads * (workspace + AlignedBuffer::huge_page); // the last page of which may be empty
  }
  std::size_t idle_memory() const { return state_->workspaces.bytes(); }

  /// About how many tokens a text will have, before it is tokenised: English has four to five bytes a token. A wrong
  /// guess costs a little speed, nothing else.
  std::size_t guess(std::string_view text) const { return std::min(text.size() / 4 + 2, max_length()); }
  std::size_t guess(const TextPair& pair) const {
    return std::min((pair.first.size() + pair.second.size()) / 4 + 3, max_length());
  }
  static std::size_t guess(const Encoding& encoding) { return encoding.size(); }

  /// Appends the text to the batch. Returns whether it had more than max_length() tokens, of which the rest was left.
  bool append(std::string_view text, Batch& batch) const {
    const Side side = tokenizer().config().truncation_side;
    const bool truncated = tokenizer().append_ids(text, max_length(), batch.ids, side).truncated;
    batch.end_text();
    return truncated;
  }

  /// The same of a pair.
  bool append(const TextPair& pair, Batch& batch,
              TruncationStrategy truncation = TruncationStrategy::longest_first) const {
    EncodeOptions options;
    options.max_length = max_length();
    options.truncation = truncation;
    return append(tokenizer().encode(pair.first, pair.second, options), batch);
  }

  /// What is encoded already, as it is.
  static bool append(const Encoding& encoding, Batch& batch) {
    batch.type_ids.insert(batch.type_ids.end(), encoding.type_ids.begin(), encoding.type_ids.end());
    batch.add(encoding.ids.data(), encoding.size());
    return encoding.truncated;
  }

  /// Texts as windows.
  struct Windows {
    std::vector<Encoding> encodings; // those of text i are encodings[first[i]] to encodings[first[i + 1] - 1]
    std::vector<std::size_t> first;  // [texts + 1]
    std::size_t stride;

    /// The text of window w.
    std::size_t text_of(std::size_t w) const {
      return static_cast<std::size_t>(std::upper_bound(first.begin(), first.end(), w) - first.begin()) - 1;
    }

    /// Tokens of a text in all its windows, special tokens included.
    std::size_t token_count(std::size_t text) const {
      std::size_t tokens = 0;
      for (std::size_t w = first[text]; w < first[text + 1]; ++w)
        tokens += encodings[w].size();
      return tokens;
    }

    /// The mean of a text's rows among `rows` [windows, width], each weighted by the tokens that no window before it
    /// had; of one window, its row to the last bit.
    std::vector<float> mean(std::size_t text, const std::vector<float>& rows, std::size_t width) const {
      std::vector<float> mean(width);
      double read = 0;
      for (std::size_t w = first[text]; w < first[text + 1]; ++w) {
        const auto& special = encodings[w].special_tokens_mask;
        auto fresh = static_cast<double>(std::count(special.begin(), special.end(), 0));
        fresh = w == first[text] ? std::max(fresh, 1.0) : fresh - static_cast<double>(stride);
        read += fresh;
        for (std::size_t i = 0; i < width; ++i)
          mean[i] += static_cast<float>((double{rows[w * width + i]} - mean[i]) * (fresh / read));
      }
      return mean;
    }
  };

  /// Throws invalid_truncation if windows of max_length tokens that share `stride` would have nothing new.
  static void check_stride(std::size_t stride, std::size_t max_length) {
    const std::size_t room = room_for_text(max_length, 2);
    if (stride > 0 && stride >= room)
      throw_invalid_truncation("a stride of " + std::to_string(stride) + " in windows of " + std::to_string(room) +
                               " tokens");
  }

  /// Texts 0 to count - 1 as the windows, consecutive ones of which share `stride` tokens, that encode(i) gives. Its
  /// errors get the index of the text if there are several.
  template <class Encode> static Windows windows_of(std::size_t count, std::size_t stride, const Encode& encode) {
    Windows windows{{}, {0}, stride};
    for (std::size_t i = 0; i < count; ++i) {
      numbered(i, count, [&] {
        for (Encoding& window : encode(i))
          windows.encodings.push_back(std::move(window));
      });
      windows.first.push_back(windows.encodings.size());
    }
    return windows;
  }

  /// Texts as windows of max_length() tokens; without a stride only the first of each text. Errors:
  /// Tokenizer::encode_windows'.
  Windows windows_of(const std::vector<std::string_view>& texts, std::optional<std::size_t> stride,
                     OffsetUnit offset_unit = OffsetUnit::bytes) const {
    EncodeOptions options;
    options.max_length = max_length();
    options.offset_unit = offset_unit;
    options.stride = stride.value_or(0);
    check_stride(options.stride, options.max_length);
    return windows_of(texts.size(), options.stride, [&](std::size_t i) {
      return stride ? tokenizer().encode_windows(texts[i], options)
                    : std::vector<Encoding>{tokenizer().encode(texts[i], options)};
    });
  }

  /// Makes batches of texts 0 to count - 1, which the threads share out.
  ///   tokens_of(i)                     tokens of text i, or a guess
  ///   append(i, batch)                 appends text i to the batch; where there are several texts, its error names i
  ///   body(batch, workspace, pool)     runs the model on the batch, whose texts are batch.first_text and those after
  ///                                    it; it is called from several threads at once
  /// Throws what these do.
  template <class Tokens, class Append, class Body>
  void each_batch(std::size_t count, const Tokens& tokens_of, const Append& append, const Body& body) const {
    run_batches(count, tokens_of, [&](std::size_t first, std::size_t last, ThreadPool* pool) {
      Batch batch;
      batch.first_text = first;
      for (std::size_t i = first; i < last; ++i)
        numbered(i, count, [&] { append(i, batch); });
      const auto workspace = state_->workspaces.borrow();
      body(batch, *workspace, pool);
    });
  }

  struct Unchanged {
    std::size_t operator()(std::size_t i) const { return i; }
  };

  /// Runs texts 0 to count - 1 through the model: as each_batch, but body(first, batch, answer) takes the answer to the
  /// texts of the batch, which are first, first + 1, ... Throws also what Model::forward does, and non_finite_result,
  /// which names text i by number_of(i).
  template <class Tokens, class Append, class Body, class Number = Unchanged>
  void run(std::size_t count, const Tokens& tokens_of, const Append& append, const Body& body,
           const Number& number_of = {}) const {
    each_batch(count, tokens_of, append, [&](const Batch& batch, Workspace& workspace, ThreadPool* pool) {
      const std::size_t first = batch.first_text;
      std::vector<float> answer(model().rows(batch) * model().width());
      model().forward(batch, workspace, answer.data(), pool);
      const bool by_token = model().rows(batch) != batch.texts();
      for (std::size_t text = 0; text < batch.texts(); ++text) {
        const float* row = answer.data() + (by_token ? batch.offsets[text] : text) * model().width();
        check_finite(row, (by_token ? batch.length(text) : 1) * model().width(), number_of(first + text));
      }
      body(first, batch, answer.data());
    });
  }

  /// The same of windows, of which an error names the text.
  template <class Body> void run(const Windows& windows, const Body& body) const {
    const std::vector<Encoding>& encodings = windows.encodings;
    run(
        encodings.size(), [&](std::size_t w) { return encodings[w].size(); },
        [&](std::size_t w, Batch& batch) { append(encodings[w], batch); }, body,
        [&](std::size_t w) { return windows.text_of(w); });
  }

  /// The last hidden state that `encoder` has of texts 0 to count - 1, [texts][tokens, dim], for a model that is one or
  /// has one. Throws as run() does.
  template <class Tokens, class Append>
  std::vector<std::vector<float>> hidden_states(const DistilBertModel& encoder, std::size_t count,
                                                const Tokens& tokens_of, const Append& append) const {
    const std::size_t dim = config().dim;
    std::vector<std::vector<float>> states(count);
    each_batch(count, tokens_of, append, [&](const Batch& batch, Workspace& workspace, ThreadPool* pool) {
      const Rows hidden = encoder.forward(batch, workspace, pool);
      for (std::size_t i = 0; i < batch.texts(); ++i) {
        std::vector<float>& state = states[batch.first_text + i];
        state.resize(batch.length(i) * dim);
        for (std::size_t token = 0; token < batch.length(i); ++token) // without their padding
          std::copy_n(hidden.data() + (batch.offsets[i] + token) * padded(dim), dim, state.data() + token * dim);
        check_finite(state.data(), state.size(), batch.first_text + i);
      }
    });
    return states;
  }

  /// Throws non_finite_result with the number of the text.
  static void check_finite(const float* values, std::size_t count, std::size_t text) {
    if (!std::all_of(values, values + count, [](float value) { return std::isfinite(value); }))
      throw Error(ErrorCode::non_finite_result, "text " + std::to_string(text));
  }

private:
  /// Tokens that one thread runs at a time: enough to keep the products busy, few enough to stay in its cache.
  static constexpr std::size_t batch_tokens = 256;

  struct State {
    DistilBertConfig config;
    Tokenizer tokenizer;
    Model model;
    Precision precision;
    std::size_t max_length;
    std::function<void()> between_batches;
    ThreadPool pool;
    WorkspacePool workspaces;
    /// Batches that each thread runs between two calls of between_batches: some tenths of a second, as the threads wait
    /// for the last of them then.
    std::atomic<std::size_t> round{1};

    void measured(std::chrono::steady_clock::duration time, bool whole) {
      const std::size_t batches = round;
      if (whole && time < std::chrono::milliseconds(100) && batches < 1024)
        round = 2 * batches;
      else if (time > std::chrono::milliseconds(400) && batches > 1)
        round = batches / 2;
    }
  };

  template <class... More>
  Task(const DistilBertConfig& config, Tokenizer tokenizer, const PackedModel& weights, const LoadOptions& options,
       const More&... more)
      : state_(new State{config, std::move(tokenizer), Model::load(weights, config, more...), weights.precision(),
                         max_length_of(config, options.max_length), options.between_batches,
                         ThreadPool(thread_count(options.threads)), WorkspacePool(config)}) {
    if (state_->tokenizer.vocabulary_size() > config.vocab_size)
      throw Error(ErrorCode::invalid_vocabulary,
                  "the tokenizer has ids up to " + std::to_string(state_->tokenizer.vocabulary_size() - 1) +
                      ", the model " + std::to_string(config.vocab_size) + " embeddings");
  }

  template <class... More>
  static Task from_parts(const DistilBertConfig& config, Tokenizer tokenizer, const PackedModel& weights,
                         const LoadOptions& options, const More&... more) {
    Task task(config, std::move(tokenizer), weights, options, more...);
    if (options.selfcheck)
      detail::selfcheck(weights, config);
    return task;
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

  /// action(), the errors of which get the number of the text in front, unless it is the only one.
  template <class Action> static void numbered(std::size_t text, std::size_t texts, const Action& action) {
    try {
      action();
    } catch (const Error& e) {
      if (texts == 1)
        throw;
      rethrow_within("text " + std::to_string(text), e);
    }
  }

  /// Splits [0, count) into runs of about batch_tokens: body(first, last, the pool that it may use). The threads take a
  /// run each; where there are fewer runs than threads, they share each run.
  template <class Tokens, class Body>
  void run_batches(std::size_t count, const Tokens& tokens_of, const Body& body) const {
    const ThreadPool::Caller caller(state_->pool);
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
    const std::size_t batches = bounds.size() - 1, threads = state_->pool.threads();
    for (std::size_t first = 0, next = 0; first < batches; first = next) {
      if (first > 0 && state_->between_batches)
        state_->between_batches(); // here, as the pool waits for whatever runs in one of its loops
      if (batches < threads) {
        body(bounds[first], bounds[first + 1], &state_->pool);
        next = first + 1;
      } else {
        const std::size_t round = state_->between_batches ? state_->round * threads : batches;
        next = std::min(first + round, batches);
        const auto start = std::chrono::steady_clock::now();
        state_->pool.parallel_for(next - first,
                                  [&](std::size_t i) { body(bounds[first + i], bounds[first + i + 1], nullptr); });
        if (state_->between_batches)
          state_->measured(std::chrono::steady_clock::now() - start, next - first == round);
      }
    }
  }

  std::unique_ptr<State> state_;
};

} // namespace detail
} // namespace distilbert
