#pragma once
// One layer of the encoder: attention and feed-forward network, each followed by residual and LayerNorm.

#include "attention.hpp"
#include "feed_forward.hpp"
#include "layer_norm.hpp"

namespace distilbert {

/// DistilBERT's TransformerBlock (post-norm, as in Vaswani et al. 2017)
class TransformerBlock {
public:
  static TransformerBlock load(const PackedModel& model, const std::string& name, const DistilBertConfig& config) {
    return {MultiHeadSelfAttention::load(model, name + ".attention", config),
            LayerNorm::load(model, name + ".sa_layer_norm", config), FFN::load(model, name + ".ffn", config),
            LayerNorm::load(model, name + ".output_layer_norm", config)};
  }

  /// hidden [T, dim], in place
  void forward(const Batch& batch, Rows hidden, Workspace& workspace) const {
    const Rows projected = workspace.projected(batch.tokens());
    attention_.forward(batch, hidden, projected, workspace);
    add_and_feed_forward(hidden, projected, workspace);
  }

  /// The same for the first token of each text only: hidden [T, dim] -> its first rows [texts, dim]
  Rows forward_cls(const Batch& batch, const Rows& hidden, Workspace& workspace) const {
    const Rows projected = workspace.projected(batch.texts());
    attention_.forward_cls(batch, hidden, projected, workspace);
    const Rows cls = first_rows(hidden, batch.texts());
    add_and_feed_forward(cls, projected, workspace);
    return cls;
  }

private:
  TransformerBlock(MultiHeadSelfAttention attention, LayerNorm sa_layer_norm, FFN ffn, LayerNorm output_layer_norm)
      : attention_(attention), sa_layer_norm_(sa_layer_norm), ffn_(ffn), output_layer_norm_(output_layer_norm) {}

  void add_and_feed_forward(Rows hidden, Rows projected, Workspace& workspace) const {
    sa_layer_norm_.add_and_norm(projected, hidden, workspace);
    ffn_.forward(hidden, projected, workspace);
    output_layer_norm_.add_and_norm(projected, hidden, workspace);
  }

  MultiHeadSelfAttention attention_;
  LayerNorm sa_layer_norm_;
  FFN ffn_;
  LayerNorm output_layer_norm_;
};

} // namespace distilbert
