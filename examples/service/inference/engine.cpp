#include "engine.hpp"

#include "fingerprint.hpp"

#include <distilbert/tasks/sentence_embedder.hpp>
#include <distilbert/tasks/text_classifier.hpp>

#include <algorithm>
#include <cstddef>
#include <future>
#include <utility>

namespace service {

namespace {

using distilbert::Encoding;
using distilbert::LoadOptions;

/// What both kinds of engines have. `Model` is TextClassifier or SentenceEmbedder.
template <class Model> class EngineOf : public Engine {
public:
  EngineOf(Model model, const std::filesystem::path& directory, const LoadOptions& options)
      : model_(std::move(model)),
        fingerprint_(std::async(std::launch::async | std::launch::deferred,
                                [directory, options, precision = model_.precision(), max_length = model_.max_length()] {
                                  return fingerprint_of(directory, options, precision, max_length);
                                })) {}

  const distilbert::DistilBertConfig& config() const override { return model_.config(); }
  const distilbert::Tokenizer& tokenizer() const override { return model_.tokenizer(); }
  distilbert::Precision precision() const override { return model_.precision(); }
  std::size_t max_length() const override { return model_.max_length(); }
  std::string fingerprint() const override { return fingerprint_.get(); }

protected:
  const Model& model() const { return model_; }

private:
  Model model_;
  std::shared_future<std::string> fingerprint_;
};

class Classifier : public EngineOf<distilbert::TextClassifier> {
public:
  using EngineOf::EngineOf;

  Task task() const override { return config().num_labels() == 1 ? Task::reranker : Task::classifier; }

  std::vector<Row> run(Output output, const std::vector<Encoding>& texts) const override {
    if (output != Output::pooled)
      throw distilbert::Error(distilbert::ErrorCode::invalid_argument, "a classifier has no vectors of tokens");
    std::vector<Row> rows;
    rows.reserve(texts.size());
    for (distilbert::Classification& answer : model().classify_encoded(texts))
      rows.push_back(std::move(answer.logits));
    return rows;
  }
};

class Embedder : public EngineOf<distilbert::SentenceEmbedder> {
public:
  using EngineOf::EngineOf;

  Task task() const override { return Task::embedder; }
  bool normalizes() const override { return model().normalized_by_modules(); }
  std::string_view pooling() const override {
    switch (model().pooling()) {
    case distilbert::Pooling::mean: return "mean";
    case distilbert::Pooling::cls: return "cls";
    case distilbert::Pooling::max: return "max";
    }
    return {};
  }

  std::vector<Row> run(Output output, const std::vector<Encoding>& texts) const override {
    if (output == Output::tokens)
      return model().token_embeddings(texts);
    const std::vector<float> vectors = model().embed_encoded(texts);
    std::vector<Row> rows;
    rows.reserve(texts.size());
    for (auto row = vectors.begin(); row != vectors.end(); row += static_cast<std::ptrdiff_t>(width()))
      rows.emplace_back(row, row + static_cast<std::ptrdiff_t>(width()));
    return rows;
  }
};

/// A head of sequence classification, by the name of the architecture, else by the file's tensors.
bool classifies_texts(const distilbert::DistilBertConfig& config, const distilbert::SafeTensors& file) {
  if (config.has_architecture("ForSequenceClassification"))
    return true;
  if (config.has_architecture("Model") || config.has_architecture("ForMaskedLM"))
    return false;
  for (const std::string& architecture : config.architectures)
    throw distilbert::Error(distilbert::ErrorCode::unsupported_architecture,
                            "classifiers of texts and encoders are served, not " + architecture);
  return file.find("classifier.weight") || file.find("classifier.packed");
}

} // namespace

std::unique_ptr<const Engine> Engine::load(const std::filesystem::path& directory, const LoadOptions& options) {
  const bool sentence_transformer = std::filesystem::exists(directory / "modules.json");
  const std::filesystem::path model = distilbert::detail::SentenceTransformerReader(directory).read().model;
  const auto config = distilbert::DistilBertConfig::from_pretrained(model);
  LoadOptions checked = options;
  bool classifier = false;
  if (std::filesystem::exists(model / "model.safetensors")) { // else loading fails, and says why
    const auto file = distilbert::SafeTensors::open(model / "model.safetensors");
    checked.selfcheck |=
        distilbert::PackedModel::is_converted(file) && file.metadata().count(distilbert::packed_metadata::probe) > 0;
    classifier = !sentence_transformer && classifies_texts(config, file);
  }
  if (classifier)
    return std::make_unique<Classifier>(distilbert::TextClassifier::from_pretrained(directory, checked), directory,
                                        checked);
  return std::make_unique<Embedder>(distilbert::SentenceEmbedder::from_pretrained(directory, {{}, false, 0}, checked),
                                    directory, checked);
}

void Engine::warm() const {
  Encoding text;
  text.ids.assign(std::min<std::size_t>(max_length(), 32), 0);
  text.type_ids.assign(text.ids.size(), 0);
  run(Output::pooled, {text});
}

} // namespace service
