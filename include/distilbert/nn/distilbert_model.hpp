#pragma once
// The encoder: token ids -> hidden states.

#include <filesystem>
#include <string>
#include <vector>

#include "embeddings.hpp"
#include "input_scales.hpp"
#include "transformer_block.hpp"

namespace distilbert {

/// DistilBertModel (Sanh et al. 2019). Immutable once loaded: any number of threads may call forward at once, each
/// with a workspace of its own. Copies share the weights.
class DistilBertModel {
public:
  /// Throws what PackedModel throws when a tensor is missing or of another shape.
  static DistilBertModel load(const PackedModel& weights, const DistilBertConfig& config) {
    std::vector<TransformerBlock> layers;
    for (std::size_t i = 0; i < config.n_layers; ++i)
      layers.push_back(TransformerBlock::load(weights, "transformer.layer." + std::to_string(i), config));
    return {weights, Embeddings::load(weights, config), std::move(layers)};
  }

  /// Loads config.json and the weights of a model directory. options.selfcheck needs a model that was converted as an
  /// encoder: the probe of a classifier holds logits, which only TextClassifier can check.
  static DistilBertModel from_pretrained(const std::filesystem::path& directory, const LoadOptions& options = {}) {
    const auto config = DistilBertConfig::from_pretrained(directory);
    const auto weights = PackedModel::from_pretrained(directory, config, options, SmoothedRounding::find);
    DistilBertModel model = load(weights, config);
    if (options.selfcheck)
      model.selfcheck(weights, config);
    return model;
  }

  /// The last hidden states [T, packed dim], in the workspace until its next use. An empty batch gives no rows.
  /// `pool`, if there is one, shares out the work inside each layer: worth it for a batch that is all there is to do.
  /// Throws ErrorCode::invalid_token_id, text_too_long, or invalid_argument for a text without tokens.
  Rows forward(const Batch& batch, Workspace& workspace, ThreadPool* pool = nullptr) const {
    const Rows hidden = embed(batch, workspace, pool);
    for (const TransformerBlock& layer : layers_)
      layer.forward(batch, hidden, workspace);
    return hidden;
  }

  /// forward(), seen from inside, with the same bits: look(i, hidden) gets the hidden states [T, packed dim] after the
  /// embeddings (i = 0) and after each layer (i = 1 to n_layers), and must leave them as they are. While it looks at
  /// those of a layer, attention_probabilities() tells what the tokens attended to in it.
  template <class Look>
  void inspect(const Batch& batch, Workspace& workspace, const Look& look, ThreadPool* pool = nullptr) const {
    const Rows hidden = embed(batch, workspace, pool);
    look(std::size_t{0}, hidden);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      layers_[i].forward(batch, hidden, workspace);
      look(i + 1, hidden);
    }
  }

  /// forward() for the first token of each text only, [texts, packed dim]: the last layer leaves out all that no other
  /// layer will read, a sixth of the work.
  Rows forward_cls(const Batch& batch, Workspace& workspace, ThreadPool* pool = nullptr) const {
    const Rows hidden = embed(batch, workspace, pool);
    for (std::size_t i = 0; i + 1 < layers_.size(); ++i)
      layers_[i].forward(batch, hidden, workspace);
    return layers_.back().forward_cls(batch, hidden, workspace);
  }

  /// Replays the hidden states that a model converted as an encoder carries. Throws ErrorCode::probe_mismatch.
  void selfcheck(const PackedModel& weights, const DistilBertConfig& config) const {
    if (!weights.probe() || weights.probe()->cls.empty())
      throw Error(ErrorCode::probe_mismatch, "no hidden states are stored with it; convert the encoder first");
    const Probe& probe = *weights.probe();
    Batch batch;
    batch.add(probe.ids.data(), probe.ids.size());
    Workspace workspace(config);
    const Rows hidden = forward(batch, workspace);
    detail::check_probe(probe.cls, {hidden.data(), hidden.data() + probe.cls.size()}, weights.precision());
  }

private:
  Rows embed(const Batch& batch, Workspace& workspace, ThreadPool* pool) const {
    embeddings_.check(batch);
    workspace.begin(batch.tokens(), batch.texts(), batch.longest(), pool, weights_.sum_bits());
    const Rows hidden = workspace.hidden(batch.tokens());
    embeddings_.forward(batch, hidden, workspace);
    return hidden;
  }

  DistilBertModel(PackedModel weights, Embeddings embeddings, std::vector<TransformerBlock> layers)
      : weights_(std::move(weights)), embeddings_(embeddings), layers_(std::move(layers)) {}

  PackedModel weights_; // keeps the memory that the layers look into
  Embeddings embeddings_;
  std::vector<TransformerBlock> layers_;
};

} // namespace distilbert
