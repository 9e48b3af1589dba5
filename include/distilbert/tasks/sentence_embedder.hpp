#pragma once
// Text in, vector out: sentence embeddings, as sentence-transformers makes them.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sentence_transformers.hpp"
#include "task.hpp"

namespace distilbert {

/// An encoder whose hidden states are pooled to one row of `dim` for each text. Thread-safe as DistilBertModel is.
class PooledDistilBert {
public:
  static PooledDistilBert load(const PackedModel& weights, const DistilBertConfig& config, Pooling pooling) {
    return {DistilBertModel::load(weights, config), config.dim, pooling};
  }

  std::size_t width() const { return dim_; }
  std::size_t rows(const Batch& batch) const { return batch.texts(); }
  Pooling pooling() const { return pooling_; }
  const DistilBertModel& encoder() const { return distilbert_; }

  /// batch -> pooled [rows, width]. Throws, and uses the pool, as DistilBertModel::forward does.
  void forward(const Batch& batch, Workspace& workspace, float* pooled, ThreadPool* pool = nullptr) const {
    if (pooling_ == Pooling::cls) {
      const Rows cls = distilbert_.forward_cls(batch, workspace, pool);
      for (std::size_t text = 0; text < batch.texts(); ++text)
        std::copy_n(cls.data() + text * padded(dim_), dim_, pooled + text * dim_);
      return;
    }
    const Rows hidden = distilbert_.forward(batch, workspace, pool);
    for (std::size_t text = 0; text < batch.texts(); ++text)
      pool_tokens(hidden.data() + batch.offsets[text] * padded(dim_), batch.length(text), pooled + text * dim_);
  }

private:
  PooledDistilBert(DistilBertModel distilbert, std::size_t dim, Pooling pooling)
      : distilbert_(std::move(distilbert)), dim_(dim), pooling_(pooling) {}

  void pool_tokens(const float* hidden, std::size_t tokens, float* pooled) const {
    std::copy_n(hidden, dim_, pooled);
    for (std::size_t token = 1; token < tokens; ++token)
      for (std::size_t i = 0; i < dim_; ++i) {
        const float value = hidden[token * padded(dim_) + i];
        pooled[i] = pooling_ == Pooling::mean ? pooled[i] + value : std::max(pooled[i], value);
      }
    if (pooling_ == Pooling::mean)
      for (std::size_t i = 0; i < dim_; ++i)
        pooled[i] /= static_cast<float>(tokens);
  }

  DistilBertModel distilbert_;
  std::size_t dim_;
  Pooling pooling_;
};

struct EmbeddingOptions {
  /// By default what 1_Pooling/config.json says, the mean where there is none.
  std::optional<Pooling> pooling;
  /// true: every result has length 1. false: none is changed. By default a vector is normalised if modules.json says
  /// so, and then cut.
  std::optional<bool> normalize;
  /// The first so many values of each vector, as for models of the Matryoshka kind; 0: all.
  std::size_t dimensions = 0;
};

/// Sentence embeddings: encoder, pooling, normalisation. Loads the directory of any DistilBERT or BERT encoder, and
/// those of sentence-transformers as they are, all-MiniLM-L6-v2 among them. A text is read as it is given: a prompt
/// that the model wants before it is the caller's to put there.
///
/// A text's vector does not depend, to the last bit, on what else is in the call or on the number of threads.
/// Immutable once loaded; all methods may be called from any number of threads at once. Movable, not copyable.
class SentenceEmbedder {
public:
  /// load.max_length counts before sentence_bert_config.json's max_seq_length; without both it is what the model can
  /// take, or tokenizer_config.json's model_max_length if that is less, as in sentence-transformers. Throws Error with
  /// the reason if it is no such directory; ErrorCode::invalid_argument for more dimensions than the model has;
  /// unsupported_architecture for a default_prompt_name in config_sentence_transformers.json whose prompt is not empty:
  /// sentence-transformers would put it before each text.
  static SentenceEmbedder from_pretrained(const std::filesystem::path& directory, const EmbeddingOptions& options = {},
                                          LoadOptions load = {}) {
    const auto files = detail::SentenceTransformerReader(directory).read();
    if (load.max_length == 0)
      load.max_length = files.max_length;
    auto task = Task::from_pretrained(files.model, load, options.pooling.value_or(files.pooling));
    if (load.max_length == 0)
      task.limit_length(task.tokenizer().config().model_max_length);
    return SentenceEmbedder(std::move(task), options, files);
  }

  /// The vector of one text, [dimensions()]. Throws ErrorCode::invalid_utf8 (by default), non_finite_result.
  std::vector<float> embed(std::string_view text) const { return embed(std::vector<std::string_view>{text}); }

  /// The vectors [texts, dimensions()], row-major, in the order of the texts. A text is read up to max_length() tokens.
  /// An error names the index of its text.
  std::vector<float> embed(const std::vector<std::string_view>& texts) const { return embed_all(texts); }

  /// The same for texts that are encoded already; nothing is added or cut. Throws ErrorCode::invalid_token_id,
  /// text_too_long, invalid_argument for a text without tokens.
  std::vector<float> embed_encoded(const std::vector<Encoding>& texts) const { return embed_all(texts); }

  /// What is pooled, of texts that are encoded already: the last hidden state of each token, special tokens included,
  /// [texts][tokens, config().dim]; neither normalised nor cut, whatever the options say. This is what
  /// sentence-transformers calls token_embeddings. Throws as embed_encoded() does.
  std::vector<std::vector<float>> token_embeddings(const std::vector<Encoding>& texts) const {
    return task_.hidden_states(
        task_.model().encoder(), texts.size(), [&](std::size_t i) { return task_.guess(texts[i]); },
        [&](std::size_t i, Batch& batch) { task_.append(texts[i], batch); });
  }

  /// The same for texts that are read to their end, however long: in windows of max_length() tokens, of which
  /// consecutive ones share `stride` tokens. A text's vector is made of the mean of its windows' pooled vectors, each
  /// weighted by the tokens that no window before it had. A text of one window gets exactly what embed() gives.
  /// Throws also ErrorCode::invalid_truncation for a stride too large.
  std::vector<float> embed_windows(const std::vector<std::string_view>& texts, std::size_t stride) const {
    const std::size_t dim = task_.model().width();
    const auto windows = task_.windows_of(texts, stride);
    std::vector<float> rows(windows.encodings.size() * dim), vectors(texts.size() * dimensions_);
    task_.run(windows, [&](std::size_t first, const Batch& batch, const float* pooled) {
      std::copy_n(pooled, batch.texts() * dim, rows.data() + first * dim);
    });
    for (std::size_t i = 0; i < texts.size(); ++i)
      finish(windows.mean(i, rows, dim).data(), vectors.data() + i * dimensions_);
    return vectors;
  }

  /// Values of one vector
  std::size_t dimensions() const { return dimensions_; }
  Pooling pooling() const { return task_.model().pooling(); }
  /// Whether modules.json says that vectors are normalised, whatever the options say
  bool normalized_by_modules() const { return normalized_by_modules_; }
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
  using Task = detail::Task<PooledDistilBert>;

  SentenceEmbedder(Task task, const EmbeddingOptions& options, const detail::SentenceTransformer& files)
      : task_(std::move(task)), dimensions_(options.dimensions ? options.dimensions : config().dim),
        normalized_by_modules_(files.normalize),
        normalize_whole_(options.normalize.value_or(files.normalize) && files.normalize),
        normalize_result_(options.normalize.value_or(false)) {
    if (dimensions_ > config().dim)
      throw Error(ErrorCode::invalid_argument,
                  std::to_string(dimensions_) + " dimensions, the model has " + std::to_string(config().dim));
    if (files.lower_case && !tokenizer().config().normalizer.lowercase)
      throw Error(ErrorCode::unsupported_architecture,
                  "sentence_bert_config.json: do_lower_case with a tokenizer that keeps case");
  }

  template <class Text> std::vector<float> embed_all(const std::vector<Text>& texts) const {
    std::vector<float> vectors(texts.size() * dimensions_);
    task_.run(
        texts.size(), [&](std::size_t i) { return task_.guess(texts[i]); },
        [&](std::size_t i, Batch& batch) { task_.append(texts[i], batch); },
        [&](std::size_t first, const Batch& batch, const float* pooled) {
          for (std::size_t i = 0; i < batch.texts(); ++i)
            finish(pooled + i * task_.model().width(), vectors.data() + (first + i) * dimensions_);
        });
    return vectors;
  }

  void finish(const float* pooled, float* vector) const {
    const std::size_t dim = config().dim;
    const double whole = normalize_whole_ ? length_of(pooled, dim) : 1;
    for (std::size_t i = 0; i < dimensions_; ++i)
      vector[i] = static_cast<float>(pooled[i] / whole);
    if (!normalize_result_)
      return;
    const double length = length_of(vector, dimensions_);
    for (std::size_t i = 0; i < dimensions_; ++i)
      vector[i] = static_cast<float>(vector[i] / length);
  }

  /// Never zero, as in torch.nn.functional.normalize.
  static double length_of(const float* vector, std::size_t count) {
    double squares = 0;
    for (std::size_t i = 0; i < count; ++i)
      squares += double{vector[i]} * vector[i];
    return std::max(std::sqrt(squares), 1e-12);
  }

  Task task_;
  std::size_t dimensions_;
  bool normalized_by_modules_, normalize_whole_, normalize_result_;
};

} // namespace distilbert
