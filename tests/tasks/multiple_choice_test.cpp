#include <distilbert/tasks/multiple_choice.hpp>
#include <doctest/doctest.h>

#include <numeric>

#include "golden_models.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const Shape small{
    .vocab = 60, .positions = 20, .dim = 24, .hidden_dim = 40, .n_layers = 1, .n_heads = 3, .head = "multiple_choice"};

} // namespace

TEST_CASE("the head's logits are transformers'") {
  const GoldenFile file("heads.json", "tasks");
  std::size_t cases = 0;
  for (const Json json : list_of(file["cases"])) {
    if (text_of(json["head"].value()) != "multiple_choice")
      continue;
    const RandomModel model(shape_of(json));
    REQUIRE(checksum(model.tensors) == checksum_of(json));
    const auto config = DistilBertConfig::from_pretrained(model.path());
    const auto head = DistilBertForMultipleChoice::load(PackedModel::from_pretrained(model.path(), config), config);
    REQUIRE(head.width() == 1);
    Workspace workspace(config);
    for (const Json text : list_of(json["texts"].value())) {
      Batch batch;
      for (const auto& ids : rows_of<std::int32_t>(text["ids"].value()))
        batch.add(ids.data(), ids.size());
      if (!text["type_ids"].error())
        batch.type_ids = joined(rows_of<std::int32_t>(text["type_ids"].value()));
      std::vector<float> logits(batch.texts()), expected;
      for (const Json logit : list_of(text["logits"].value()))
        expected.push_back(static_cast<float>(logit.get_double().value()));
      head.forward(batch, workspace, logits.data());
      CHECK(relative_difference(logits, expected) < golden_tolerance);
    }
    ++cases;
  }
  CHECK(cases == 2);
}

TEST_CASE("prompts and choices as texts have transformers' logits") {
  const GoldenFile file("choices.json", "tasks");
  std::size_t questions = 0;
  for (const auto& [key, shape] :
       {std::pair("distilbert_multiple_choice", Shape{.head = "multiple_choice"}),
        std::pair("bert_multiple_choice", Shape{.dim = 48, .n_heads = 3, .head = "multiple_choice"})}) {
    const GoldenModel model(key, shape);
    const auto multiple_choice = MultipleChoice::from_pretrained(model.path());
    for (const Json question : list_of(file["questions"])) {
      if (text_of(question["model"].value()) != key)
        continue;
      const auto choices = texts_of(question["choices"].value());
      const auto logits = multiple_choice.choose(text_of(question["prompt"].value()), views_of(choices)).logits;
      REQUIRE(logits.size() == choices.size());
      for (std::size_t i = 0; i < logits.size(); ++i)
        CHECK(std::fabs(double{logits[i]} - question["logits"].at(i).get_double().value()) < pipeline_tolerance);
      ++questions;
    }
  }
  CHECK(questions == 8);
}

TEST_CASE("scores are the softmax of what the model gives to prompt and choice as a pair") {
  const RandomModel model(small);
  LoadOptions options;
  options.threads = 2;
  const auto multiple_choice = MultipleChoice::from_pretrained(model.path(), options);
  const std::string_view prompt = "w5 w6";
  const std::vector<std::string_view> choices = {"w7", "w9 w8 unheard", "", "w59"};
  const ChoiceAnswer answer = multiple_choice.choose(prompt, choices);
  REQUIRE(answer.logits.size() == 4);
  CHECK(std::accumulate(answer.scores.begin(), answer.scores.end(), 0.0) == doctest::Approx(1));
  CHECK(answer.scores[answer.best] == *std::max_element(answer.scores.begin(), answer.scores.end()));
  CHECK(answer.logits[answer.best] == *std::max_element(answer.logits.begin(), answer.logits.end()));
  CHECK(std::log(answer.scores[1] / answer.scores[3]) == doctest::Approx(answer.logits[1] - answer.logits[3]));
  CHECK_FALSE(answer.truncated);

  const auto head = DistilBertForMultipleChoice::load(
      PackedModel::from_pretrained(model.path(), multiple_choice.config()), multiple_choice.config());
  Workspace workspace(multiple_choice.config());
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const auto ids = multiple_choice.tokenizer().encode(prompt, choices[i]).ids;
    Batch batch;
    batch.add(ids.data(), ids.size());
    float logit = 0;
    head.forward(batch, workspace, &logit);
    CHECK(logit == answer.logits[i]);
    CHECK(multiple_choice.choose(prompt, {choices[i]}).logits[0] == logit);
    CHECK(multiple_choice.choose(prompt, {choices[i]}).scores[0] == 1.0f);
  }
  CHECK(multiple_choice.choose(prompt, {"w7", "w9", "w9"}).best != 2); // the first among equals
}

TEST_CASE("a prompt too long for one of its choices is cut, and said to be") {
  const RandomModel model(small);
  const auto multiple_choice = MultipleChoice::from_pretrained(model.path());
  std::string prompt;
  for (int i = 0; i < 12; ++i)
    prompt += "w" + std::to_string(5 + i) + " ";
  CHECK_FALSE(multiple_choice.choose(prompt, {"w5", "w6"}).truncated);
  const ChoiceAnswer answer = multiple_choice.choose(prompt, {"w5", "w6 w7 w8 w9 w10 w11"});
  CHECK(answer.truncated);
  CHECK(answer.logits[0] == multiple_choice.choose(prompt, {"w5"}).logits[0]);
}

TEST_CASE("bad input is refused") {
  const RandomModel model(small);
  const auto multiple_choice = MultipleChoice::from_pretrained(model.path());
  refused(ErrorCode::invalid_argument, "no choices", [&] { multiple_choice.choose("w5", {}); });
  refused(ErrorCode::invalid_utf8, "text 1", [&] { multiple_choice.choose("w5", {"w6", "\xFF"}); });
  refused(ErrorCode::invalid_utf8, "text 0", [&] { multiple_choice.choose("\xFF", {"w6", "w7"}); });
  const RandomModel classifier({.vocab = 60, .dim = 24, .n_heads = 3, .labels = 3});
  refused(ErrorCode::unsupported_architecture, "3 found", [&] { MultipleChoice::from_pretrained(classifier.path()); });
}
