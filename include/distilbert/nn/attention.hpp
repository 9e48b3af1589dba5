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
    attend(batch, Queries::all_tokens, qkv, context, workspace);
    out_lin_.forward(context, projected, workspace);
  }

  /// The same for the first token of each text only, which attends to all of its text's tokens:
  /// hidden [T, dim] -> projected [texts, dim]. On return hidden holds those tokens alone, in its first rows.
  void forward_cls(const Batch& batch, Rows hidden, Rows projected, Workspace& workspace) const {
    const Rows qkv = workspace.qkv(batch.tokens());
    const Rows context = workspace.context(batch.texts());
    const auto dim = static_cast<std::size_t>(context.cols());
    qkv_lin_.forward(hidden, qkv, {dim, 3 * dim}, workspace);
    for (std::size_t text = 0; text < batch.texts(); ++text)
      hidden.row(static_cast<Eigen::Index>(text)) = hidden.row(static_cast<Eigen::Index>(batch.offsets[text]));
    qkv_lin_.forward(first_rows(hidden, batch.texts()), first_rows(qkv, batch.texts()), {0, dim}, workspace);
    attend(batch, Queries::first_tokens, qkv, context, workspace);
    out_lin_.forward(context, projected, workspace);
  }

private:
  /// Which rows of qkv hold queries: every token's own, or in row i the one of text i's first token.
  enum class Queries { all_tokens, first_tokens };

  MultiHeadSelfAttention(Linear qkv_lin, Linear out_lin, std::size_t n_heads)
      : qkv_lin_(qkv_lin), out_lin_(out_lin), n_heads_(n_heads) {}

  void attend(const Batch& batch, Queries queries, const Rows& qkv, Rows context, Workspace& workspace) const {
    const auto dim = static_cast<std::size_t>(context.cols());
    const std::size_t head_dim = dim / n_heads_;
    workspace.share(batch.texts() * n_heads_, 1, [&](std::size_t part, std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) {
        const std::size_t text = i / n_heads_, column = i % n_heads_ * head_dim;
        const bool all = queries == Queries::all_tokens;
        const std::size_t row = all ? batch.offsets[text] : text;
        const float* keys = qkv.data() + batch.offsets[text] * 3 * dim + dim + column;
        workspace.kernels().attention({qkv.data() + row * 3 * dim + column, all ? batch.length(text) : 1, keys,
                                       keys + dim, batch.length(text), 3 * dim, head_dim,
                                       workspace.attention_scores(part), context.data() + row * dim + column, dim});
      }
    });
  }

  Linear qkv_lin_, out_lin_;
  std::size_t n_heads_;
};

} // namespace distilbert
