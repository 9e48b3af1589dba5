#pragma once
// What enters the linear layers of a model: its encoder in fp32, run over a few short texts of random word pieces. No
// data is asked for: what tells good from bad roundings is mostly the model's own doing, such as the few channels that
// are large in the first token, or in every one.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "../weights/checkpoint.hpp"
#include "../weights/packed_model.hpp"
#include "attention.hpp"
#include "batch.hpp"
#include "embeddings.hpp"
#include "feed_forward.hpp"
#include "layer_norm.hpp"
#include "workspace.hpp"

namespace distilbert {

/// Word pieces of the texts, special tokens not counted. Short ones: the fewer there are, the more of an answer are the
/// roundings of [CLS] and [SEP].
inline constexpr std::size_t calibration_lengths[] = {0, 1, 1, 2, 2, 3, 3, 4, 6, 8, 0, 1, 1, 2, 2, 3, 3, 4, 6, 8};

/// The texts, each a copy of an empty one with word pieces drawn at random behind its first token. Where `empty_text`
/// itself is empty, as for a model without its tokenizer, two more word pieces stand for [CLS] and [SEP]. Texts that
/// are longer than the model takes are left out. The same everywhere.
inline Batch calibration_texts(const DistilBertConfig& config, const std::vector<std::int32_t>& empty_text = {}) {
  std::mt19937 random;
  Batch texts;
  for (const std::size_t length : calibration_lengths) {
    const std::size_t words = empty_text.empty() ? length + 2 : length;
    if (empty_text.size() + words > config.max_position_embeddings)
      continue;
    std::vector<std::int32_t> ids(words);
    for (std::int32_t& id : ids)
      id = static_cast<std::int32_t>(random() % config.vocab_size);
    if (!empty_text.empty()) {
      ids.insert(ids.begin(), empty_text.front());
      ids.insert(ids.end(), empty_text.begin() + 1, empty_text.end());
    }
    texts.add(ids.data(), ids.size());
  }
  return texts;
}

/// Runs the texts, with one layer of the encoder in memory at a time: look(layer, x) sees each of its linear layers and
/// what enters it, x [tokens, layer.in.packed()], which it must leave as it is. All levels of kernels see the same bits
/// but "portable". Errors: those of packing in fp32, of Embeddings::check() for the texts, and unsupported_isa; what
/// look throws gets the layer's name.
template <class Look>
void look_into_linear_layers(const Checkpoint& checkpoint, const DistilBertConfig& config, const Batch& texts,
                             const Look& look) {
  if (texts.texts() == 0)
    return;
  const std::vector<PackedLayer> layers = detail::packed_layers(
      config, Precision::fp32, [&](const char* layer) { return checkpoint.has(std::string(layer) + ".weight"); },
      [](const char*) { return false; });
  auto next = layers.begin();
  const auto pack = [&](const std::string& prefix) { // layers stand in order of use
    const auto first = next;
    while (next != layers.end() && next->name.compare(0, prefix.size(), prefix) == 0)
      ++next;
    return PackedModel::pack_layers(checkpoint, {first, next});
  };
  Workspace workspace(config);
  workspace.begin(texts.tokens(), texts.texts(), texts.longest());
  const Rows hidden = workspace.hidden(texts.tokens()), projected = workspace.projected(texts.tokens());
  {
    const PackedModel weights = pack("embeddings.");
    const Embeddings embeddings = Embeddings::load(weights, config);
    embeddings.check(texts);
    embeddings.forward(texts, hidden, workspace);
  }
  for (std::size_t i = 0; i < config.n_layers; ++i) {
    const std::string name = "transformer.layer." + std::to_string(i);
    const PackedModel weights = pack(name + '.');
    const auto see = [&](const char* linear, const Rows& x) {
      const PackedLayer& layer = *std::find_if(weights.layers().begin(), weights.layers().end(),
                                               [&](const PackedLayer& l) { return l.name == name + linear; });
      detail::naming(layer, [&] { look(layer, x); });
    };
    see(".attention.qkv_lin", hidden);
    MultiHeadSelfAttention::load(weights, name + ".attention", config).forward(texts, hidden, projected, workspace);
    see(".attention.out_lin", workspace.context(texts.tokens()));
    LayerNorm::load(weights, name + ".sa_layer_norm", config).add_and_norm(projected, hidden, workspace);
    see(".ffn.lin1", hidden);
    FFN::load(weights, name + ".ffn", config).forward(hidden, projected, workspace);
    see(".ffn.lin2", workspace.intermediate(texts.tokens()));
    LayerNorm::load(weights, name + ".output_layer_norm", config).add_and_norm(projected, hidden, workspace);
  }
}

} // namespace distilbert
