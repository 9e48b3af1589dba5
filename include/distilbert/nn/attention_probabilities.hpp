#pragma once
// What the tokens of a text attend to, for those who look inside. The answers of a model never pass through here: its
// own attention keeps no probability longer than it needs it.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "batch.hpp"
#include "workspace.hpp"

namespace distilbert {

/// softmax(q k^T) of one text in the layer that DistilBertModel::inspect shows, [n_heads, length, length]: row i of a
/// head holds the part that each token has in what token i gets. In fp32 from the queries and keys of the layer, also
/// where the model itself attends in less. Shares its work among the threads of the call.
inline void attention_probabilities(const Batch& batch, std::size_t text, std::size_t n_heads, Workspace& workspace,
                                    float* probabilities) {
  const std::size_t length = batch.length(text);
  const Rows qkv = workspace.qkv(batch.tokens());
  const auto stride = static_cast<std::size_t>(qkv.cols()), heads = stride / 3, head_dim = heads / n_heads;
  workspace.share(n_heads, 1, [&](std::size_t, std::size_t first, std::size_t last) {
    std::vector<float> row(padded(length));
    for (std::size_t head = first; head < last; ++head) {
      const float* queries = qkv.data() + batch.offsets[text] * stride + head * head_dim;
      const float* keys = queries + heads;
      for (std::size_t i = 0; i < length; ++i) {
        for (std::size_t j = 0; j < length; ++j) {
          Lanes<float> products = Lanes<float>::Zero();
          for (std::size_t d = 0; d < head_dim; d += lanes)
            products += lanes_at(queries + i * stride + d) * lanes_at(keys + j * stride + d);
          row[j] = products.sum();
        }
        workspace.kernels().softmax(row.data(), length);
        std::copy_n(row.data(), length, probabilities + (head * length + i) * length);
      }
    }
  });
}

} // namespace distilbert
