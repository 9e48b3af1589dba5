#include <distilbert/tasks/zero_shot_classifier.hpp>
#include <doctest/doctest.h>

#include "golden_models.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const std::vector<std::string> nli = {"entailment", "neutral", "contradiction"};
const std::vector<std::string> upper_nli = {"CONTRADICTION", "NEUTRAL", "ENTAILMENT"};

GoldenModel golden_nli(const std::vector<std::string>& id2label = nli) {
  return {"distilbert_nli", {.labels = 3}, id2label};
}

std::vector<std::string> labels_of(Json json) {
  if (!json.is_string())
    return texts_of(json);
  std::vector<std::string> labels; // "a, b,c"
  std::string all = text_of(json) + ",";
  for (std::size_t at = 0; at < all.size(); at = all.find(',', at) + 1) {
    at = all.find_first_not_of(' ', at);
    labels.push_back(all.substr(at, all.find(',', at) - at));
  }
  return labels;
}

void check_against_pipeline(const std::string& key, const GoldenModel& model, std::size_t least) {
  const auto classifier = ZeroShotClassifier::from_pretrained(model.path());
  const auto compare = [](const ZeroShotClassification& found, Json expected) {
    CHECK(found.labels == texts_of(expected["labels"].value()));
    std::size_t i = 0;
    for (const Json score : list_of(expected["scores"].value()))
      CHECK(std::fabs(double{found.scores.at(i++)} - score.get_double().value()) < pipeline_tolerance);
    CHECK(found.scores.size() == i);
  };
  const std::vector<std::string> known = {"candidate_labels", "hypothesis_template", "multi_label"};
  const std::size_t count = each_pipeline_call(
      "zero-shot-classification", key, known, [&](Json args, const simdjson::dom::object& kwargs, Json result) {
        const Json asked = args.at(0).value();
        const auto labels = labels_of(args.at(1).error() ? kwargs["candidate_labels"].value() : args.at(1).value());
        const std::string hypothesis = kwargs["hypothesis_template"].error()
                                           ? "This example is {}."
                                           : text_of(kwargs["hypothesis_template"].value());
        const bool multi_label = !kwargs["multi_label"].error() && kwargs["multi_label"].get_bool().value();
        const auto texts = texts_of(asked);
        const auto found = classifier.classify(views_of(texts), labels, hypothesis, multi_label);
        REQUIRE(found.size() == texts.size());
        if (asked.is_string())
          return compare(found[0], result);
        for (std::size_t i = 0; i < found.size(); ++i) {
          compare(found[i], result.at(i).value());
          const auto alone = classifier.classify(texts[i], labels, hypothesis, multi_label);
          CHECK(alone.scores == found[i].scores);
          CHECK(alone.labels == found[i].labels);
        }
      });
  CHECK(count >= least);
}

} // namespace

TEST_CASE("labels and scores are those of transformers' pipeline") {
  check_against_pipeline("distilbert_nli", golden_nli(), 13);
  check_against_pipeline("bert_nli", {"bert_nli", {.dim = 48, .n_heads = 3, .labels = 3}, upper_nli}, 6);
}

TEST_CASE("entailment is found by its name, in any case") {
  const auto entailment_of = [](const std::vector<std::string>& id2label) {
    const GoldenModel model = golden_nli(id2label);
    return ZeroShotClassifier::from_pretrained(model.path()).entailment_id();
  };
  CHECK(entailment_of(nli) == 0);
  CHECK(entailment_of(upper_nli) == 2);
  CHECK(entailment_of({"neutral", "Entails", "entailment"}) == 1);
  CHECK_FALSE(entailment_of({"no", "not entailed", "yes"}));
  CHECK_FALSE(entailment_of({"ENTAI", "", "other"}));
}

TEST_CASE("label2id tells which label is entailment, whatever id2label says") {
  const GoldenModel model = golden_nli({"LABEL_0", "entailment", "LABEL_2"});
  std::string config = config_json(model.shape);
  config.pop_back();
  const auto load = [&](const std::string& label2id) {
    write_file(model.path() / "config.json", config + R"(, "id2label": {"0": "LABEL_0", "1": "entailment", "2": ""})" +
                                                 ", \"label2id\": " + label2id + "}");
    return ZeroShotClassifier::from_pretrained(model.path());
  };
  CHECK(load("null").entailment_id() == 1);
  CHECK(load(R"({"contradiction": 1, "neutral": 2, "Entailment": 0})").entailment_id() == 0);
  CHECK(load(R"({"entails": 2, "entailment": 0})").entailment_id() == 2);
  const std::string unnamed = R"({"a": 0, "b": 1, "c": 2})";
  CHECK_FALSE(load(unnamed).entailment_id());
  CHECK(load(unnamed).classify("the cat", {"war", "art"}).scores == // the last, as transformers' -1
        load(R"({"entailment": 2})").classify("the cat", {"war", "art"}).scores);
  for (const char* id : {"3", "-1", "\"1\"", "null"})
    refused(ErrorCode::invalid_config, "label2id: an id from 0 to 2 expected for \"entailment\"",
            [&] { load("{\"entailment\": " + std::string(id) + "}"); });

  const auto classifier = load(R"({"entailment": 2})");
  const auto judged = classifier.classifier().classify_pairs({{"the cat", "This example is war."}})[0];
  const double against = double{judged.logits[0]} - double{judged.logits[2]};
  CHECK(classifier.classify("the cat", {"war"}).scores[0] == doctest::Approx(1 / (1 + std::exp(against))));
}

TEST_CASE("scores are made of the logits that the classifier gives to text and hypothesis") {
  const GoldenModel model = golden_nli(upper_nli); // contradiction 0, entailment 2
  const auto classifier = ZeroShotClassifier::from_pretrained(model.path());
  const std::string text = "the cat walks home", a = "It is a song, they say.", b = "It is a war, they say.";
  const auto pairs = classifier.classifier().classify_pairs({{text, a}, {text, b}});
  const auto logit = [&](std::size_t pair, std::size_t label) { return double{pairs[pair].logits[label]}; };
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  const auto score_of = [](const ZeroShotClassification& answer, const std::string& label) {
    const auto at = std::find(answer.labels.begin(), answer.labels.end(), label) - answer.labels.begin();
    return double{answer.scores.at(static_cast<std::size_t>(at))};
  };
  const std::string_view hypothesis = "It is a {}, they say.";
  const auto one = classifier.classify(text, {"song", "war"}, hypothesis);
  CHECK(score_of(one, "song") == doctest::Approx(sigmoid(logit(0, 2) - logit(1, 2))));
  CHECK(one.scores[0] >= one.scores[1]);
  const auto each = classifier.classify(text, {"song", "war"}, hypothesis, true);
  CHECK(score_of(each, "song") == doctest::Approx(sigmoid(logit(0, 2) - logit(0, 0))));
  CHECK(score_of(each, "war") == doctest::Approx(sigmoid(logit(1, 2) - logit(1, 0))));
  const auto alone = classifier.classify(text, {"war"}, hypothesis);
  CHECK(alone.scores[0] == static_cast<float>(score_of(each, "war")));
  CHECK(classifier.classify(text, {"war", "war", "song"}, hypothesis).scores.size() == 3);
}

TEST_CASE("the text is cut, never the hypothesis; equal scores keep the order of the labels") {
  const GoldenModel model = golden_nli();
  const auto classifier = ZeroShotClassifier::from_pretrained(model.path());
  std::string text, label;
  for (int i = 0; i < 200; ++i)
    text += "cat ";
  for (int i = 0; i < 100; ++i)
    label += "war ";
  const auto answer = classifier.classify(text, {label, label + "war"});
  CHECK(answer.truncated);
  CHECK_FALSE(classifier.classify("cat", {label}).truncated);
  const auto cut = classifier.classifier().classify_pairs({{text, "This example is " + label + "."}},
                                                          TruncationStrategy::only_first);
  CHECK(cut[0].token_count == 128);
  CHECK(cut[0].logits != classifier.classifier().classify_pairs({{text, "This example is " + label + "."}})[0].logits);

  std::vector<Tensor> tensors = model.tensors;
  for (Tensor& tensor : tensors)
    if (tensor.name.starts_with("classifier"))
      std::fill(tensor.values.begin(), tensor.values.end(), 0.0f);
  write_safetensors(model.path() / "model.safetensors", model.shape, tensors);
  const auto equal = ZeroShotClassifier::from_pretrained(model.path()).classify("cat", {"b", "c", "a"});
  CHECK(equal.labels == std::vector<std::string>{"b", "c", "a"});
}

TEST_CASE("bad input is refused") {
  const GoldenModel model = golden_nli();
  const auto classifier = ZeroShotClassifier::from_pretrained(model.path());
  const auto refused = [&](ErrorCode code, const std::vector<std::string_view>& texts,
                           const std::vector<std::string>& labels, std::string_view hypothesis) {
    try {
      classifier.classify(texts, labels, hypothesis);
    } catch (const Error& e) {
      CHECK(std::string(describe(e.code())) == describe(code));
      return std::string(e.what());
    }
    FAIL("no error");
    return std::string();
  };
  std::string endless;
  for (int i = 0; i < 130; ++i)
    endless += "war ";
  refused(ErrorCode::invalid_argument, {"a"}, {}, "{}");
  for (const std::string_view hypothesis : {"", "no place", "{", "{} or {}", "{0}"})
    refused(ErrorCode::invalid_argument, {"a"}, {"b"}, hypothesis);
  refused(ErrorCode::invalid_utf8, {"a"}, {"\xFF"}, "{}");
  refused(ErrorCode::invalid_truncation, {"a"}, {endless}, "{}");
  const std::string found = refused(ErrorCode::invalid_utf8, {"a", "\xFF"}, {"b", "c"}, "{}");
  CHECK(found.find("text 2") != found.npos); // the first pair of the second text
  CHECK(classifier.classify(std::vector<std::string_view>{}, {"b"}).empty());
  CHECK(classifier.classify("", {"b", ""}).labels.size() == 2);
}
