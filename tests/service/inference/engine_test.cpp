// Real models: what each directory becomes, and that rows have the library's bits in any company.

#include "service/inference/engine.hpp"
#include "service/inference/fake_engine.hpp"

#include "nn/random_model.hpp"

#include <distilbert/tasks/sentence_embedder.hpp>
#include <distilbert/tasks/text_classifier.hpp>
#include <doctest/doctest.h>

using namespace service;
using namespace service::test;
using namespace distilbert::test;
using distilbert::ErrorCode;

namespace {

const std::filesystem::path sst2 = DISTILBERT_SOURCE_DIR "/models/sst2";

Shape shape(std::string family, std::string head, std::size_t labels) {
  Shape shape{.vocab = 60, .positions = 20, .dim = 20, .hidden_dim = 24, .n_layers = 2, .n_heads = 2, .labels = labels};
  shape.family = family;
  shape.prefix = family + ".";
  shape.head = head;
  return shape;
}

std::unique_ptr<const Engine> load(const std::filesystem::path& directory, distilbert::LoadOptions options = {}) {
  return Engine::load(directory, options);
}

ErrorCode code_of(const std::filesystem::path& directory, distilbert::LoadOptions options = {}) {
  try {
    load(directory, options);
  } catch (const distilbert::Error& e) {
    return e.code();
  }
  FAIL("no error");
  return {};
}

void make_sentence_transformer(const std::filesystem::path& directory, const std::string& pooling, bool normalize) {
  write_file(
      directory / "modules.json",
      R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
                 {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"})" +
          std::string(normalize ? R"(, {"type": "sentence_transformers.models.Normalize", "path": "2"}])" : "]"));
  std::filesystem::create_directory(directory / "1_Pooling");
  write_file(directory / "1_Pooling/config.json", R"({"pooling_mode": ")" + pooling + "\"}");
}

/// Replaces the value of architectures.
void rename_architecture(const std::filesystem::path& directory, const Shape& shape, const std::string& names) {
  std::string json = config_json(shape);
  const std::size_t begin = json.find('['), end = json.find(']');
  write_file(directory / "config.json", json.replace(begin, end - begin + 1, names));
}

std::vector<Encoding> sentences(const Engine& engine) {
  std::vector<Encoding> texts;
  for (int i = 0; i < 60; ++i) {
    std::string text = i % 3 ? "a joy from first to last" : "two hours I will not get back, number";
    for (int k = 0; k < i % 7; ++k)
      text += " and " + std::to_string(i * k);
    texts.push_back(engine.tokenizer().encode(text));
  }
  return texts;
}

} // namespace

TEST_CASE("config.json and modules.json decide the task") {
  const RandomModel classifier(shape("distilbert", "sequence", 3)), reranker(shape("bert", "sequence", 1)),
      encoder(shape("bert", "", 0));
  CHECK(load(classifier.path())->task() == Task::classifier);
  CHECK(load(classifier.path())->width() == 3);
  CHECK(load(classifier.path())->pooling().empty());
  CHECK(load(reranker.path())->task() == Task::reranker);
  CHECK(load(encoder.path())->task() == Task::embedder);
  CHECK(load(encoder.path())->width() == 20);
  CHECK(load(encoder.path())->pooling() == "mean");
  CHECK_FALSE(load(encoder.path())->normalizes());
  CHECK(load(encoder.path())->row_size(Output::tokens, 7) == 140);
  CHECK(load(encoder.path())->row_size(Output::pooled, 7) == 20);
  CHECK(load(RandomModel(shape("distilbert", "mlm", 1)).path())->task() == Task::embedder);

  for (const RandomModel* model : {&classifier, &encoder}) { // without a name the tensors tell
    rename_architecture(model->path(), model->shape, "[]");
    CHECK(load(model->path())->task() == (model == &classifier ? Task::classifier : Task::embedder));
  }
  for (const char* head : {"token", "qa", "multiple_choice"})
    CHECK(code_of(RandomModel(shape("distilbert", head, 2)).path()) == ErrorCode::unsupported_architecture);
  CHECK(code_of("/nowhere") == ErrorCode::file_not_found);
}

TEST_CASE("a directory of sentence-transformers says how its vectors are made") {
  for (const auto& [mode, pooling] : {std::pair("cls", distilbert::Pooling::cls),
                                      {"max", distilbert::Pooling::max},
                                      {"mean", distilbert::Pooling::mean}})
    for (const char* head : {"", "sequence"}) { // a head is not looked at
      const RandomModel model(shape("distilbert", head, *head ? 2 : 0));
      make_sentence_transformer(model.path(), mode, true);
      const auto engine = load(model.path());
      CHECK(engine->task() == Task::embedder);
      CHECK(engine->pooling() == mode);
      CHECK(engine->normalizes());
      const std::vector<Encoding> texts = {engine->tokenizer().encode("w6 w7 w8"), engine->tokenizer().encode("w9")};
      const auto raw = distilbert::SentenceEmbedder::from_pretrained(model.path(), {pooling, false, 0});
      const auto vectors = engine->run(Output::pooled, texts);
      REQUIRE(vectors.size() == 2);
      CHECK(vectors[0] == raw.embed("w6 w7 w8"));
      CHECK(vectors[1] == raw.embed("w9"));
      CHECK(engine->run(Output::tokens, texts) == raw.token_embeddings(texts));
      CHECK(engine->run(Output::tokens, texts)[0].size() == engine->row_size(Output::tokens, texts[0].size()));
    }
}

TEST_CASE("a classifier has no vectors of tokens, and what is wrong with a text is said") {
  const auto engine = load(sst2);
  const auto code = [&](Output output, const Encoding& text) {
    try {
      engine->run(output, {text});
    } catch (const distilbert::Error& e) {
      return e.code();
    }
    return ErrorCode::file_not_found;
  };
  CHECK(code(Output::tokens, text({101, 102})) == ErrorCode::invalid_argument);
  CHECK(code(Output::pooled, text({101, 40'000, 102}, {0, 0, 0})) == ErrorCode::invalid_token_id);
  CHECK(code(Output::pooled, text({})) == ErrorCode::invalid_argument);
  CHECK(code(Output::pooled, text(std::vector<std::int32_t>(513, 101))) == ErrorCode::text_too_long);
  engine->warm();
}

TEST_CASE("rows have the bits of TextClassifier, whatever their company") {
  const std::shared_ptr<const Engine> engine = load(sst2);
  const auto texts = sentences(*engine);
  const auto expected = distilbert::TextClassifier::from_pretrained(sst2).classify_encoded(texts);
  InferenceOptions options;
  options.workers = 2;
  options.cache_bytes = 0;
  Inference inference(engine, options);
  std::vector<std::future<Answer>> answers;
  for (std::size_t i = 0; i < texts.size(); ++i)
    answers.push_back(ask(inference, {texts[i], texts[(i * 7 + 3) % texts.size()]}));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Answer answer = answers[i].get();
    REQUIRE_FALSE(answer.failure);
    CHECK(*answer.rows[0] == expected[i].logits);
    CHECK(*answer.rows[1] == expected[(i * 7 + 3) % texts.size()].logits);
  }
}

TEST_CASE("pairs and single texts in one batch keep their token types") {
  const RandomModel model(shape("bert", "sequence", 1));
  const std::shared_ptr<const Engine> engine = load(model.path());
  const auto classifier = distilbert::TextClassifier::from_pretrained(model.path());
  Inference inference(engine, {});
  Encoding single = classifier.tokenizer().encode("w6 w7"), untyped = single;
  untyped.type_ids.clear();
  const Encoding pair = classifier.tokenizer().encode("w6", "w7 w8", distilbert::EncodeOptions{});
  const Answer answer = ask(inference, {single, pair, untyped}).get();
  REQUIRE_FALSE(answer.failure);
  CHECK(*answer.rows[0] == classifier.classify("w6 w7").logits);
  CHECK(*answer.rows[1] == classifier.classify_pairs({{"w6", "w7 w8"}})[0].logits);
  CHECK(answer.rows[2] == answer.rows[0]);
}

TEST_CASE("the probe is replayed where there is one") {
  CHECK_NOTHROW(load(sst2));
  const TemporaryDirectory broken;
  std::filesystem::copy(sst2, broken.path());
  const std::filesystem::path file = broken.path() / "model.safetensors";
  std::filesystem::permissions(file, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  {
    std::fstream weights(file, std::ios::binary | std::ios::in | std::ios::out);
    weights.seekp(-100'000, std::ios::end);
    weights << std::string(50'000, '\x55');
  }
  CHECK(code_of(broken.path()) == ErrorCode::probe_mismatch);

  const RandomModel without(shape("distilbert", "sequence", 2));
  distilbert::LoadOptions options;
  CHECK_NOTHROW(load(without.path(), options));
  options.selfcheck = true;
  CHECK(code_of(without.path(), options) == ErrorCode::probe_mismatch);
}

TEST_CASE("the fingerprint changes with what answers depend on, and with nothing else") {
  const RandomModel model(shape("distilbert", "", 0)), same(shape("distilbert", "", 0));
  Shape other_shape = model.shape;
  other_shape.seed += 1;
  const auto of = [](const RandomModel& m, distilbert::LoadOptions options = {}) {
    return load(m.path(), options)->fingerprint();
  };
  const std::string first = of(model);
  CHECK(first.size() == 64);
  CHECK(first == of(same));
  CHECK(first != of(RandomModel(other_shape)));
  distilbert::LoadOptions options;
  options.max_length = 10;
  CHECK(first != of(model, options));
  options = {};
  options.precision = distilbert::Precision::bf16;
  CHECK(first != of(model, options));
  options = {};
  options.threads = 3;
  options.memory = distilbert::Memory::copy;
  CHECK(first == of(model, options));
  write_file(model.path() / "README.md", "a card");
  CHECK(first == of(model));
  make_sentence_transformer(model.path(), "mean", false);
  const std::string mean = of(model);
  CHECK(mean != first);
  make_sentence_transformer(model.path(), "cls", false);
  CHECK(of(model) != mean);
  write_file(same.path() / "tokenizer_config.json", R"({"do_lower_case": false})");
  CHECK(first != of(same));
  CHECK(FakeEngine().fingerprint().empty());
}
