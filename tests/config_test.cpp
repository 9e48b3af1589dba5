#include <distilbert/config.hpp>

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "weights/support.hpp"

using namespace distilbert;
using support::code_of;
using support::contains;

namespace {

/// A DistilBERT config with these members besides the model type.
DistilBertConfig distilbert_with(const std::string& members) {
  return DistilBertConfig::from_json(R"({"model_type": "distilbert")" + (members.empty() ? "}" : ", " + members + "}"));
}

DistilBertConfig bert_with(const std::string& members) {
  return DistilBertConfig::from_json(R"({"model_type": "bert")" + (members.empty() ? "}" : ", " + members + "}"));
}

std::string message_of(const std::string& members) {
  const auto error = support::error_of([&] { distilbert_with(members); });
  return error ? error->what() : "";
}

} // namespace

TEST_CASE("missing keys take the defaults of DistilBertConfig") {
  const DistilBertConfig config = distilbert_with("");
  CHECK(config.model_type == ModelFamily::distilbert);
  CHECK(config.vocab_size == 30522);
  CHECK(config.max_position_embeddings == 512);
  CHECK(config.type_vocab_size == 0);
  CHECK(config.dim == 768);
  CHECK(config.hidden_dim == 3072);
  CHECK(config.n_layers == 6);
  CHECK(config.n_heads == 12);
  CHECK(config.head_dim() == 64);
  CHECK(config.activation == Activation::gelu);
  CHECK(config.pre_classifier_activation == Activation::relu);
  CHECK(config.layer_norm_eps == 1e-12f);
  CHECK(config.pad_token_id == 0);
  CHECK(config.id2label == std::vector<std::string>{"LABEL_0", "LABEL_1"});
  CHECK(!config.problem_type);
  CHECK(config.architectures.empty());
}

TEST_CASE("missing keys take the defaults of BertConfig") {
  const DistilBertConfig config = bert_with("");
  CHECK(config.model_type == ModelFamily::bert);
  CHECK(config.dim == 768);
  CHECK(config.hidden_dim == 3072);
  CHECK(config.n_layers == 12);
  CHECK(config.n_heads == 12);
  CHECK(config.type_vocab_size == 2);
  CHECK(config.activation == Activation::gelu);
  CHECK(config.pre_classifier_activation == Activation::tanh);
  CHECK(config.layer_norm_eps == 1e-12f);
}

TEST_CASE("each family is read under its own keys") {
  const DistilBertConfig distilbert = distilbert_with(
      R"("vocab_size": 100, "max_position_embeddings": 64, "dim": 32, "hidden_dim": 48, "n_layers": 3, "n_heads": 4,
         "activation": "relu", "pad_token_id": 7, "dropout": 0.1, "hidden_size": 999)");
  CHECK(distilbert.vocab_size == 100);
  CHECK(distilbert.max_position_embeddings == 64);
  CHECK(distilbert.dim == 32);
  CHECK(distilbert.hidden_dim == 48);
  CHECK(distilbert.n_layers == 3);
  CHECK(distilbert.n_heads == 4);
  CHECK(distilbert.activation == Activation::relu);
  CHECK(distilbert.pad_token_id == 7);

  const DistilBertConfig bert = bert_with(
      R"("hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
         "hidden_act": "relu", "layer_norm_eps": 1e-5, "type_vocab_size": 1, "dim": 999,
         "position_embedding_type": "absolute", "is_decoder": false)");
  CHECK(bert.dim == 32);
  CHECK(bert.hidden_dim == 48);
  CHECK(bert.n_layers == 3);
  CHECK(bert.n_heads == 4);
  CHECK(bert.activation == Activation::relu);
  CHECK(bert.layer_norm_eps == 1e-5f);
  CHECK(bert.type_vocab_size == 1);
}

TEST_CASE("labels, problem type and architectures") {
  CHECK(distilbert_with(R"("id2label": {"1": "POSITIVE", "0": "NEGATIVE"})").id2label ==
        std::vector<std::string>{"NEGATIVE", "POSITIVE"});
  CHECK(distilbert_with(R"("id2label": {"0": "\u00e9"}, "num_labels": 1)").id2label ==
        std::vector<std::string>{"\xc3\xa9"});
  CHECK(distilbert_with(R"("num_labels": 3)").id2label == std::vector<std::string>{"LABEL_0", "LABEL_1", "LABEL_2"});
  CHECK(distilbert_with(R"("num_labels": null, "id2label": null)").num_labels() == 2);
  CHECK(distilbert_with(R"("problem_type": "regression")").problem_type == ProblemType::regression);
  CHECK(distilbert_with(R"("problem_type": "single_label_classification")").problem_type ==
        ProblemType::single_label_classification);
  CHECK(distilbert_with(R"("problem_type": "multi_label_classification")").problem_type ==
        ProblemType::multi_label_classification);
  CHECK(!distilbert_with(R"("problem_type": null)").problem_type);
  CHECK(distilbert_with(R"("architectures": ["A", "B"])").architectures == std::vector<std::string>{"A", "B"});
  CHECK(distilbert_with(R"("architectures": null, "pad_token_id": null)").architectures.empty());
  CHECK(distilbert_with(R"("pre_classifier_activation": "tanh")").pre_classifier_activation == Activation::tanh);
  CHECK(bert_with(R"("pre_classifier_activation": "relu")").pre_classifier_activation == Activation::relu);
  CHECK(distilbert_with(R"("layer_norm_eps": 1e-5)").layer_norm_eps == 1e-5f); // a BERT converted to DistilBERT
}

TEST_CASE("multiple choice scores each choice on its own, whatever the labels") {
  for (const char* labels : {"", R"(, "num_labels": 3)", R"(, "id2label": {"0": "A", "1": "B"})"})
    CHECK(distilbert_with(R"("architectures": ["Other", "DistilBertForMultipleChoice"])" + std::string(labels))
              .id2label == std::vector<std::string>{"LABEL_0"});
  CHECK(bert_with(R"("architectures": ["BertForMultipleChoice"])").num_labels() == 1);
  CHECK(bert_with(R"("architectures": ["ForMultipleChoiceX", "Choice", ""])").num_labels() == 2);
  CHECK(!distilbert_with("").has_architecture("ForMultipleChoice"));
}

TEST_CASE("token types: BERT's, or those of a BERT that was made a DistilBERT") {
  CHECK(distilbert_with(R"("pre_classifier_activation": "tanh", "type_vocab_size": 2)").type_vocab_size == 2);
  CHECK(distilbert_with(R"("pre_classifier_activation": "tanh")").type_vocab_size == 1);
  CHECK(distilbert_with("").type_vocab_size == 0);
}

TEST_CASE("the masked LM's projector is tied to the word embeddings unless the file says otherwise") {
  CHECK(distilbert_with("").tie_word_embeddings);
  CHECK(distilbert_with(R"("tie_word_embeddings": null)").tie_word_embeddings);
  CHECK_FALSE(bert_with(R"("tie_word_embeddings": false)").tie_word_embeddings);
  CHECK(code_of([] { distilbert_with(R"("tie_word_embeddings": 0)"); }) == ErrorCode::invalid_config);
}

TEST_CASE("a key given twice counts the second time") { CHECK(distilbert_with(R"("dim": 12, "dim": 24)").dim == 24); }

TEST_CASE("the limits themselves are accepted") {
  const DistilBertConfig config = distilbert_with(
      R"("vocab_size": 16777216, "max_position_embeddings": 16777216, "dim": 65536, "hidden_dim": 65536,
         "n_layers": 1024, "n_heads": 4096, "num_labels": 65536, "pad_token_id": 16777215)");
  CHECK(config.head_dim() == 16);
  CHECK(config.num_labels() == 65536);
  CHECK(distilbert_with(R"("dim": 4096, "n_heads": 4096)").head_dim() == 1); // 4096 heads of 16 packed channels
}

TEST_CASE("sizes out of range or of another type are refused") {
  for (const char* members : {
           R"("dim": 0)",
           R"("dim": -768)",
           R"("dim": 65537)",
           R"("dim": 2147483648)",
           R"("dim": "768")",
           R"("dim": 768.0)",
           R"("dim": true)",
           R"("dim": [768])",
           R"("dim": {})",
           R"("dim": 18446744073709551616)",
           R"("n_heads": 0)",
           R"("n_heads": 5)",
           R"("n_heads": -1)",
           R"("n_heads": 1536)",
           R"("dim": 100)",
           R"("n_layers": 0)",
           R"("n_layers": -1)",
           R"("n_layers": 1000000000)",
           R"("n_layers": 1025)",
           R"("hidden_dim": 0)",
           R"("hidden_dim": 131073)",
           R"("dim": 16384, "n_heads": 16384)",
           R"("hidden_dim": 1e3)",
           R"("max_position_embeddings": 0)",
           R"("max_position_embeddings": 16777217)",
           R"("vocab_size": 0)",
           R"("vocab_size": 16777217)",
           R"("vocab_size": -1)",
           R"("pad_token_id": -1)",
           R"("pad_token_id": 30522)",
           R"("pad_token_id": "0")",
           R"("num_labels": 0)",
           R"("num_labels": 65537)",
           R"("num_labels": -1)",
           R"("num_labels": 2.0)",
       }) {
    CAPTURE(members);
    CHECK(code_of([&] { distilbert_with(members); }) == ErrorCode::invalid_config);
  }
  for (const char* members :
       {R"("layer_norm_eps": 0)", R"("layer_norm_eps": -1e-12)", R"("layer_norm_eps": 2)", R"("layer_norm_eps": 1e-50)",
        R"("layer_norm_eps": "1e-12")", R"("type_vocab_size": 0)", R"("is_decoder": 1)", R"("hidden_size": 770)"}) {
    CAPTURE(members);
    CHECK(code_of([&] { bert_with(members); }) == ErrorCode::invalid_config);
  }
}

TEST_CASE("labels with holes, twins or a wrong count are refused") {
  for (const char* members : {
           R"("id2label": {})",
           R"("id2label": {"0": "A", "2": "B"})",
           R"("id2label": {"1": "A"})",
           R"("id2label": {"0": "A", "0": "B"})",
           R"("id2label": {"-1": "A"})",
           R"("id2label": {"a": "A"})",
           R"("id2label": {"": "A"})",
           R"("id2label": {"0 ": "A"})",
           R"("id2label": {"99999999999999999999": "A"})",
           R"("id2label": {"0": 1})",
           R"("id2label": {"0": null})",
           R"("id2label": ["A", "B"])",
           R"("id2label": "A")",
           R"("id2label": {"0": "A", "1": "B"}, "num_labels": 3)",
           R"("architectures": "A")",
           R"("architectures": [1])",
           R"("problem_type": 1)",
       }) {
    CAPTURE(members);
    CHECK(code_of([&] { distilbert_with(members); }) == ErrorCode::invalid_config);
  }
}

TEST_CASE("what this library does not run is an unsupported architecture") {
  for (const char* members : {R"("activation": "gelu_new")", R"("activation": "GELU")", R"("activation": "")",
                              R"("pre_classifier_activation": "gelu")", R"("problem_type": "ranking")"})
    CHECK(code_of([&] { distilbert_with(members); }) == ErrorCode::unsupported_architecture);
  for (const char* members : {R"("position_embedding_type": "relative_key")", R"("is_decoder": true)",
                              R"("add_cross_attention": true)", R"("hidden_act": "silu")"})
    CHECK(code_of([&] { bert_with(members); }) == ErrorCode::unsupported_architecture);
  CHECK(code_of([] { DistilBertConfig::from_json(R"({"model_type": "roberta"})"); }) ==
        ErrorCode::unsupported_architecture);
  CHECK(code_of([] { DistilBertConfig::from_json("{}"); }) == ErrorCode::invalid_config);
  CHECK(code_of([] { DistilBertConfig::from_json(R"({"model_type": 5})"); }) == ErrorCode::invalid_config);
}

TEST_CASE("what is no JSON object is refused, however deep or long") {
  for (const std::string& json :
       {std::string(), std::string("[]"), std::string("null"), std::string("{"), std::string("{} {}"),
        std::string("{,}"), std::string(R"({"model_type": "distilbert",})"), std::string("{\"model_type\": \"\xff\"}"),
        std::string(R"({"model_type": "distilbert", "x": NaN})"), "{\"x\":" + std::string(100'000, '[')}) {
    CAPTURE(json.substr(0, 60));
    CHECK(code_of([&] { DistilBertConfig::from_json(json); }) == ErrorCode::invalid_config);
  }
  CHECK(code_of([] { DistilBertConfig::from_json(std::string(10'000'000, ' ')); }) == ErrorCode::file_too_large);
}

TEST_CASE("messages name the key, what was expected and what was found") {
  CHECK(message_of(R"("n_heads": 5)") ==
        "config.json is not a valid model configuration: n_heads: a divisor of 768 expected, 5 found");
  CHECK(contains(message_of(R"("dim": -1)"), "dim: an integer from 1 to 65536 expected, -1 found"));
  CHECK(contains(message_of(R"("dim": "768\n")"), R"(expected, "768\x0a" found)"));
  CHECK(contains(message_of(R"("dim": [])"), "an array found"));
  CHECK(contains(message_of(R"("activation": "swish")"), R"(activation: "gelu" or "relu" expected, "swish" found)"));
  CHECK(contains(message_of(R"("id2label": {"0": "A", "2": "B"})"),
                 R"(the keys 0 to 1, each once, expected, "2" found)"));
  CHECK(message_of("\"dim\": \"" + std::string(100'000, 'x') + '"').size() < 300);
}

TEST_CASE("files and directories") {
  const support::TemporaryDirectory directory;
  directory.write("config.json", R"({"model_type": "distilbert", "dim": 384})");
  CHECK(DistilBertConfig::from_pretrained(directory.path()).dim == 384);

  const auto broken = directory.write("broken.json", R"({"model_type": "distilbert", "dim": 0})");
  const auto error = support::error_of([&] { DistilBertConfig::from_file(broken); });
  REQUIRE(error);
  CHECK(error->code() == ErrorCode::invalid_config);
  CHECK(contains(error->what(), "broken.json: dim: "));

  const auto large = directory.write("large.json", std::string(10'000'000, ' '));
  CHECK(code_of([&] { DistilBertConfig::from_file(large); }) == ErrorCode::file_too_large);
  CHECK(code_of([&] { DistilBertConfig::from_pretrained(directory.path() / "none"); }) == ErrorCode::file_not_found);
}

TEST_CASE("label2id is read in the file's order, and need not agree with id2label") {
  const std::string three = R"("id2label": {"0": "A", "1": "B", "2": "C"}, "label2id": )";
  const DistilBertConfig config = distilbert_with(three + R"({"C": 1, "A": 2, "C": 0, "D": 3, "E": -1, "F": "1"})");
  CHECK(config.label2id == LabelIds{{"C", 0}, {"A", 2}, {"D", std::nullopt}, {"E", std::nullopt}, {"F", std::nullopt}});
  CHECK(config.label_ids() == config.label2id);
  CHECK(distilbert_with(three + "null").label2id.empty());
  CHECK(distilbert_with(three + "{}").label_ids() == LabelIds{{"A", 0}, {"B", 1}, {"C", 2}});
  CHECK(distilbert_with(R"("label2id": {"A": 0, "B": 1})").label2id.empty());
  CHECK(bert_with(R"("architectures": ["BertForMultipleChoice"], )" + three + R"({"C": 1})").label2id.empty());
  CHECK(contains(message_of(three + "[]"), "label2id: an object expected, an array found"));
}
