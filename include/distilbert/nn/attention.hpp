#pragma once
// Multi-head self-attention: the one layer in which the tokens of a text see each other.

#include <algorithm>
#include <string>

#include "batch.hpp"
#include "linear.hpp"

namespace distilbert {

/// The precision in which a model attends over so many tokens. In a short text, packing keys and values costs more than
/// the products gain: DistilBERT-base in int8 on Zen 4, 2026-11-21, is 1 % slower so at 32 tokens, 2 % faster at 48 and
/// 23 % at 512. In a text beyond ConfigLimits::inputs, sums of int8 would not fit 32 bits.
constexpr Precision attention_precision(Precision of_model, std::size_t tokens) {
  return tokens >= 48 && tokens <= ConfigLimits::inputs ? of_model : Precision::fp32;
}

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
    attend(batch, qkv, context, workspace);
    out_lin_.forward(context, projected, workspace);
  }

  /// The same for the first token of each text only, which attends to all of its text's tokens:
  /// hidden [T, dim] -> projected [texts, dim]. On return hidden holds those tokens alone, in its first rows.
  ///
  /// No other token is projected. A key is W_k x + b_k, so a score is (q W_k) x, but for q b_k, which is the same for
  /// all tokens and which softmax does not see. A value is W_v x + b_v, so with probabilities p, which add up to 1, the
  /// context is W_v (sum of p x) + b_v. Each head attends to the hidden states themselves.
  void forward_cls(const Batch& batch, Rows hidden, Rows projected, Workspace& workspace) const {
    const std::size_t texts = batch.texts(), dim = static_cast<std::size_t>(hidden.cols());
    if (texts == 0)
      return;
    Rows cls = projected; // until out_lin writes there
    Rows qkv = workspace.qkv(texts), context = workspace.context(texts);
    float* const of_heads = workspace.of_heads(texts).data();
    const auto heads = static_cast<std::size_t>(context.cols()), head_dim = heads / n_heads_;
    const auto of_head = [&](std::size_t head) -> Rows {
      return {of_heads + head * texts * dim, projected.rows(), hidden.cols()};
    };
    for (std::size_t text = 0; text < texts; ++text)
      std::copy_n(hidden.data() + batch.offsets[text] * dim, dim, cls.data() + text * dim);
    qkv_lin_.forward(cls, qkv, {0, heads}, workspace);
    workspace.share(n_heads_, 1, [&](std::size_t part, std::size_t first, std::size_t last) {
      for (std::size_t head = first; head < last; ++head)
        qkv_lin_.forward_transposed(qkv.data() + head * head_dim, 3 * heads, texts,
                                    {heads + head * head_dim, heads + (head + 1) * head_dim}, of_head(head).data(), dim,
                                    workspace.attention_scores(part), workspace.kernels());
    });
    workspace.share(texts, 1, [&](std::size_t part, std::size_t first, std::size_t last) {
      for (std::size_t text = first; text < last; ++text) {
        const float* tokens = hidden.data() + batch.offsets[text] * dim;
        float* rows = of_heads + text * dim;
        workspace.kernels().attention({rows, texts * dim, n_heads_, tokens, tokens, batch.length(text), dim, dim,
                                       workspace.attention_scores(part), rows, texts * dim});
      }
    });
    first_rows(hidden, texts) = cls;
    for (std::size_t head = 0; head < n_heads_; ++head)
      qkv_lin_.forward(of_head(head), qkv, {2 * heads + head * head_dim, 2 * heads + (head + 1) * head_dim}, workspace);
    context = qkv.rightCols(context.cols());
    out_lin_.forward(context, projected, workspace);
  }

private:
  MultiHeadSelfAttention(Linear qkv_lin, Linear out_lin, std::size_t n_heads)
      : qkv_lin_(qkv_lin), out_lin_(out_lin), n_heads_(n_heads) {}

  void attend(const Batch& batch, const Rows& qkv, Rows context, Workspace& workspace) const {
    const auto heads = static_cast<std::size_t>(context.cols()), head_dim = heads / n_heads_;
    const Kernels& kernels = workspace.kernels();
    workspace.share(batch.texts() * n_heads_, 1, [&](std::size_t part, std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) {
        const std::size_t text = i / n_heads_, column = i % n_heads_ * head_dim, row = batch.offsets[text];
        const float* q = qkv.data() + row * 3 * heads + column;
        const Precision precision = attention_precision(qkv_lin_.precision(), batch.length(text));
        const auto attention = precision == Precision::int8   ? kernels.attention_int8
                               : precision == Precision::bf16 ? kernels.attention_bf16
                                                              : kernels.attention;
        attention({q, 3 * heads, batch.length(text), q + heads, q + 2 * heads, batch.length(text), 3 * heads, head_dim,
                   workspace.attention_scores(part), context.data() + row * heads + column, heads});
      }
    });
  }

  Linear qkv_lin_, out_lin_;
  std::size_t n_heads_;
};

} // namespace distilbert
