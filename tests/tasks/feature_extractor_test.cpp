#include <distilbert/tasks/feature_extractor.hpp>
#include <doctest/doctest.h>

#include <limits>
#include <tuple>

#include "golden_models.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const Shape small{
    .vocab = 60, .positions = 20, .dim = 24, .hidden_dim = 40, .n_layers = 3, .n_heads = 3, .labels = 0, .prefix = ""};
const FeatureOptions everything{.hidden_states = true, .attentions = true};

double distance(const std::vector<float>& found, const std::vector<double>& expected) {
  if (found.size() != expected.size())
    return INFINITY;
  double most = 0;
  for (std::size_t i = 0; i < found.size(); ++i)
    most = std::max(most, std::fabs(double{found[i]} - expected[i]));
  return most;
}

/// Nested lists of numbers, in order
void flatten(Json json, std::vector<double>& numbers) {
  if (!json.is_array())
    return numbers.push_back(json.get_double().value());
  for (const Json element : list_of(json))
    flatten(element, numbers);
}
std::vector<double> flat(Json json) {
  std::vector<double> numbers;
  flatten(json, numbers);
  return numbers;
}

} // namespace

TEST_CASE("every hidden state and every attention matrix is transformers'") {
  const GoldenFile file("heads.json", "tasks");
  std::size_t texts = 0;
  for (const Json json : list_of(file["cases"])) {
    if (size_of(json["labels"].value()) != 0)
      continue;
    const RandomModel model(shape_of(json));
    REQUIRE(checksum(model.tensors) == checksum_of(json));
    const auto extractor = FeatureExtractor::from_pretrained(model.path());
    for (const Json text : list_of(json["texts"].value())) {
      if (!text["type_ids"].error() && text["type_ids"].at(text["ids"].get_array().size() - 1).get_int64() != 0)
        continue; // a pair
      std::vector<std::int32_t> ids;
      for (const double id : flat(text["ids"].value()))
        ids.push_back(static_cast<std::int32_t>(id));
      const Features features = extractor.extract(ids, everything);
      CHECK(features.ids == ids);
      CHECK(features.hidden_states.size() == model.shape.n_layers + 1);
      CHECK(features.attentions.size() == model.shape.n_layers);
      for (std::size_t i = 0; i <= model.shape.n_layers; ++i)
        CHECK(distance(features.hidden_states[i], flat(text["hidden_states"].at(i).value())) < pipeline_tolerance);
      for (std::size_t i = 0; i < model.shape.n_layers; ++i)
        CHECK(distance(features.attentions[i], flat(text["attentions"].at(i).value())) < pipeline_tolerance);
      ++texts;
    }
  }
  CHECK(texts == 3);
}

TEST_CASE("features are those of transformers' pipeline") {
  for (const auto& [key, shape, expected_calls] :
       {std::tuple("distilbert_encoder", Shape{.labels = 0}, 4),
        std::tuple("bert_encoder", Shape{.dim = 48, .n_heads = 3, .labels = 0}, 2)}) {
    const GoldenModel model(key, shape);
    const auto extractor = FeatureExtractor::from_pretrained(model.path());
    const auto compare = [&](Json args, const auto&, Json result) {
      const auto texts = texts_of(args.at(0).value());
      const auto found = extractor.last_hidden_state(views_of(texts));
      for (std::size_t i = 0; i < texts.size(); ++i)
        CHECK(distance(found[i], flat(args.at(0).is_string() ? result : result.at(i).value())) < pipeline_tolerance);
    };
    CHECK(each_pipeline_call("feature-extraction", key, {}, compare) == expected_calls);
  }
}

TEST_CASE("all methods give the same bits, whatever else is in the call") {
  const RandomModel model(small);
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    LoadOptions options;
    options.precision = precision;
    options.threads = 3;
    const auto extractor = FeatureExtractor::from_pretrained(model.path(), options);
    const std::vector<std::string_view> texts = {"w5", "", "w7 w8 unheard w9", "w59 w5 w6 w7 w8 w9 w10 w11 w12 w13"};
    const auto together = extractor.last_hidden_state(texts);
    const auto cls = extractor.cls(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Features features = extractor.extract(texts[i], everything);
      CHECK(features.last_hidden_state == together[i]);
      CHECK(features.hidden_states.back() == together[i]);
      CHECK(extractor.last_hidden_state({features.ids})[0] == together[i]);
      CHECK(extractor.extract(features.ids).last_hidden_state == together[i]);
      CHECK(extractor.extract(texts[i]).hidden_states.empty());
      CHECK(extractor.extract(texts[i]).attentions.empty());
      const std::vector<float> alone = extractor.cls(std::vector<std::string_view>{texts[i]});
      CHECK(extractor.cls(std::vector<std::vector<std::int32_t>>{features.ids}) == alone);
      CHECK(std::equal(alone.begin(), alone.end(), cls.begin() + static_cast<std::ptrdiff_t>(i * small.dim)));
      if (precision == Precision::fp32)
        CHECK(distance(alone, {&together[i][0], &together[i][small.dim]}) < 1e-5);
    }
  }
}

TEST_CASE("ids and offsets are the tokenizer's") {
  const RandomModel model(small);
  const auto extractor = FeatureExtractor::from_pretrained(model.path());
  const Features features = extractor.extract("w5  w6 \xC3\xA9 w7");
  CHECK(features.ids == std::vector<std::int32_t>{2, 5, 6, 1, 7, 3});
  REQUIRE(features.offsets.size() == 6);
  CHECK(features.offsets[2].begin == 4);
  CHECK(features.offsets[4].begin == 10);
  CHECK(features.offsets[5].end == 0);
  FeatureOptions options;
  options.offset_unit = OffsetUnit::code_points;
  CHECK(extractor.extract("w5  w6 \xC3\xA9 w7", options).offsets[4].begin == 9);
  std::string text;
  for (int i = 0; i < 100; ++i)
    text += "w5 ";
  CHECK(extractor.extract(text).truncated);
  CHECK(extractor.extract(text).last_hidden_state.size() == 20 * small.dim);
  CHECK_FALSE(features.truncated);
}

TEST_CASE("a head beside the encoder does not matter") {
  const RandomModel model({.vocab = 60, .dim = 24, .n_heads = 3, .labels = 3});
  CHECK(FeatureExtractor::from_pretrained(model.path()).last_hidden_state({std::string_view("w5")})[0].size() == 72);
}

TEST_CASE("bad input is refused by the number of its text") {
  const RandomModel model(small);
  const auto extractor = FeatureExtractor::from_pretrained(model.path());
  const std::vector<std::string_view> texts = {"w5", "w6 \xFF"};
  const std::vector<std::vector<std::int32_t>> none = {{2, 3}, {}}, unknown = {{2, 60, 3}},
                                               endless = {{2}, std::vector<std::int32_t>(21, 5)};
  refused(ErrorCode::invalid_utf8, "text 1", [&] { extractor.last_hidden_state(texts); });
  refused(ErrorCode::invalid_utf8, "text 1", [&] { extractor.cls(texts); });
  refused(ErrorCode::invalid_utf8, "", [&] { extractor.extract("\xFF"); });
  refused(ErrorCode::invalid_argument, "text 1", [&] { extractor.last_hidden_state(none); });
  refused(ErrorCode::invalid_argument, "", [&] { extractor.extract(std::vector<std::int32_t>{}, everything); });
  refused(ErrorCode::invalid_token_id, "60", [&] { extractor.last_hidden_state(unknown); });
  refused(ErrorCode::text_too_long, "21", [&] { extractor.last_hidden_state(endless); });
  refused(ErrorCode::text_too_long, "21", [&] { extractor.cls(endless); });
  refused(ErrorCode::text_too_long, "21", [&] { extractor.extract(endless[1], everything); });
  CHECK(extractor.last_hidden_state(std::vector<std::string_view>{}).empty());
  CHECK(extractor.cls(std::vector<std::string_view>{}).empty());

  std::vector<Tensor> tensors = model.tensors;
  for (Tensor& tensor : tensors)
    if (tensor.name == "embeddings.word_embeddings.weight")
      tensor.values[50 * small.dim] = std::numeric_limits<float>::quiet_NaN();
  const RandomModel poisoned(small, tensors);
  const auto nan = FeatureExtractor::from_pretrained(poisoned.path());
  refused(ErrorCode::non_finite_result, "text 0", [&] { nan.extract("w50", everything); });
  refused(ErrorCode::non_finite_result, "text 1", [&] {
    nan.last_hidden_state(std::vector<std::string_view>{"w5", "w50"});
  });
  refused(ErrorCode::non_finite_result, "text 1", [&] { nan.cls(std::vector<std::string_view>{"w5", "w50"}); });
}
