#include <cmath>

#include <distilbert/tasks/sentence_embedder.hpp>
#include <doctest/doctest.h>

#include "../nn/random_model.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const Shape encoder{
    .vocab = 60, .positions = 20, .dim = 20, .hidden_dim = 24, .n_layers = 2, .n_heads = 2, .labels = 0};

std::string words(std::size_t n) {
  std::string text;
  for (std::size_t i = 0; i < n; ++i)
    text += (i ? " w" : "w") + std::to_string(5 + i * 7 % 55);
  return text;
}

/// Hidden states [tokens, dim] of one text, by the encoder itself.
std::vector<std::vector<float>> hidden_states(const RandomModel& model, const std::vector<std::int32_t>& ids) {
  const auto distilbert = DistilBertModel::from_pretrained(model.path());
  Workspace workspace(DistilBertConfig::from_pretrained(model.path()));
  Batch batch;
  batch.add(ids.data(), ids.size());
  const Rows rows = distilbert.forward(batch, workspace);
  std::vector<std::vector<float>> states;
  for (std::size_t i = 0; i < ids.size(); ++i)
    states.emplace_back(rows.data() + i * padded(encoder.dim), rows.data() + i * padded(encoder.dim) + encoder.dim);
  return states;
}

std::vector<double> mean(const std::vector<std::vector<float>>& states) {
  std::vector<double> mean(encoder.dim);
  for (const auto& state : states)
    for (std::size_t i = 0; i < encoder.dim; ++i)
      mean[i] += double{state[i]} / static_cast<double>(states.size());
  return mean;
}

template <class Expected> void check_near(const std::vector<float>& found, const std::vector<Expected>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    CHECK(found[i] == doctest::Approx(double{expected[i]}).epsilon(1e-5).scale(1));
}

double length(const std::vector<float>& vector) {
  double squares = 0;
  for (const float value : vector)
    squares += double{value} * value;
  return std::sqrt(squares);
}

/// A sentence-transformers directory around the model, with the given modules.json and 1_Pooling/config.json.
void make_sentence_transformer(const RandomModel& model, const std::string& modules, const std::string& pooling) {
  write_file(model.path() / "modules.json", modules);
  std::filesystem::create_directory(model.path() / "1_Pooling");
  write_file(model.path() / "1_Pooling/config.json", pooling);
}

std::string modules(std::initializer_list<std::pair<const char*, const char*>> types_and_paths) {
  std::string json;
  for (const auto& [type, path] : types_and_paths)
    json += (json.empty() ? "[" : ",") +
            std::string(R"({"idx": 0, "name": "0", "type": "sentence_transformers.models.)") + type +
            R"(", "path": ")" + path + "\"}";
  return json + "]";
}

/// Values [first, last) of the rows that came back.
std::vector<float> values(const std::vector<float>& all, std::size_t first, std::size_t last) {
  return {all.begin() + static_cast<std::ptrdiff_t>(first), all.begin() + static_cast<std::ptrdiff_t>(last)};
}

ErrorCode code_of(const RandomModel& model, const EmbeddingOptions& options = {}) {
  try {
    SentenceEmbedder::from_pretrained(model.path(), options);
  } catch (const Error& e) {
    return e.code();
  }
  FAIL("no error");
  return {};
}

} // namespace

TEST_CASE("the hidden states of all tokens are pooled, special tokens included") {
  const RandomModel model(encoder);
  const auto embedder = SentenceEmbedder::from_pretrained(model.path());
  const std::string text = words(7);
  const auto states = hidden_states(model, embedder.tokenizer().encode(text).ids);
  CHECK(embedder.pooling() == Pooling::mean);
  CHECK(embedder.dimensions() == encoder.dim);
  check_near(embedder.embed(text), mean(states));

  std::vector<float> largest = states[0];
  for (const auto& state : states)
    for (std::size_t i = 0; i < encoder.dim; ++i)
      largest[i] = std::max(largest[i], state[i]);
  CHECK(SentenceEmbedder::from_pretrained(model.path(), {Pooling::max, {}, 0}).embed(text) == largest);
  check_near(SentenceEmbedder::from_pretrained(model.path(), {Pooling::cls, {}, 0}).embed(text), states[0]);
}

TEST_CASE("a vector is the same in any company") {
  const RandomModel model(encoder);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 60; ++i)
    texts.push_back(words(i * 5 % 19));
  for (const Pooling pooling : {Pooling::mean, Pooling::cls, Pooling::max})
    for (const std::size_t threads : {1u, 3u}) {
      LoadOptions load;
      load.threads = threads;
      const auto embedder = SentenceEmbedder::from_pretrained(model.path(), {pooling, true, 12}, load);
      const auto all = embedder.embed(std::vector<std::string_view>(texts.begin(), texts.end()));
      REQUIRE(all.size() == texts.size() * 12);
      for (std::size_t i = 0; i < texts.size(); ++i)
        CHECK(embedder.embed(texts[i]) == values(all, i * 12, i * 12 + 12));
    }
}

TEST_CASE("texts that are encoded already") {
  for (const char* family : {"distilbert", "bert"}) {
    Shape shape = encoder;
    shape.family = family;
    shape.prefix = shape.family + ".";
    const RandomModel model(shape);
    make_sentence_transformer(
        model, modules({{"Transformer", ""}, {"Pooling", "1_Pooling"}, {"Normalize", "2_Normalize"}}), "{}");
    const auto unit = SentenceEmbedder::from_pretrained(model.path());
    const auto raw = SentenceEmbedder::from_pretrained(model.path(), {{}, false, 0});
    std::vector<std::string> texts;
    std::vector<Encoding> encodings;
    for (std::size_t i = 0; i < 40; ++i) {
      texts.push_back(words(i * 5 % 17));
      encodings.push_back(unit.tokenizer().encode(texts.back()));
    }
    CHECK(unit.embed_encoded(encodings) == unit.embed(std::vector<std::string_view>(texts.begin(), texts.end())));
    CHECK(unit.normalized_by_modules());
    CHECK(raw.normalized_by_modules());

    const auto states = raw.token_embeddings(encodings);
    const auto pooled = raw.embed_encoded(encodings);
    REQUIRE(states.size() == texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto expected = hidden_states(model, encodings[i].ids);
      REQUIRE(states[i].size() == expected.size() * encoder.dim);
      for (std::size_t token = 0; token < expected.size(); ++token)
        CHECK(values(states[i], token * encoder.dim, (token + 1) * encoder.dim) == expected[token]);
      check_near(values(pooled, i * encoder.dim, (i + 1) * encoder.dim), mean(expected));
    }
    CHECK(unit.token_embeddings(encodings) == states);
  }
}

TEST_CASE("the second text of an encoded pair has its own token type") {
  Shape shape = encoder;
  shape.family = "bert";
  shape.prefix = "bert.";
  const RandomModel model(shape);
  const auto embedder = SentenceEmbedder::from_pretrained(model.path());
  Encoding pair = embedder.tokenizer().encode(words(3), words(4), EncodeOptions{}), flat = pair;
  flat.type_ids.assign(flat.size(), 0);
  CHECK(embedder.embed_encoded({pair}) != embedder.embed_encoded({flat}));
  CHECK(embedder.token_embeddings({pair, flat})[0] != embedder.token_embeddings({flat})[0]);
}

TEST_CASE("encoded texts that the model cannot take") {
  const RandomModel model(encoder);
  const auto embedder = SentenceEmbedder::from_pretrained(model.path());
  const auto refused = [&](std::vector<std::int32_t> ids) {
    std::vector<Encoding> texts(2);
    texts[0].ids = {2, 7, 3};
    texts[1].ids = std::move(ids);
    std::vector<ErrorCode> codes;
    try {
      embedder.embed_encoded(texts);
    } catch (const Error& e) {
      codes.push_back(e.code());
    }
    try {
      embedder.token_embeddings(texts);
    } catch (const Error& e) {
      codes.push_back(e.code());
    }
    return codes;
  };
  CHECK(refused({2, 60, 3}) == std::vector(2, ErrorCode::invalid_token_id));
  CHECK(refused({2, -1, 3}) == std::vector(2, ErrorCode::invalid_token_id));
  CHECK(refused(std::vector<std::int32_t>(21, 5)) == std::vector(2, ErrorCode::text_too_long));
  CHECK(refused({}) == std::vector(2, ErrorCode::invalid_argument));
}

TEST_CASE("normalize and dimensions") {
  const RandomModel model(encoder);
  const std::string text = words(9);
  const auto raw = SentenceEmbedder::from_pretrained(model.path()).embed(text);
  CHECK(length(raw) != doctest::Approx(1));
  const auto unit = SentenceEmbedder::from_pretrained(model.path(), {{}, true, 0}).embed(text);
  CHECK(length(unit) == doctest::Approx(1));
  CHECK(unit[3] == doctest::Approx(raw[3] / length(raw)));
  const auto cut = SentenceEmbedder::from_pretrained(model.path(), {{}, {}, 8}).embed(text);
  CHECK(cut == values(raw, 0, 8));
  const auto cut_unit = SentenceEmbedder::from_pretrained(model.path(), {{}, true, 8}).embed(text);
  CHECK(length(cut_unit) == doctest::Approx(1));
  CHECK(cut_unit[3] == doctest::Approx(cut[3] / length(cut)));
  CHECK(code_of(model, {{}, {}, encoder.dim + 1}) == ErrorCode::invalid_argument);
}

TEST_CASE("a sentence-transformers directory says how") {
  const RandomModel model(encoder);
  const std::string text = words(9);
  const auto unit = SentenceEmbedder::from_pretrained(model.path(), {Pooling::max, true, 0}).embed(text);
  const auto raw = SentenceEmbedder::from_pretrained(model.path(), {Pooling::max, {}, 0}).embed(text);

  const std::string normalized = modules({{"Transformer", ""}, {"Pooling", "1_Pooling"}, {"Normalize", "2_Normalize"}});
  for (const char* pooling : {R"({"pooling_mode_max_tokens": true, "pooling_mode_mean_tokens": false})",
                              R"({"word_embedding_dimension": 20, "pooling_mode": "max"})"}) {
    make_sentence_transformer(model, normalized, pooling);
    CHECK(SentenceEmbedder::from_pretrained(model.path()).embed(text) == unit);
    CHECK(SentenceEmbedder::from_pretrained(model.path(), {{}, false, 0}).embed(text) == raw);
    const auto cut = SentenceEmbedder::from_pretrained(model.path(), {{}, {}, 5}).embed(text); // normalised, then cut
    CHECK(cut == values(unit, 0, 5));
  }
  make_sentence_transformer(model, modules({{"Transformer", ""}, {"Pooling", "1_Pooling"}}),
                            R"({"pooling_mode": "max"})");
  CHECK(SentenceEmbedder::from_pretrained(model.path()).embed(text) == raw);

  write_file(model.path() / "sentence_bert_config.json", R"({"max_seq_length": 6, "do_lower_case": false})");
  const auto embedder = SentenceEmbedder::from_pretrained(model.path());
  CHECK(embedder.max_length() == 6);
  CHECK(embedder.embed(words(4)) == embedder.embed(words(9)));
  LoadOptions load;
  load.max_length = 11;
  CHECK(SentenceEmbedder::from_pretrained(model.path(), {}, load).max_length() == 11);
}

TEST_CASE("without max_seq_length a text is read up to model_max_length, if the model can take as much") {
  const RandomModel model(encoder);
  const auto max_length = [&](const std::string& model_max_length, std::size_t asked = 0) {
    write_file(model.path() / "tokenizer_config.json", "{\"model_max_length\": " + model_max_length + "}");
    LoadOptions load;
    load.max_length = asked;
    return SentenceEmbedder::from_pretrained(model.path(), {}, load).max_length();
  };
  CHECK(max_length("7") == 7);
  CHECK(max_length("20") == 20);
  CHECK(max_length("21") == 20);
  CHECK(max_length("1000000000000000019884624838656") == 20);
  CHECK(max_length("7", 9) == 9);
  CHECK(max_length("7") == 7);
  const auto embedder = SentenceEmbedder::from_pretrained(model.path());
  CHECK(embedder.embed(words(5)) == embedder.embed(words(9)));
  CHECK(embedder.embed(words(4)) != embedder.embed(words(9)));

  write_file(model.path() / "sentence_bert_config.json", R"({"max_seq_length": 11})");
  CHECK(max_length("7") == 11);
  write_file(model.path() / "sentence_bert_config.json", R"({"max_seq_length": null})");
  CHECK(max_length("7") == 7);
  write_file(model.path() / "tokenizer_config.json", R"({"model_max_length": 1})");
  CHECK(code_of(model) == ErrorCode::invalid_truncation);
}

TEST_CASE("a default prompt is refused") {
  const RandomModel model(encoder);
  const auto write = [&](const std::string& json) {
    write_file(model.path() / "config_sentence_transformers.json", json);
  };
  const std::string passage = R"({"prompts": {"query": "", "p": "passage: "}, "default_prompt_name": "p"})";
  write(passage);
  CHECK(SentenceEmbedder::from_pretrained(model.path()).dimensions() == encoder.dim); // no modules.json: not looked at
  make_sentence_transformer(model, modules({{"Transformer", ""}, {"Pooling", "1_Pooling"}}), "{}");
  for (const char* harmless :
       {"{}", R"({"prompts": {"p": "passage: "}, "default_prompt_name": null})", R"({"prompts": {"p": "passage: "}})",
        R"({"prompts": {"p": ""}, "default_prompt_name": "p"})", R"({"default_prompt_name": "query"})"}) {
    write(harmless);
    CHECK(SentenceEmbedder::from_pretrained(model.path()).dimensions() == encoder.dim);
  }
  write(passage);
  CHECK(code_of(model) == ErrorCode::unsupported_architecture);
  for (const char* broken : {R"({"prompts": {"p": ""}, "default_prompt_name": "q"})", R"({"default_prompt_name": "p"})",
                             R"({"prompts": {"p": 1}, "default_prompt_name": "p"})", R"({"default_prompt_name": 1})",
                             R"({"prompts": [], "default_prompt_name": "p"})", "[]"}) {
    CAPTURE(broken);
    write(broken);
    CHECK(code_of(model) == ErrorCode::invalid_config);
  }
}

TEST_CASE("a model that cuts at the left reads the end of a text") {
  const RandomModel model(encoder);
  const std::string text = words(40);
  const auto right = SentenceEmbedder::from_pretrained(model.path());
  EncodeOptions options;
  options.max_length = right.max_length();
  options.truncation_side = Side::left;
  const auto last = right.tokenizer().encode(text, options);
  write_file(model.path() / "tokenizer_config.json", R"({"truncation_side": "left"})");
  const auto left = SentenceEmbedder::from_pretrained(model.path());
  CHECK(left.embed(text) == right.embed_encoded({last}));
  CHECK(left.embed(text) != right.embed(text));
  CHECK(left.embed(words(18)) == right.embed(words(18)));
  CHECK(values(left.embed_windows({words(18)}, 4), 0, encoder.dim) == left.embed(words(18)));
}

TEST_CASE("the model may lie in a folder of its own, and nowhere else") {
  const RandomModel model(encoder), outer(encoder);
  std::filesystem::copy(model.path(), outer.path() / "0_Transformer");
  make_sentence_transformer(outer, modules({{"Transformer", "0_Transformer"}, {"Pooling", "1_Pooling"}}), "{}");
  CHECK(SentenceEmbedder::from_pretrained(outer.path()).embed("w6") ==
        SentenceEmbedder::from_pretrained(model.path()).embed("w6"));
  for (const char* path : {"../x", "..", ".", "/etc", "a/b", "a\\\\b"}) {
    make_sentence_transformer(model, modules({{"Transformer", path}}), "{}");
    CHECK(code_of(model) == ErrorCode::invalid_config);
  }
}

TEST_CASE("what is not understood is refused") {
  const RandomModel model(encoder);
  const std::string plain = modules({{"Transformer", ""}, {"Pooling", "1_Pooling"}});
  struct Row {
    std::string modules, pooling;
    ErrorCode code;
  };
  const Row rows[] = {
      {"", "{}", ErrorCode::invalid_config},
      {"{}", "{}", ErrorCode::invalid_config},
      {"[3]", "{}", ErrorCode::invalid_config},
      {"[{\"path\": \"\"}]", "{}", ErrorCode::invalid_config},
      {"[{\"type\": \"x.Transformer\"}]", "{}", ErrorCode::invalid_config},
      {modules({{"Dense", "2_Dense"}}), "{}", ErrorCode::unsupported_architecture},
      {plain, "[]", ErrorCode::invalid_config},
      {plain, R"({"pooling_mode_cls_token": 1})", ErrorCode::invalid_config},
      {plain, R"({"pooling_mode_lasttoken": true})", ErrorCode::unsupported_architecture},
      {plain, R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true})",
       ErrorCode::unsupported_architecture},
      {modules({{"Pooling", "missing"}}), "{}", ErrorCode::file_not_found},
  };
  for (const Row& row : rows) {
    CAPTURE(row.modules);
    CAPTURE(row.pooling);
    make_sentence_transformer(model, row.modules, row.pooling);
    CHECK(code_of(model) == row.code);
  }
}

TEST_CASE("windows read a text to its end") {
  const RandomModel model(encoder);
  const auto embedder = SentenceEmbedder::from_pretrained(model.path(), {{}, true, 0});
  const std::string brief = words(18), text = words(40);
  const auto vectors = embedder.embed_windows({brief, text}, 4);
  CHECK(values(vectors, 0, encoder.dim) == embedder.embed(brief));

  EncodeOptions options;
  options.max_length = embedder.max_length();
  options.stride = 4;
  const auto windows = embedder.tokenizer().encode_windows(text, options);
  REQUIRE(windows.size() == 3);
  const double fresh[] = {18, 14, 8};
  std::vector<double> expected(encoder.dim);
  double squares = 0;
  for (std::size_t w = 0; w < 3; ++w) {
    const auto pooled = mean(hidden_states(model, windows[w].ids));
    for (std::size_t i = 0; i < encoder.dim; ++i)
      expected[i] += pooled[i] * fresh[w] / 40;
  }
  for (const double value : expected)
    squares += value * value;
  for (double& value : expected)
    value /= std::sqrt(squares);
  check_near(values(vectors, encoder.dim, vectors.size()), expected);
}
