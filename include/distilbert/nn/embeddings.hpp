#pragma once
// Token ids -> vectors: word + position, normalised.

#include <string>

#include "batch.hpp"
#include "layer_norm.hpp"

namespace distilbert {

/// DistilBERT's Embeddings; a BERT's token type 0 is already part of the positions.
class Embeddings {
public:
  static Embeddings load(const PackedModel& model, const DistilBertConfig& config) {
    return {model.embedding("embeddings.word_embeddings", config.vocab_size, config.dim),
            model.embedding("embeddings.position_embeddings", config.max_position_embeddings, config.dim),
            LayerNorm::load(model, "embeddings.LayerNorm", config)};
  }

  /// Throws ErrorCode::invalid_token_id or text_too_long, naming the text, before any id is used as an index.
  void check(const Batch& batch) const {
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
    layer_norm_.forward(hidden, workspace);
  }

private:
  Embeddings(PackedEmbedding words, PackedEmbedding positions, LayerNorm layer_norm)
      : word_embeddings_(words), position_embeddings_(positions), layer_norm_(layer_norm) {}

  static std::string where(const Batch& batch, std::size_t text) {
    return "text " + std::to_string(batch.first_text + text) + " ";
  }

  PackedEmbedding word_embeddings_, position_embeddings_;
  LayerNorm layer_norm_;
};

} // namespace distilbert
