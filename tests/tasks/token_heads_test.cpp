// The heads that answer for each token, as transformers' classes do: golden/heads.json.

#include <distilbert/tasks/question_answering.hpp>
#include <distilbert/tasks/token_classification.hpp>
#include <doctest/doctest.h>

#include "../nn/golden.hpp"
#include "../nn/layer_setup.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

template <class Number> std::vector<Number> numbers_of(Json list) {
  std::vector<Number> numbers;
  for (const Json number : list_of(list))
    numbers.push_back(static_cast<Number>(number.get_double().value()));
  return numbers;
}

/// The answer to one text, [tokens, width].
std::vector<float> answer_of(Json text, const std::string& head) {
  std::vector<float> answer;
  if (head == "token") {
    for (const std::vector<float>& row : rows_of<float>(text["logits"].value()))
      answer.insert(answer.end(), row.begin(), row.end());
  } else {
    const auto start = numbers_of<float>(text["start_logits"].value()),
               end = numbers_of<float>(text["end_logits"].value());
    for (std::size_t token = 0; token < start.size(); ++token)
      answer.insert(answer.end(), {start[token], end[token]});
  }
  return answer;
}

template <class Model> std::vector<float> run(LayerSetup& setup, const Batch& batch) {
  const auto model = Model::load(setup.weights, setup.config);
  std::vector<float> answer(model.rows(batch) * model.width());
  model.forward(batch, setup.workspace, answer.data());
  return answer;
}

} // namespace

TEST_CASE("all texts of a batch get the logits of transformers' heads") {
  const GoldenFile file("heads.json", "tasks");
  std::size_t cases = 0;
  for (const Json json : list_of(file["cases"])) {
    const std::string head = text_of(json["head"].value()), name = text_of(json["name"].value());
    if (head != "token" && head != "qa")
      continue;
    CAPTURE(name);
    LayerSetup setup(shape_of(json), Precision::fp32);
    REQUIRE(checksum(setup.model.tensors) == checksum_of(json));
    Batch batch;
    std::vector<float> expected;
    for (const Json text : list_of(json["texts"].value())) {
      const auto ids = numbers_of<std::int32_t>(text["ids"].value()),
                 types = text["type_ids"].error() ? std::vector<std::int32_t>(ids.size())
                                                  : numbers_of<std::int32_t>(text["type_ids"].value());
      batch.type_ids.insert(batch.type_ids.end(), types.begin(), types.end());
      batch.add(ids.data(), ids.size());
      const auto answer = answer_of(text, head);
      expected.insert(expected.end(), answer.begin(), answer.end());
    }
    const auto found = head == "qa" ? run<DistilBertForQuestionAnswering>(setup, batch)
                                    : run<DistilBertForTokenClassification>(setup, batch);
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      CHECK(std::fabs(found[i] - expected[i]) < 1e-4f);
    ++cases;
  }
  CHECK(cases == 4);
}

TEST_CASE("a text's logits are the same bytes alone and in a batch, in every precision") {
  for (const std::string head : {"token", "qa"})
    for (const Precision precision : all_precisions) {
      Shape shape{.dim = 40, .n_heads = 5, .labels = 2};
      shape.head = head;
      LayerSetup setup(shape, precision);
      Batch batch;
      for (std::size_t i = 0; i < 4; ++i) {
        const std::vector<std::int32_t> ids = random_ids(shape, i, 1 + i * 11 % 30);
        batch.add(ids.data(), ids.size());
      }
      const auto answer = [&](const Batch& of) {
        return head == "qa" ? run<DistilBertForQuestionAnswering>(setup, of)
                            : run<DistilBertForTokenClassification>(setup, of);
      };
      const std::vector<float> together = answer(batch);
      for (std::size_t i = 0; i < batch.texts(); ++i) {
        Batch alone;
        alone.add(batch.ids.data() + batch.offsets[i], batch.length(i));
        const std::vector<float> logits = answer(alone);
        CHECK(std::equal(logits.begin(), logits.end(),
                         together.begin() + static_cast<std::ptrdiff_t>(batch.offsets[i] * 2)));
      }
    }
}
