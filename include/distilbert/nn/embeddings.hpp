#pragma once
// Token ids -> vectors: word + position (+ token type), normalised.

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "batch.hpp"
#include "layer_norm.hpp"

namespace distilbert {

/// DistilBERT's Embeddings, or BERT's, whose token type 0 is already part of the positions.
class Embeddings {
public:
  static Embeddings load(const PackedModel& model, const DistilBertConfig& config) {
    return {model.embedding("embeddings.word_embeddings", config.vocab_size, config.dim),
            model.embedding("embeddings.position_embeddings", config.max_position_embeddings, config.dim),
            token_types_of(model, config), LayerNorm::load(model, "embeddings.LayerNorm", config)};
  }

  /// Throws ErrorCode::invalid_token_id, text_too_long or invalid_argument, naming the text, before any id or type is
  /// used as an index. A DistilBERT takes any types.
  void check(const Batch& batch) const {
    if (!batch.type_ids.empty() && batch.type_ids.size() != batch.ids.size())
      throw Error(ErrorCode::invalid_argument, std::to_string(batch.type_ids.size()) + " token types for " +
                                                   std::to_string(batch.ids.size()) + " tokens");
    for (std::size_t text = 0; text < batch.texts(); ++text) {
      if (batch.length(text) == 0)
        throw Error(ErrorCode::invalid_argument, where(batch, text) + "has no tokens");
      if (batch.length(text) > position_embeddings_.rows)
        throw Error(ErrorCode::text_too_long, where(batch, text) + "has " + std::to_string(batch.length(text)) +
                                                  " tokens, the model takes " +
                                                  std::to_string(position_embeddings_.rows));
      for (std::size_t i = batch.offsets[text]; i < batch.offsets[text + 1]; ++i)
        if (batch.ids[i] < 0 || static_cast<std::size_t>(batch.ids[i]) >= word_embeddings_.rows)
          throw Error(ErrorCode::invalid_token_id, where(batch, text) + "has the token id " +
                                                       std::to_string(batch.ids[i]) + ", the model knows 0 to " +
                                                       std::to_string(word_embeddings_.rows - 1));
      if (has_types(batch))
        check_types(batch, text);
    }
  }

  /// batch (checked) -> hidden [T, dim]
  void forward(const Batch& batch, Rows hidden, Workspace& workspace) const {
    const auto stride = static_cast<std::size_t>(hidden.cols());
    for (std::size_t text = 0; text < batch.texts(); ++text) {
      const std::size_t first = batch.offsets[text];
      workspace.kernels().embed({batch.ids.data() + first, batch.length(text), 0, word_embeddings_,
                                 position_embeddings_, hidden.data() + first * stride, stride});
    }
    if (has_types(batch))
      add_types(batch, hidden);
    layer_norm_.forward(hidden, workspace);
  }

private:
  Embeddings(PackedEmbedding words, PackedEmbedding positions, std::optional<PackedEmbedding> token_types,
             LayerNorm layer_norm)
      : word_embeddings_(words), position_embeddings_(positions), token_types_(token_types), layer_norm_(layer_norm) {}

  /// What types 1, 2, ... add to type 0: no rows if that is the only type. None for a DistilBERT.
  static std::optional<PackedEmbedding> token_types_of(const PackedModel& model, const DistilBertConfig& config) {
    if (model.has(detail::token_types))
      return model.embedding(detail::token_types, config.type_vocab_size - 1, config.dim);
    return config.type_vocab_size == 1 ? std::optional(PackedEmbedding()) : std::nullopt;
  }

  bool has_types(const Batch& batch) const { return token_types_ && !batch.type_ids.empty(); }

  void check_types(const Batch& batch, std::size_t text) const {
    for (std::size_t i = batch.offsets[text]; i < batch.offsets[text + 1]; ++i)
      if (batch.type_ids[i] < 0 || static_cast<std::size_t>(batch.type_ids[i]) > token_types_->rows)
        throw Error(ErrorCode::invalid_argument, where(batch, text) + "has the token type " +
                                                     std::to_string(batch.type_ids[i]) + ", the model knows 0 to " +
                                                     std::to_string(token_types_->rows));
  }

  void add_types(const Batch& batch, Rows& hidden) const {
    const auto* differences = static_cast<const float*>(token_types_->weight);
    const std::size_t dim = token_types_->dim;
    for (std::size_t i = 0; i < batch.tokens(); ++i)
      if (batch.type_ids[i] > 0) {
        const float* difference = differences + (static_cast<std::size_t>(batch.type_ids[i]) - 1) * dim;
        float* row = hidden.data() + i * dim;
        for (std::size_t c = 0; c < dim; ++c)
          row[c] += difference[c];
      }
  }

  static std::string where(const Batch& batch, std::size_t text) {
    return "text " + std::to_string(batch.first_text + text) + " ";
  }

  PackedEmbedding word_embeddings_, position_embeddings_;
  std::optional<PackedEmbedding> token_types_; // [types - 1, dim], fp32
  LayerNorm layer_norm_;
};

} // namespace distilbert
