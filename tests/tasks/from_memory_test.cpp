#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <distilbert/tasks/text_classifier.hpp>
#include <doctest/doctest.h>

#include "../nn/random_model.hpp"

using namespace distilbert;

namespace {

const std::filesystem::path sst2 = DISTILBERT_SOURCE_DIR "/models/sst2";

MappedFile part(const char* name) { return MappedFile::open(sst2 / name, Memory::map); }

/// models/sst2 in memory.
struct Sst2 {
  MappedFile config = part("config.json"), tokenizer_config = part("tokenizer_config.json"),
             vocabulary = part("vocab.txt"), weights = part("model.safetensors");
  ModelBytes bytes() const { return {config.text(), tokenizer_config.text(), vocabulary.text(), weights.text()}; }
};

void check_error(const ModelBytes& model, ErrorCode code, const std::string& part) {
  try {
    TextClassifier::from_memory(model);
    FAIL("no error");
  } catch (const Error& e) {
    CAPTURE(e.what());
    CHECK(e.code() == code);
    CHECK(std::string_view(e.what()).find(": " + part) != std::string_view::npos);
  }
}

} // namespace

TEST_CASE("a model in memory answers as its directory does, to the last bit") {
  const std::vector<std::string_view> texts = {"a joy from first to last", "", "Two hours I will NOT get back...",
                                               "caf\xC3\xA9 \xE4\xB8\xAD"};
  const Sst2 model;
  LoadOptions options;
  options.selfcheck = true;
  options.max_length = 8;
  options.encode_special_tokens = true;
  const auto classifier = TextClassifier::from_memory(model.bytes(), options);
  CHECK(classifier.logits(texts) == TextClassifier::from_pretrained(sst2, options).logits(texts));
  CHECK(classifier.max_length() == 8);
}

TEST_CASE("a model that is not converted is rounded to int8 in memory as in its directory") {
  const test::Shape shape{.vocab = 83, .dim = 36, .hidden_dim = 50, .n_heads = 3};
  const test::RandomModel model(shape);
  const auto file = [&](const char* name) { return MappedFile::open(model.path() / name, Memory::map); };
  const MappedFile config = file("config.json"), vocabulary = file("vocab.txt"), weights = file("model.safetensors");
  LoadOptions options;
  options.precision = Precision::int8;
  const std::vector<std::string_view> texts = {"w7 w8", ""};
  const auto classifier = TextClassifier::from_memory({config.text(), "", vocabulary.text(), weights.text()}, options);
  CHECK(classifier.logits(texts) == TextClassifier::from_pretrained(model.path(), options).logits(texts));
  const auto nearest = DistilBertForSequenceClassification::load(
      PackedModel::from_pretrained(model.path(), classifier.config(), options), classifier.config());
  const auto ids = classifier.tokenizer().encode(texts[0]).ids;
  Batch batch;
  batch.add(ids.data(), ids.size());
  Workspace workspace(classifier.config());
  std::vector<float> logits(2);
  nearest.forward(batch, workspace, logits.data());
  CHECK(classifier.logits({texts[0]}) != logits);
}

TEST_CASE("the vocabulary that the weights carry is enough, and another one beside them counts") {
  const Sst2 model;
  ModelBytes bytes = model.bytes();
  const auto text = "caf\xC3\xA9, unaffable";
  const std::string same_tokens = std::string(bytes.vocabulary) + "\n"; // in other bytes: the table is built
  bytes.vocabulary = same_tokens;
  const auto expected = TextClassifier::from_memory(bytes).logits({text});
  bytes.vocabulary = "";
  CHECK(TextClassifier::from_memory(bytes).logits({text}) == expected);
  const std::string other = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfilm\n";
  bytes.vocabulary = other;
  CHECK(TextClassifier::from_memory(bytes).tokenizer().vocabulary_size() == 6);
}

TEST_CASE("the shipped model carries the very vocabulary that is built today") {
  const Sst2 model;
  const auto file = SafeTensors::parse(model.weights.data(), model.weights.size());
  const TensorView* packed = file.find(packed_vocabulary);
  REQUIRE(packed);
  const std::string_view bytes(reinterpret_cast<const char*>(packed->data), packed->bytes);
  CHECK_MESSAGE(Vocabulary::from_lines(model.vocabulary.text()).packed() == bytes,
                "raise packed_layout_version, and convert the models again");
}

TEST_CASE("vocabulary and weights are used where they lie") {
  const Sst2 model;
  const ModelBytes bytes = model.bytes();
  const auto config = DistilBertConfig::from_json(bytes.config);
  const auto file = SafeTensors::parse(model.weights.data(), model.weights.size());
  const auto packed = PackedModel::from_safetensors(file, config);
  for (const PackedLayer& layer : packed.layers())
    for (const TensorView& tensor : layer.tensors) {
      CHECK(tensor.data >= model.weights.data());
      CHECK(tensor.data + tensor.bytes <= model.weights.data() + model.weights.size());
    }
  const auto classifier = TextClassifier::from_memory(bytes);
  const std::string_view token = classifier.tokenizer().token(2000);
  CHECK(token.data() >= bytes.weights.data());
  CHECK(token.data() < bytes.weights.data() + bytes.weights.size());
}

TEST_CASE("what tokenizer_config.json says counts; without one the tokenizer is that of an uncased BERT") {
  const std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfilm\nFilm\n";
  CHECK(Tokenizer::from_memory(vocabulary, "").encode("Film").ids == std::vector<std::int32_t>{2, 5, 3});
  CHECK(Tokenizer::from_memory(vocabulary, R"({"do_lower_case": false})").encode("Film").ids ==
        std::vector<std::int32_t>{2, 6, 3});
}

TEST_CASE("an error names the part that is broken") {
  const Sst2 model;
  const auto with = [&](std::string_view ModelBytes::*part, std::string_view text) {
    ModelBytes bytes = model.bytes();
    bytes.*part = text;
    return bytes;
  };
  check_error(with(&ModelBytes::config, ""), ErrorCode::invalid_config, "config.json");
  check_error(with(&ModelBytes::tokenizer_config, "{"), ErrorCode::invalid_tokenizer_file, "tokenizer_config.json");
  check_error(with(&ModelBytes::vocabulary, "\xFF"), ErrorCode::invalid_vocabulary, "vocab.txt");
  check_error(with(&ModelBytes::weights, ""), ErrorCode::header_too_small, "model.safetensors");
  const std::string_view weights = model.weights.text();
  check_error(with(&ModelBytes::weights, weights.substr(0, weights.size() - 1)), ErrorCode::incomplete_buffer,
              "model.safetensors");

  AlignedBuffer buffer(weights.size());
  std::memcpy(buffer.data(), weights.data(), weights.size());
  const TensorView vocabulary = *SafeTensors::parse(buffer.data(), buffer.size()).find("vocabulary");
  std::memset(buffer.data() + (vocabulary.data - buffer.data()), 255, 64);
  check_error(with(&ModelBytes::weights, {reinterpret_cast<const char*>(buffer.data()), buffer.size()}),
              ErrorCode::invalid_packed_model, "model.safetensors");
}

TEST_CASE("converted weights that are not aligned are refused") {
  const Sst2 model;
  AlignedBuffer buffer(model.weights.size() + 1);
  std::memcpy(buffer.data() + 1, model.weights.data(), model.weights.size());
  ModelBytes bytes = model.bytes();
  bytes.weights = {reinterpret_cast<const char*>(buffer.data()) + 1, model.weights.size()};
  check_error(bytes, ErrorCode::invalid_packed_model, "model.safetensors");
}
