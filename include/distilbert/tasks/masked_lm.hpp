#pragma once
// Text with [MASK] in, likely words out: the head that DistilBERT was trained with, and the whole path through it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../aligned_buffer.hpp"
#include "task.hpp"

namespace distilbert {

/// DistilBertForMaskedLM: vocab_projector(vocab_layer_norm(activation(vocab_transform(hidden state)))). A BERT's head
/// is the same. Thread-safe as DistilBertModel is.
class DistilBertForMaskedLM {
public:
  static DistilBertForMaskedLM load(const PackedModel& weights, const DistilBertConfig& config) {
    return {DistilBertModel::load(weights, config),
            Linear::load(weights, "vocab_transform", {1, config.dim}, {1, config.dim}),
            LayerNorm::load(weights, "vocab_layer_norm", config),
            Linear::load(weights, "vocab_projector", {1, config.vocab_size}, {1, config.dim}), config};
  }

  std::size_t width() const { return vocab_size_; }
  /// The most that one forward() allocates besides its workspace.
  static std::size_t logits_bytes(std::size_t width) { return rows_at_once * padded(width) * sizeof(float); }

  /// The logits of some tokens of the batch, named by their places in batch.ids: body(i, logits) for one of `positions`
  /// after the other. logits [width] are the body's to overwrite, up to padded(width) floats, and then gone: those of
  /// all tokens would be many.
  /// Throws, and uses the pool, as DistilBertModel::forward does; invalid_argument for a position that the batch does
  /// not have, and for more positions than it has tokens.
  template <class Body>
  void forward(const Batch& batch, const std::vector<std::size_t>& positions, Workspace& workspace, const Body& body,
               ThreadPool* pool = nullptr) const {
    for (const std::size_t position : positions)
      if (position >= batch.tokens() || positions.size() > batch.tokens())
        throw Error(ErrorCode::invalid_argument, std::to_string(positions.size()) + " positions, position " +
                                                     std::to_string(position) + " among them, of a batch of " +
                                                     std::to_string(batch.tokens()) + " tokens");
    const Rows hidden = distilbert_.forward(batch, workspace, pool);
    const auto dim = static_cast<std::size_t>(hidden.cols());
    Rows chosen = workspace.projected(positions.size()), transformed = first_rows(hidden, positions.size());
    for (std::size_t i = 0; i < positions.size(); ++i)
      std::copy_n(hidden.data() + positions[i] * dim, dim, chosen.data() + i * dim);
    vocab_transform_.forward(chosen, transformed, workspace, activation_);
    vocab_layer_norm_.forward(transformed, workspace);

    const std::size_t columns = padded(vocab_size_);
    AlignedBuffer memory(std::min(rows_at_once, positions.size()) * columns * sizeof(float));
    for (std::size_t first = 0; first < positions.size(); first += rows_at_once) {
      const auto count = static_cast<Eigen::Index>(std::min(rows_at_once, positions.size() - first));
      Rows logits(reinterpret_cast<float*>(memory.data()), count, static_cast<Eigen::Index>(columns));
      vocab_projector_.forward(Rows(transformed.data() + first * dim, count, hidden.cols()), logits, workspace);
      for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
        body(first + i, logits.data() + i * columns);
    }
  }

private:
  static constexpr std::size_t rows_at_once = 16; // so that many masks need 2 MB of BERT's English vocabulary

  DistilBertForMaskedLM(DistilBertModel distilbert, Linear vocab_transform, LayerNorm vocab_layer_norm,
                        Linear vocab_projector, const DistilBertConfig& config)
      : distilbert_(std::move(distilbert)), vocab_transform_(vocab_transform), vocab_layer_norm_(vocab_layer_norm),
        vocab_projector_(vocab_projector),
        activation_(config.activation == Activation::relu ? Epilogue::relu : Epilogue::gelu),
        vocab_size_(config.vocab_size) {}

  DistilBertModel distilbert_;
  Linear vocab_transform_;
  LayerNorm vocab_layer_norm_;
  Linear vocab_projector_;
  Epilogue activation_;
  std::size_t vocab_size_;
};

/// What may stand in the place of a mask.
struct MaskPrediction {
  float score = 0;        // its probability, among all tokens of the vocabulary
  std::int32_t token = 0; // its id
  std::string token_str;  // its text
  std::string sequence;   // the text with it, decoded; if there are several masks, with the special tokens
};

/// Masked language modelling with everything that belongs to it. Answers follow transformers' fill-mask pipeline.
///
/// A text's answers do not depend, to the last bit, on what else is in the call or on the number of threads.
/// Immutable once loaded; all methods may be called from any number of threads at once. Movable, not copyable.
class MaskedLM {
public:
  /// Loads a model directory, converted or as Hugging Face writes it. Throws Error with the reason if it is not one;
  /// ErrorCode::invalid_vocabulary if the tokenizer has no mask token.
  static MaskedLM from_pretrained(const std::filesystem::path& directory, const LoadOptions& options = {}) {
    return MaskedLM(Task::from_pretrained(directory, options));
  }

  /// Loads a model that lies in memory, as TextClassifier does.
  static MaskedLM from_memory(const ModelBytes& files, const LoadOptions& options = {}) {
    return MaskedLM(Task::from_memory(files, options));
  }

  /// For each mask of the text, in order, its top_k predictions (fewer if there are fewer tokens) by falling score, by
  /// rising id among equals. With targets only these are asked for: a target that is no token stands for its first
  /// token, one that has no tokens for nothing. A text is read up to max_length() tokens.
  /// Throws ErrorCode::invalid_argument for a text without a mask and for targets without a token; invalid_utf8 (by
  /// default), non_finite_result.
  std::vector<std::vector<MaskPrediction>> fill(std::string_view text, std::size_t top_k = 5,
                                                const std::vector<std::string>& targets = {}) const {
    return fill(std::vector<std::string_view>{text}, top_k, targets).front();
  }

  /// The answers in the order of the texts. An error names the index of its text.
  std::vector<std::vector<std::vector<MaskPrediction>>> fill(const std::vector<std::string_view>& texts,
                                                             std::size_t top_k = 5,
                                                             const std::vector<std::string>& targets = {}) const {
    return fill_all(texts, top_k, targets);
  }

  /// The same for texts that are encoded already; nothing is added or cut. Throws also ErrorCode::invalid_token_id and
  /// text_too_long.
  std::vector<std::vector<std::vector<MaskPrediction>>>
  fill_encoded(const std::vector<Encoding>& texts, std::size_t top_k = 5,
               const std::vector<std::string>& targets = {}) const {
    return fill_all(texts, top_k, targets);
  }

  const DistilBertConfig& config() const { return task_.config(); }
  const Tokenizer& tokenizer() const { return task_.tokenizer(); }
  /// Precision of the weights
  Precision precision() const { return task_.precision(); }
  /// Tokens of one text, special tokens included, that are read
  std::size_t max_length() const { return task_.max_length(); }
  /// See TextClassifier.
  std::size_t memory_bound() const {
    return task_.memory_bound() + task_.threads() * DistilBertForMaskedLM::logits_bytes(task_.model().width());
  }
  std::size_t idle_memory() const { return task_.idle_memory(); }

private:
  using Task = detail::Task<DistilBertForMaskedLM>;

  explicit MaskedLM(Task task) : task_(std::move(task)), mask_id_(require_mask(task_.tokenizer())) {}

  static std::int32_t require_mask(const Tokenizer& tokenizer) {
    if (!tokenizer.mask_id())
      throw Error(ErrorCode::invalid_vocabulary,
                  "it lacks the token " + detail::quote(tokenizer.config().mask_token) + ", which is to be filled");
    return *tokenizer.mask_id();
  }

  template <class Text>
  std::vector<std::vector<std::vector<MaskPrediction>>> fill_all(const std::vector<Text>& texts, std::size_t top_k,
                                                                 const std::vector<std::string>& targets) const {
    const std::vector<std::int32_t> candidates = candidates_of(targets);
    std::vector<std::vector<std::vector<MaskPrediction>>> answers(texts.size());
    task_.each_batch(
        texts.size(), [&](std::size_t i) { return task_.guess(texts[i]); },
        [&](std::size_t i, Batch& batch) { append(texts[i], batch); },
        [&](const Batch& batch, Workspace& workspace, ThreadPool* pool) {
          std::vector<std::size_t> masks, text_of;
          for (std::size_t text = 0; text < batch.texts(); ++text)
            for (std::size_t i = batch.offsets[text]; i < batch.offsets[text + 1]; ++i)
              if (batch.ids[i] == mask_id_) {
                masks.push_back(i);
                text_of.push_back(text);
              }
          const auto answer = [&](std::size_t mask, float* scores) {
            const std::size_t text = text_of[mask], index = batch.first_text + text;
            workspace.kernels().softmax(scores, task_.model().width());
            Task::check_finite(scores, task_.model().width(), index);
            answers[index].push_back(predictions(batch, text, masks[mask], scores, candidates, top_k));
          };
          task_.model().forward(batch, masks, workspace, answer, pool);
        });
    return answers;
  }

  template <class Text> void append(const Text& text, Batch& batch) const {
    const auto first = static_cast<std::ptrdiff_t>(batch.ids.size());
    const bool truncated = task_.append(text, batch);
    if (std::find(batch.ids.begin() + first, batch.ids.end(), mask_id_) != batch.ids.end())
      return;
    const std::string part = truncated ? ", of which " + std::to_string(max_length()) + " tokens are read" : "";
    throw Error(ErrorCode::invalid_argument, "no " + tokenizer().config().mask_token + " in the text" + part);
  }

  /// The ids that targets stand for, each once; without targets all that there are.
  std::vector<std::int32_t> candidates_of(const std::vector<std::string>& targets) const {
    std::vector<std::int32_t> ids;
    if (targets.empty()) {
      ids.resize(task_.model().width());
      std::iota(ids.begin(), ids.end(), 0);
      return ids;
    }
    EncodeOptions first_token;
    first_token.add_special_tokens = false;
    first_token.max_length = 1;
    for (const std::string& target : targets) {
      if (const std::optional<std::int32_t> id = tokenizer().id(target))
        ids.push_back(*id);
      else
        for (const std::int32_t first : tokenizer().encode(target, first_token).ids)
          ids.push_back(first);
    }
    if (ids.empty())
      throw Error(ErrorCode::invalid_argument, "no target has a token");
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
  }

  std::vector<MaskPrediction> predictions(const Batch& batch, std::size_t text, std::size_t mask, const float* scores,
                                          std::vector<std::int32_t> candidates, std::size_t top_k) const {
    const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(std::min(top_k, candidates.size()));
    std::partial_sort(candidates.begin(), end, candidates.end(), [&](std::int32_t a, std::int32_t b) {
      return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
    });
    const auto ids = batch.ids.begin();
    const std::vector<std::int32_t> before(ids + static_cast<std::ptrdiff_t>(batch.offsets[text]),
                                           ids + static_cast<std::ptrdiff_t>(batch.offsets[text + 1]));
    const bool only_mask = std::count(before.begin(), before.end(), mask_id_) == 1;
    std::vector<MaskPrediction> best;
    for (auto id = candidates.begin(); id != end; ++id) {
      std::vector<std::int32_t> filled = before;
      filled[mask - batch.offsets[text]] = *id;
      filled.erase(std::remove(filled.begin(), filled.end(), tokenizer().pad_id()), filled.end());
      best.push_back({scores[*id], *id, decode({*id}, false), decode(std::move(filled), only_mask)});
    }
    return best;
  }

  /// The model may know more ids than the tokenizer: such a one has no text.
  std::string decode(std::vector<std::int32_t> ids, bool skip_special_tokens) const {
    const auto unknown = [&](std::int32_t id) {
      return static_cast<std::size_t>(id) >= tokenizer().vocabulary_size() || tokenizer().token(id).empty();
    };
    ids.erase(std::remove_if(ids.begin(), ids.end(), unknown), ids.end());
    std::string text = tokenizer().decode(ids, skip_special_tokens);
    if (tokenizer().config().clean_up_tokenization_spaces)
      detail::clean_up_spaces(text);
    return text;
  }

  Task task_;
  std::int32_t mask_id_;
};

} // namespace distilbert
