#include <distilbert/tasks/masked_lm.hpp>
#include <doctest/doctest.h>

#include <limits>
#include <tuple>

#include "golden_models.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const Shape small{
    .vocab = 60, .positions = 64, .dim = 24, .hidden_dim = 40, .n_layers = 1, .n_heads = 3, .head = "mlm"};

using Predictions = std::vector<MaskPrediction>;

void check_same(const Predictions& found, Json expected) {
  std::size_t i = 0;
  for (const Json prediction : list_of(expected)) {
    REQUIRE(i < found.size());
    const double score = prediction["score"].get_double().value();
    CHECK(std::fabs(double{found[i].score} - score) < std::min(pipeline_tolerance, 1e-3 * score));
    CHECK(found[i].token == prediction["token"].get_int64().value());
    CHECK(found[i].token_str == text_of(prediction["token_str"].value()));
    CHECK(found[i].sequence == text_of(prediction["sequence"].value()));
    ++i;
  }
  CHECK(i == found.size());
}

/// The pipeline gives a list of predictions for one mask, a list of such lists for several.
void check_same(const std::vector<Predictions>& masks, Json expected) {
  if (masks.size() == 1)
    return check_same(masks[0], expected);
  for (std::size_t i = 0; i < masks.size(); ++i)
    check_same(masks[i], expected.at(i).value());
}

bool equal(const std::vector<Predictions>& a, const std::vector<Predictions>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Predictions& x, const Predictions& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](const MaskPrediction& p, const MaskPrediction& q) {
      return p.score == q.score && p.token == q.token && p.token_str == q.token_str && p.sequence == q.sequence;
    });
  });
}

} // namespace

TEST_CASE("the head's logits are transformers'") {
  const GoldenFile file("heads.json", "tasks");
  std::size_t cases = 0;
  for (const Json json : list_of(file["cases"])) {
    const std::string name = text_of(json["name"].value());
    if (text_of(json["head"].value()) != "mlm")
      continue;
    CAPTURE(name);
    const RandomModel model(shape_of(json));
    REQUIRE(checksum(model.tensors) == checksum_of(json));
    const auto config = DistilBertConfig::from_pretrained(model.path());
    const auto head = DistilBertForMaskedLM::load(PackedModel::from_pretrained(model.path(), config), config);
    Workspace workspace(config);
    for (const Json text : list_of(json["texts"].value())) {
      Batch batch;
      for (const Json id : list_of(text["ids"].value()))
        batch.ids.push_back(static_cast<std::int32_t>(id.get_int64().value()));
      batch.end_text();
      if (!text["type_ids"].error())
        for (const Json type : list_of(text["type_ids"].value()))
          batch.type_ids.push_back(static_cast<std::int32_t>(type.get_int64().value()));
      std::vector<std::size_t> positions;
      for (const Json position : list_of(text["positions"].value()))
        positions.push_back(size_of(position));
      const auto expected = rows_of<float>(text["logits"].value());
      std::size_t rows = 0;
      head.forward(batch, positions, workspace, [&](std::size_t i, const float* logits) {
        CHECK(i == rows++);
        CHECK(relative_difference(std::vector<float>(logits, logits + head.width()), expected.at(i)) <
              golden_tolerance);
      });
      CHECK(rows == expected.size());
    }
    ++cases;
  }
  CHECK(cases == 3);
}

TEST_CASE("predictions are those of transformers' pipeline") {
  for (const auto& [key, shape, expected_calls] :
       {std::tuple("distilbert_mlm", Shape{.head = "mlm"}, 15),
        std::tuple("bert_mlm", Shape{.dim = 48, .n_heads = 3, .head = "mlm"}, 5)}) {
    const GoldenModel model(key, shape);
    const auto masked_lm = MaskedLM::from_pretrained(model.path());
    const auto compare = [&](Json args, const simdjson::dom::object& kwargs, Json result) {
      const auto texts = texts_of(args.at(0).value());
      const std::size_t top_k = kwargs["top_k"].error() ? 5 : size_of(kwargs["top_k"].value());
      const auto targets = kwargs["targets"].error() ? std::vector<std::string>() : texts_of(kwargs["targets"].value());
      CAPTURE(texts[0]);
      const auto found = masked_lm.fill(views_of(texts), top_k, targets);
      REQUIRE(found.size() == texts.size());
      for (std::size_t i = 0; i < texts.size(); ++i) {
        check_same(found[i], texts.size() == 1 ? result : result.at(i).value());
        CHECK(equal(found[i], masked_lm.fill(texts[i], top_k, targets)));
      }
    };
    CHECK(each_pipeline_call("fill-mask", key, {"top_k", "targets"}, compare) == expected_calls);
  }
}

TEST_CASE("the same bits for a text alone, among others, on any number of threads, and for the last of many masks") {
  const RandomModel model(small);
  std::string many;
  for (int i = 0; i < 40; ++i)
    many += i % 3 ? "[MASK] " : "w7 ";
  const std::vector<std::string_view> texts = {"w5 [MASK] w6", many, "[MASK]", "w8 [MASK] [MASK] unheard"};
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    LoadOptions options;
    options.precision = precision;
    options.threads = 1;
    const auto alone = MaskedLM::from_pretrained(model.path(), options);
    options.threads = 3;
    const auto together = MaskedLM::from_pretrained(model.path(), options).fill(texts, 60);
    REQUIRE(together.size() == texts.size());
    CHECK(together[1].size() == 26);
    CHECK(together[3].size() == 2);
    for (std::size_t i = 0; i < texts.size(); ++i)
      CHECK(equal(together[i], alone.fill(texts[i], 60)));
    double sum = 0;
    for (const MaskPrediction& prediction : together[1].back())
      sum += double{prediction.score};
    CHECK(sum == doctest::Approx(1));
    CHECK(together[1].back().size() == 60);
    CHECK(std::is_sorted(together[1].back().begin(), together[1].back().end(),
                         [](const MaskPrediction& a, const MaskPrediction& b) { return a.score > b.score; }));
  }
}

TEST_CASE("top_k, targets and what they mean at their ends") {
  const RandomModel model(small);
  const auto masked_lm = MaskedLM::from_pretrained(model.path());
  const std::string text = "w5 [MASK] w6";
  const auto all = masked_lm.fill(text, 1000).at(0);
  CHECK(all.size() == 60);
  CHECK(masked_lm.fill(text).at(0).size() == 5);
  CHECK(masked_lm.fill(text, 0).at(0).empty());
  const auto some = masked_lm.fill(text, 9, {"w9", "w7 w8", "", "w9", "[UNK]"}).at(0); // ids 9, 7, none, 9, 1
  REQUIRE(some.size() == 3);
  for (const MaskPrediction& prediction : some)
    CHECK(std::count_if(all.begin(), all.end(), [&](const MaskPrediction& p) {
            return p.token == prediction.token && p.score == prediction.score && p.sequence == prediction.sequence;
          }) == 1);
  for (const MaskPrediction& prediction : all) {
    CAPTURE(prediction.token);
    const std::string word = prediction.token < 5 ? "" : " w" + std::to_string(prediction.token);
    CHECK(prediction.sequence == "w5" + word + " w6"); // special tokens leave the sequence
  }
  const auto two = masked_lm.fill("[MASK] w5 [MASK]", 1, {"w9"});
  CHECK(two.at(0).at(0).sequence == "[CLS] w9 w5 [MASK] [SEP]");
  CHECK(two.at(1).at(0).sequence == "[CLS] [MASK] w5 w9 [SEP]");
  const Encoding encoding = masked_lm.tokenizer().encode(text);
  CHECK(equal(masked_lm.fill_encoded({encoding, encoding}, 7).at(1), masked_lm.fill(text, 7)));
}

TEST_CASE("spaces are cleaned up where the tokenizer's files want it") {
  const GoldenModel model("distilbert_mlm", {.head = "mlm"});
  for (const bool cleaned : {true, false}) {
    write_file(model.path() / "tokenizer_config.json",
               std::string("{\"clean_up_tokenization_spaces\": ") + (cleaned ? "true}" : "false}"));
    const auto filled = MaskedLM::from_pretrained(model.path()).fill("Don't [MASK], she said.", 1, {"go"});
    CHECK(filled.at(0).at(0).sequence == (cleaned ? "don't go, she said." : "don ' t go, she said."));
  }
}

TEST_CASE("a model with more rows than the tokenizer has tokens") {
  const RandomModel model(small);
  std::string words = vocabulary(small);
  words.resize(words.find("w50\n"));
  write_file(model.path() / "vocab.txt", words);
  const auto predictions = MaskedLM::from_pretrained(model.path()).fill("w5 [MASK]", 60);
  for (const MaskPrediction& prediction : predictions.at(0)) {
    CHECK(prediction.token_str.empty() == (prediction.token >= 50));
    if (prediction.token >= 50)
      CHECK(prediction.sequence == "w5");
  }
}

TEST_CASE("bad input is refused by the number of its text") {
  const RandomModel model(small);
  const auto masked_lm = MaskedLM::from_pretrained(model.path());
  std::string late;
  for (int i = 0; i < 70; ++i)
    late += "w5 ";
  late += "[MASK]";
  const std::vector<std::string_view> texts = {"[MASK]", "none"}, invalid = {"[MASK]", "[MASK]", "\xFF"};
  refused(ErrorCode::invalid_argument, "text 1", [&] { masked_lm.fill(texts); });
  refused(ErrorCode::invalid_argument, "64 tokens", [&] { masked_lm.fill(late); });
  refused(ErrorCode::invalid_argument, "no target", [&] { masked_lm.fill("[MASK]", 5, {"", " "}); });
  refused(ErrorCode::invalid_utf8, "text 2", [&] { masked_lm.fill(invalid); });
  refused(ErrorCode::invalid_utf8, "", [&] { masked_lm.fill("[MASK]", 5, {"\xFF"}); });
  refused(ErrorCode::text_too_long, "text 1", [&] {
    const Tokenizer& tokenizer = masked_lm.tokenizer();
    masked_lm.fill_encoded({tokenizer.encode("[MASK]"), tokenizer.encode(late)});
  });
  CHECK(masked_lm.fill(std::vector<std::string_view>{}).empty());

  std::vector<Tensor> tensors = model.tensors;
  for (Tensor& tensor : tensors)
    if (tensor.name == "vocab_layer_norm.bias")
      tensor.values[3] = std::numeric_limits<float>::quiet_NaN();
  const RandomModel poisoned(small, tensors);
  refused(ErrorCode::non_finite_result, "text 0", [&] { MaskedLM::from_pretrained(poisoned.path()).fill("[MASK]"); });

  const auto config = DistilBertConfig::from_pretrained(model.path());
  const auto head = DistilBertForMaskedLM::load(PackedModel::from_pretrained(model.path(), config), config);
  Workspace workspace(config);
  Batch batch;
  batch.ids = {2, 4, 3};
  batch.end_text();
  const auto ignore = [](std::size_t, float*) {};
  refused(ErrorCode::invalid_argument, "position 3", [&] { head.forward(batch, {1, 3}, workspace, ignore); });
  refused(ErrorCode::invalid_argument, "4 positions", [&] { head.forward(batch, {1, 1, 1, 1}, workspace, ignore); });
  head.forward(batch, {}, workspace, [](std::size_t, float*) { FAIL("no position, no logits"); });

  const RandomModel other({.vocab = 60, .dim = 24, .n_heads = 3});
  refused(ErrorCode::missing_tensor, "vocab_transform", [&] { MaskedLM::from_pretrained(other.path()); });
}
