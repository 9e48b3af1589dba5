// A model on one text: each kind of layer, and the whole forward pass as a share of the least time that it can take.

#include "../common/bound.hpp"
#include "micro.hpp"

#include <distilbert/distilbert.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace bench {

namespace {

using namespace distilbert;

/// A model directory, opened when its first benchmark runs.
class Model {
public:
  explicit Model(const std::string& folder) : config(DistilBertConfig::from_pretrained(folder)), folder_(folder) {}

  const TextClassifier& classifier() {
    if (!classifier_)
      classifier_ = std::make_unique<TextClassifier>(TextClassifier::from_pretrained(folder_, options()));
    return *classifier_;
  }
  const PackedModel& weights() {
    if (!weights_)
      weights_ = std::make_unique<PackedModel>(PackedModel::from_pretrained(folder_, config, options()));
    return *weights_;
  }

  const DistilBertConfig config;

private:
  static LoadOptions options() {
    LoadOptions one_thread;
    one_thread.threads = 1;
    return one_thread;
  }

  std::string folder_;
  std::unique_ptr<TextClassifier> classifier_;
  std::unique_ptr<PackedModel> weights_;
};

std::vector<std::int32_t> some_text(std::size_t length, std::size_t vocab_size) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < length; ++i)
    ids.push_back(static_cast<std::int32_t>((i * 7919 + 2000) % vocab_size));
  return ids;
}

void forward(benchmark::State& state, Model& model, std::size_t length) {
  const TextClassifier& classifier = model.classifier();
  const std::vector<std::vector<std::int32_t>> texts{some_text(length, model.config.vocab_size)};
  const std::string_view best = isa();
  const std::vector<float> logits = classifier.logits(texts);
  set_isa("portable");
  const std::vector<float> expected = classifier.logits(texts);
  set_isa(best);
  // Levels sum in different orders, and where a sum is rounded to int8 or bf16, that can tip it to the other side.
  const double tolerance = classifier.precision() == Precision::fp32 ? 1e-4 : 0.1;
  check_against_portable("forward", logits.data(), expected.data(), logits.size(), tolerance, 1.0);
  for (auto _ : state)
    benchmark::DoNotOptimize(classifier.logits(texts).data());

  const Precision precision = classifier.precision();
  const double bytes = weight_bytes(model.config, double(element_bytes(precision)));
  const double work = operations(model.config, {length});
  const double bound = bound_seconds(work, of_precision(machine_peaks(), precision), bytes,
                                     read_bandwidth(static_cast<std::size_t>(bytes)));
  state.counters["op/s"] = benchmark::Counter(work, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["% of bound"] = benchmark::Counter(100 * bound, benchmark::Counter::kIsIterationInvariantRate);
}

/// body(hidden, batch, workspace) on the embeddings of a text
template <class Body>
void on_hidden(benchmark::State& state, Model& model, std::size_t length, double operations_each, const Body& body) {
  const std::vector<std::int32_t> ids = some_text(length, model.config.vocab_size);
  Batch batch;
  batch.add(ids.data(), ids.size());
  Workspace workspace(model.config);
  workspace.begin(batch.tokens(), batch.texts(), batch.longest());
  const Embeddings embeddings = Embeddings::load(model.weights(), model.config);
  const Rows hidden = workspace.hidden(batch.tokens());
  embeddings.forward(batch, hidden, workspace);
  for (auto _ : state)
    body(embeddings, hidden, batch, workspace);
  if (operations_each > 0)
    count_operations(state, operations_each, of_precision(machine_peaks(), model.weights().precision()));
}

void register_layers(const std::string& name, const std::shared_ptr<Model>& model, std::size_t length) {
  const DistilBertConfig& config = model->config;
  const double tokens = double(length), dim = double(config.dim);
  const double products = tokens * (8 * dim * dim + 4 * dim * double(config.hidden_dim));
  const std::string suffix = "/" + name + "/length:" + std::to_string(length);
  add("embeddings" + suffix, [=](benchmark::State& state) {
    on_hidden(state, *model, length, 0,
              [](const Embeddings& embeddings, const Rows& hidden, const Batch& batch, Workspace& workspace) {
                embeddings.forward(batch, hidden, workspace);
              });
  });
  add("transformer_block" + suffix, [=](benchmark::State& state) {
    const auto block = TransformerBlock::load(model->weights(), "transformer.layer.0", model->config);
    on_hidden(state, *model, length, products + 4 * tokens * tokens * dim,
              [&](const Embeddings&, const Rows& hidden, const Batch& batch, Workspace& workspace) {
                block.forward(batch, hidden, workspace);
              });
  });
}

} // namespace

void register_forward(const std::string& folder) {
  const auto model = std::make_shared<Model>(folder);
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  const std::string name = (path.has_filename() ? path : path.parent_path()).filename().string();
  for (const std::size_t length : {16u, 128u})
    register_layers(name, model, length);
  for (const std::size_t length : {8u, 16u, 32u, 64u, 128u, 256u, 512u})
    if (length <= model->config.max_position_embeddings)
      add("forward/" + name + "/length:" + std::to_string(length), [model, length](benchmark::State& state) {
        forward(state, *model, length);
      })->Unit(benchmark::kMillisecond);
}

} // namespace bench
