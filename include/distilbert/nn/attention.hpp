#pragma once
// Multi-head self-attention: the one layer in which the tokens of a text see each other.

#include <string>

#include "batch.hpp"
#include "linear.hpp"

namespace distilbert {

/// DistilBERT's MultiHeadSelfAttention. q_lin, k_lin and v_lin are one product "qkv_lin".
class MultiHeadSelfAttention {
public:
  static MultiHeadSelfAttention load(const PackedModel& model, const std::string& name,
                                     const DistilBertConfig& config) {
    const std::size_t head_dim = config.head_dim();
    return {Linear::load(model, name + ".qkv_lin", {3 * config.n_heads, head_dim}, {1, config.dim}),
            Linear::load(model, name + ".out_lin", {1, config.dim}, {config.n_heads, head_dim}), config.n_heads};
  }

  /// hidden [T, dim] -> projected [T, dim]
  void forward(const Batch& batch, const Rows& hidden, Rows projected, Workspace& workspace) const {
    const Rows qkv = workspace.qkv(batch.tokens());
    const Rows context = workspace.context(batch.tokens());
    qkv_lin_.forward(hidden, qkv, workspace);
    for (std::size_t text = 0; text < batch.texts(); ++text)
      for (std::size_t head = 0; head < n_heads_; ++head)
        workspace.kernels().attention(head_of_text(batch, text, head, qkv, context, workspace));
    out_lin_.forward(context, projected, workspace);
  }

private:
  MultiHeadSelfAttention(Linear qkv_lin, Linear out_lin, std::size_t n_heads)
      : qkv_lin_(qkv_lin), out_lin_(out_lin), n_heads_(n_heads) {}

  AttentionCall head_of_text(const Batch& batch, std::size_t text, std::size_t head, const Rows& qkv, Rows context,
                             Workspace& workspace) const {
    const auto dim = static_cast<std::size_t>(context.cols());
    const std::size_t head_dim = dim / n_heads_;
    const float* q = qkv.data() + batch.offsets[text] * 3 * dim + head * head_dim;
    return {q,
            q + dim,
            q + 2 * dim,
            3 * dim,
            batch.length(text),
            head_dim,
            workspace.attention_scores(),
            context.data() + batch.offsets[text] * dim + head * head_dim,
            dim};
  }

  Linear qkv_lin_, out_lin_;
  std::size_t n_heads_;
};

} // namespace distilbert
