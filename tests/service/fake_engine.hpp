#pragma once
// Models for the tests of routes: of any task, with a vocabulary of a few words, whose rows follow from the ids.

#include "service/http/router.hpp"
#include "service/inference/inference.hpp"
#include "service/observe/metrics.hpp"
#include "service/routes/routes.hpp"

#include <cstddef>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace service::test {

/// Ids: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, then good 5, bad 6, film 7, a 8, ##s 9, ! 10.
inline constexpr const char* vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ngood\nbad\nfilm\na\n##s\n!\n";

class FakeEngine : public Engine {
public:
  explicit FakeEngine(Task task, std::vector<std::string> labels = {"NEGATIVE", "POSITIVE"}) : task_(task) {
    config_.id2label = task == Task::reranker ? std::vector<std::string>{"LABEL_0"} : std::move(labels);
    config_.vocab_size = tokenizer_.vocabulary_size();
    config_.max_position_embeddings = max_length();
    config_.dim = 4;
  }

  Task task() const override { return task_; }
  const distilbert::DistilBertConfig& config() const override { return config_; }
  const distilbert::Tokenizer& tokenizer() const override { return tokenizer_; }
  distilbert::Precision precision() const override { return distilbert::Precision::fp32; }
  std::size_t max_length() const override { return 16; }
  std::string_view pooling() const override { return task_ == Task::embedder ? "mean" : ""; }
  std::string fingerprint() const override { return task_ == Task::embedder ? "" : "0123"; }

  /// A classifier's logits: good - bad for the last label, its negative for the first, 0 for those between; film counts
  /// for a reranker. An embedder's vector: how often good, bad, film and a are there; of a token, whether it is that.
  std::vector<Row> run(Output output, const std::vector<distilbert::Encoding>& texts) const override {
    std::vector<Row> rows;
    for (const distilbert::Encoding& text : texts) {
      Row counts(4, 0.0f), tokens;
      for (const std::int32_t id : text.ids)
        for (std::int32_t word = 5; word < 9; ++word) {
          counts[static_cast<std::size_t>(word - 5)] += id == word;
          tokens.push_back(id == word);
        }
      if (task_ == Task::embedder) {
        rows.push_back(output == Output::tokens ? tokens : counts);
      } else {
        Row logits(config_.num_labels(), 0.0f);
        logits.back() = task_ == Task::reranker ? counts[2] : counts[0] - counts[1];
        if (task_ == Task::classifier)
          logits.front() = -logits.back();
        rows.push_back(logits);
      }
    }
    return rows;
  }

private:
  Task task_;
  distilbert::DistilBertConfig config_;
  distilbert::Tokenizer tokenizer_ = distilbert::Tokenizer::from_vocabulary(vocabulary);
};

/// Everything behind the routes; add routes to `router`, then ask.
struct FakeService {
  explicit FakeService(std::shared_ptr<const Engine> engine) : inference(std::move(engine), {}) {}
  explicit FakeService(Task task) : FakeService(std::make_shared<const FakeEngine>(task)) {}

  /// Sends a request and waits for its answer.
  Response send(Request request) {
    auto promise = std::make_shared<std::promise<Response>>();
    auto future = promise->get_future();
    router.handle(std::move(request), [promise](Response response) { promise->set_value(std::move(response)); });
    return future.get();
  }

  Response post(std::string path, std::string body, std::vector<Field> fields = {}) {
    Request request;
    request.method = "POST";
    request.path = std::move(path);
    request.body = std::move(body);
    request.fields = std::move(fields);
    return send(std::move(request));
  }

  Response get(std::string path) {
    Request request;
    request.method = "GET";
    request.path = std::move(path);
    return send(std::move(request));
  }

  Metrics metrics;
  Inference inference;
  Context context{inference, metrics};
  Router router;
};

/// Value of a header field; empty if it is not there.
inline std::string field(const Response& response, std::string_view name) {
  for (const Field& field : response.fields)
    if (field.name == name)
      return field.value;
  return {};
}

} // namespace service::test
