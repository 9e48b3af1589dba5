#include "engine.hpp"

#include <distilbert/tasks/text_classifier.hpp>

#include <utility>

namespace service {

namespace {

class Classifier : public Engine {
public:
  explicit Classifier(distilbert::TextClassifier classifier) : classifier_(std::move(classifier)) {}

  Task task() const override { return config().num_labels() == 1 ? Task::reranker : Task::classifier; }
  const distilbert::DistilBertConfig& config() const override { return classifier_.config(); }
  const distilbert::Tokenizer& tokenizer() const override { return classifier_.tokenizer(); }
  distilbert::Precision precision() const override { return classifier_.precision(); }
  std::size_t max_length() const override { return classifier_.max_length(); }

  std::vector<Row> run(Output, const std::vector<distilbert::Encoding>& texts) const override {
    std::vector<Row> rows;
    for (distilbert::Classification& answer : classifier_.classify_encoded(texts))
      rows.push_back(std::move(answer.logits));
    return rows;
  }

private:
  distilbert::TextClassifier classifier_;
};

} // namespace

std::unique_ptr<const Engine> Engine::load(const std::filesystem::path& directory,
                                           const distilbert::LoadOptions& options) {
  return std::make_unique<Classifier>(distilbert::TextClassifier::from_pretrained(directory, options));
}

} // namespace service
