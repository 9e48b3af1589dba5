#pragma once
// Text in, hidden states out: of its last layer fast and for many texts, of all layers with their attention for one.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "../nn/attention_probabilities.hpp"
#include "task.hpp"

namespace distilbert {

struct FeatureOptions {
  bool hidden_states = false; // fill Features::hidden_states
  bool attentions = false;    // fill Features::attentions: 4 n_layers n_heads tokens^2 bytes
  OffsetUnit offset_unit = OffsetUnit::bytes;
};

/// One text as the model sees it from inside. All matrices are row-major.
struct Features {
  std::vector<std::int32_t> ids;                 // [tokens], special tokens included
  std::vector<Span> offsets;                     // [tokens], where in the text; {0, 0} for special tokens
  bool truncated = false;                        // the text had more tokens than max_length(); the rest was not read
  std::vector<float> last_hidden_state;          // [tokens, dim]
  std::vector<std::vector<float>> hidden_states; // [n_layers + 1][tokens, dim]: after the embeddings and each layer
  std::vector<std::vector<float>> attentions;    // [n_layers][n_heads, tokens, tokens]: see attention_probabilities()
};

/// The encoder with its tokenizer: DistilBertModel's outputs, for texts. Any model will do; a head is not looked at.
///
/// A text's features do not depend, to the last bit, on what else is in the call, on the number of threads, or on which
/// method gives them; cls() alone rounds otherwise, for it does less.
/// Immutable once loaded; all methods may be called from any number of threads at once. Movable, not copyable.
/// Texts are read up to max_length() tokens; an error names the index of its text.
class FeatureExtractor {
public:
  /// Loads a model directory, converted or as Hugging Face writes it. Throws Error with the reason if it is not one.
  static FeatureExtractor from_pretrained(const std::filesystem::path& directory, const LoadOptions& options = {}) {
    return FeatureExtractor(Task::from_pretrained(directory, options));
  }

  /// Loads a model that lies in memory, as TextClassifier does.
  static FeatureExtractor from_memory(const ModelBytes& files, const LoadOptions& options = {}) {
    return FeatureExtractor(Task::from_memory(files, options));
  }

  /// One text with all that is asked for. Throws ErrorCode::invalid_utf8 (by default), non_finite_result.
  Features extract(std::string_view text, const FeatureOptions& options = {}) const {
    EncodeOptions encode_options;
    encode_options.max_length = max_length();
    encode_options.offset_unit = options.offset_unit;
    return inspect(tokenizer().encode(text, encode_options), options);
  }

  /// The same of token ids, special tokens included; nothing is added or cut, and there are no offsets.
  /// Throws ErrorCode::invalid_token_id, text_too_long, invalid_argument for a text without ids.
  Features extract(const std::vector<std::int32_t>& ids, const FeatureOptions& options = {}) const {
    Encoding encoding;
    encoding.ids = ids;
    return inspect(std::move(encoding), options);
  }

  /// The last hidden state of each text, [texts][tokens, dim].
  std::vector<std::vector<float>> last_hidden_state(const std::vector<std::string_view>& texts) const {
    return task_.hidden_states(
        task_.model(), texts.size(), [&](std::size_t i) { return task_.guess(texts[i]); },
        [&](std::size_t i, Batch& batch) { task_.append(texts[i], batch); });
  }
  /// The same of token ids, as in extract().
  std::vector<std::vector<float>> last_hidden_state(const std::vector<std::vector<std::int32_t>>& texts) const {
    return task_.hidden_states(
        task_.model(), texts.size(), [&](std::size_t i) { return texts[i].size(); },
        [&](std::size_t i, Batch& batch) { batch.add(texts[i].data(), texts[i].size()); });
  }

  /// The last hidden state of each text's [CLS], [texts, dim]: a sixth less work.
  std::vector<float> cls(const std::vector<std::string_view>& texts) const {
    return cls_of(
        texts.size(), [&](std::size_t i) { return task_.guess(texts[i]); },
        [&](std::size_t i, Batch& batch) { task_.append(texts[i], batch); });
  }
  /// The same of token ids, as in extract().
  std::vector<float> cls(const std::vector<std::vector<std::int32_t>>& texts) const {
    return cls_of(
        texts.size(), [&](std::size_t i) { return texts[i].size(); },
        [&](std::size_t i, Batch& batch) { batch.add(texts[i].data(), texts[i].size()); });
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
  using Task = detail::Task<DistilBertModel>;

  explicit FeatureExtractor(Task task) : task_(std::move(task)) {}

  std::size_t dim() const { return config().dim; }

  /// Some rows without their padding
  void copy(const Rows& rows, std::size_t first, std::size_t count, float* to) const {
    Rows(to, static_cast<Eigen::Index>(count), static_cast<Eigen::Index>(dim())) = rows.block(
        static_cast<Eigen::Index>(first), 0, static_cast<Eigen::Index>(count), static_cast<Eigen::Index>(dim()));
  }

  template <class Tokens, class Append>
  std::vector<float> cls_of(std::size_t texts, const Tokens& tokens_of, const Append& append) const {
    std::vector<float> states(texts * dim());
    task_.each_batch(texts, tokens_of, append, [&](const Batch& batch, Workspace& workspace, ThreadPool* pool) {
      const Rows cls = task_.model().forward_cls(batch, workspace, pool);
      float* to = states.data() + batch.first_text * dim();
      copy(cls, 0, batch.texts(), to);
      for (std::size_t text = 0; text < batch.texts(); ++text)
        Task::check_finite(to + text * dim(), dim(), batch.first_text + text);
    });
    return states;
  }

  Features inspect(Encoding encoding, const FeatureOptions& options) const {
    const std::size_t tokens = encoding.size(), layers = config().n_layers, heads = config().n_heads;
    Features features;
    const auto look_inside = [&](const Batch& batch, Workspace& workspace, ThreadPool* pool) {
      const auto look = [&](std::size_t layer, const Rows& hidden) {
        if (options.hidden_states || layer == layers) {
          features.last_hidden_state.resize(tokens * dim());
          copy(hidden, 0, tokens, features.last_hidden_state.data());
        }
        if (options.hidden_states)
          features.hidden_states.push_back(features.last_hidden_state);
        if (options.attentions && layer > 0) {
          features.attentions.emplace_back(heads * tokens * tokens);
          attention_probabilities(batch, 0, heads, workspace, features.attentions.back().data());
        }
      };
      task_.model().inspect(batch, workspace, look, pool);
    };
    task_.each_batch(
        1, [&](std::size_t) { return tokens; }, [&](std::size_t, Batch& batch) { Task::append(encoding, batch); },
        look_inside);
    Task::check_finite(features.last_hidden_state.data(), features.last_hidden_state.size(), 0);
    features.ids = std::move(encoding.ids);
    features.offsets = std::move(encoding.offsets);
    features.truncated = encoding.truncated;
    return features;
  }

  Task task_;
};

} // namespace distilbert
