#include <distilbert/weights/checkpoint.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace distilbert;
using support::code_of;
using support::contains;
using support::StoredTensor;

namespace {

using Shape = std::vector<std::size_t>;

DistilBertConfig tiny_config(ModelFamily family) {
  DistilBertConfig config;
  config.model_type = family;
  config.vocab_size = 5;
  config.max_position_embeddings = 3;
  config.type_vocab_size = family == ModelFamily::bert ? 2 : 0;
  config.dim = 4;
  config.hidden_dim = 6;
  config.n_layers = 2;
  config.n_heads = 2;
  config.id2label = {"A", "B", "C"};
  return config;
}

/// Our name of every tensor of the tiny model, the name in Hugging Face's file, and the shape: written out by hand.
struct NamedTensor {
  std::string name;
  std::string stored;
  Shape shape;
};

std::vector<NamedTensor> tiny_tensors(ModelFamily family) {
  const bool bert = family == ModelFamily::bert;
  const std::string prefix = bert ? "bert." : "distilbert.";
  std::vector<NamedTensor> tensors = {
      {"embeddings.word_embeddings.weight", prefix + "embeddings.word_embeddings.weight", {5, 4}},
      {"embeddings.position_embeddings.weight", prefix + "embeddings.position_embeddings.weight", {3, 4}},
      {"embeddings.LayerNorm.weight", prefix + "embeddings.LayerNorm.weight", {4}},
      {"embeddings.LayerNorm.bias", prefix + "embeddings.LayerNorm.bias", {4}},
      {"pre_classifier.weight", bert ? "bert.pooler.dense.weight" : "pre_classifier.weight", {4, 4}},
      {"pre_classifier.bias", bert ? "bert.pooler.dense.bias" : "pre_classifier.bias", {4}},
      {"classifier.weight", "classifier.weight", {3, 4}},
      {"classifier.bias", "classifier.bias", {3}},
      {"qa_outputs.weight", "qa_outputs.weight", {2, 4}},
      {"qa_outputs.bias", "qa_outputs.bias", {2}},
      {"vocab_transform.weight", bert ? "cls.predictions.transform.dense.weight" : "vocab_transform.weight", {4, 4}},
      {"vocab_transform.bias", bert ? "cls.predictions.transform.dense.bias" : "vocab_transform.bias", {4}},
      {"vocab_layer_norm.weight", bert ? "cls.predictions.transform.LayerNorm.weight" : "vocab_layer_norm.weight", {4}},
      {"vocab_layer_norm.bias", bert ? "cls.predictions.transform.LayerNorm.bias" : "vocab_layer_norm.bias", {4}},
      {"vocab_projector.bias", bert ? "cls.predictions.decoder.bias" : "vocab_projector.bias", {5}},
  };
  if (bert)
    tensors.push_back(
        {"embeddings.token_type_embeddings.weight", "bert.embeddings.token_type_embeddings.weight", {2, 4}});
  const std::tuple<const char*, const char*, Shape> modules[] = {
      {"attention.q_lin", "attention.self.query", {4, 4}},
      {"attention.k_lin", "attention.self.key", {4, 4}},
      {"attention.v_lin", "attention.self.value", {4, 4}},
      {"attention.out_lin", "attention.output.dense", {4, 4}},
      {"sa_layer_norm", "attention.output.LayerNorm", {4}},
      {"ffn.lin1", "intermediate.dense", {6, 4}},
      {"ffn.lin2", "output.dense", {4, 6}},
      {"output_layer_norm", "output.LayerNorm", {4}},
  };
  for (const char* layer : {"0.", "1."})
    for (const auto& [module, bert_module, shape] : modules) {
      const std::string name = std::string("transformer.layer.") + layer + module;
      const std::string stored = bert ? prefix + "encoder.layer." + layer + bert_module : prefix + name;
      tensors.push_back({name + ".weight", stored + ".weight", shape});
      tensors.push_back({name + ".bias", stored + ".bias", {shape[0]}});
    }
  return tensors;
}

std::size_t count(const Shape& shape) {
  std::size_t product = 1;
  for (const std::size_t extent : shape)
    product *= extent;
  return product;
}

/// Values that differ from tensor to tensor.
std::vector<float> values_for(const std::string& name, const Shape& shape) {
  std::vector<float> values(count(shape));
  float start = 0;
  for (const char c : name)
    start = std::fmod(start * 31 + static_cast<float>(c), 9973.0f);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = start + static_cast<float>(i) / 64;
  return values;
}

std::vector<StoredTensor> tiny_file(ModelFamily family) {
  std::vector<StoredTensor> file;
  for (const NamedTensor& tensor : tiny_tensors(family))
    file.push_back({tensor.stored, "F32", tensor.shape, support::bytes_of(values_for(tensor.name, tensor.shape))});
  return file;
}

StoredTensor& named(std::vector<StoredTensor>& file, const std::string& name) {
  const auto found = std::find_if(file.begin(), file.end(), [&](const auto& tensor) { return tensor.name == name; });
  REQUIRE(found != file.end());
  return *found;
}

void rename(std::vector<StoredTensor>& file, const std::string& from, const std::string& to) {
  for (StoredTensor& tensor : file)
    if (const auto place = tensor.name.find(from); place != std::string::npos)
      tensor.name.replace(place, from.size(), to);
}

/// A checkpoint that owns its bytes, which start at an odd address.
Checkpoint load(const std::vector<StoredTensor>& tensors, const DistilBertConfig& config) {
  const auto bytes = std::make_shared<const std::string>("x" + support::safetensors_file(tensors));
  return Checkpoint(SafeTensors::parse(support::bytes(*bytes) + 1, bytes->size() - 1, bytes), config);
}

std::vector<float> expected_values(const NamedTensor& tensor, ModelFamily family) {
  std::vector<float> values = values_for(tensor.name, tensor.shape);
  if (family == ModelFamily::bert && tensor.name == "embeddings.position_embeddings.weight") {
    const auto types = values_for("embeddings.token_type_embeddings.weight", {2, 4});
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] += types[i % 4];
  }
  return values;
}

void check_all(const Checkpoint& checkpoint, ModelFamily family) {
  for (const NamedTensor& tensor : tiny_tensors(family)) {
    CAPTURE(tensor.name);
    CHECK(checkpoint.has(tensor.name));
    CHECK(checkpoint.read(tensor.name) == expected_values(tensor, family));
  }
}

constexpr ModelFamily families[] = {ModelFamily::distilbert, ModelFamily::bert};

} // namespace

TEST_CASE("every tensor is found under DistilBERT's name, with and without the prefix in the file") {
  for (const ModelFamily family : families) {
    auto file = tiny_file(family);
    check_all(load(file, tiny_config(family)), family);
    rename(file, family == ModelFamily::bert ? "bert." : "distilbert.", "");
    check_all(load(file, tiny_config(family)), family);
  }
}

TEST_CASE("names are DistilBERT's only") {
  const Checkpoint bert = load(tiny_file(ModelFamily::bert), tiny_config(ModelFamily::bert));
  for (const char* name : {"", "bert.pooler.dense.weight", "encoder.layer.0.output.dense.weight", "classifier",
                           "transformer.layer.2.ffn.lin1.weight", "distilbert.embeddings.word_embeddings.weight"}) {
    CHECK(!bert.has(name));
    CHECK(code_of([&] { bert.read(name); }) == ErrorCode::missing_tensor);
  }
  CHECK(!load(tiny_file(ModelFamily::distilbert), tiny_config(ModelFamily::distilbert))
             .has("embeddings.token_type_embeddings.weight"));
}

TEST_CASE("LayerNorm's parameters may carry the names of old checkpoints") {
  auto file = tiny_file(ModelFamily::bert);
  rename(file, "LayerNorm.weight", "LayerNorm.gamma");
  rename(file, "LayerNorm.bias", "LayerNorm.beta");
  check_all(load(file, tiny_config(ModelFamily::bert)), ModelFamily::bert);
}

TEST_CASE("tensors that the model does not need are ignored, whatever they are") {
  for (const ModelFamily family : families) {
    auto file = tiny_file(family);
    file.push_back({"embeddings.position_ids", "I64", {1, 3}, std::string(24, 'x')});
    file.push_back({"vocab_projector.weight", "F64", {1}, std::string(8, 'x')}); // tied
    file.push_back({"cls.predictions.decoder.weight", "F64", {1}, std::string(8, 'x')});
    file.push_back({"cls.seq_relationship.weight", "F64", {1}, std::string(8, 'x')});
    file.push_back({"distilbert.transformer.layer.2.ffn.lin1.weight", "F32", {0}, ""});
    check_all(load(file, tiny_config(family)), family);
  }
}

TEST_CASE("heads may be missing, but not in part") {
  for (const ModelFamily family : families) {
    const bool bert = family == ModelFamily::bert;
    const std::pair<const char*, const char*> heads[] = {
        {"pre_classifier", bert ? "bert.pooler.dense" : "pre_classifier"},
        {"classifier", "classifier"},
        {"qa_outputs", "qa_outputs"},
        {"vocab_transform", bert ? "cls.predictions.transform.dense" : "vocab_transform"},
        {"vocab_layer_norm", bert ? "cls.predictions.transform.LayerNorm" : "vocab_layer_norm"}};
    for (const auto& names : heads) {
      const char *head = names.first, *stored = names.second;
      CAPTURE(stored);
      for (const char* parameter : {".weight", ".bias"}) {
        auto file = tiny_file(family);
        std::erase_if(file, [&](const auto& tensor) { return tensor.name == std::string(stored) + parameter; });
        CHECK(code_of([&] { load(file, tiny_config(family)); }) == ErrorCode::missing_tensor);
      }
      auto file = tiny_file(family);
      std::erase_if(file, [&](const auto& tensor) { return tensor.name.starts_with(std::string(stored) + "."); });
      const Checkpoint checkpoint = load(file, tiny_config(family));
      for (const auto& [other, other_stored] : heads)
        for (const char* parameter : {".weight", ".bias"})
          CHECK(checkpoint.has(std::string(other) + parameter) == (other != head));
    }
  }
}

TEST_CASE("the projector of a masked LM has the word embeddings for its weight, unless the config unties them") {
  for (const ModelFamily family : families) {
    const bool bert = family == ModelFamily::bert;
    const std::string stored = bert ? "cls.predictions.decoder" : "vocab_projector";
    DistilBertConfig tied = tiny_config(family), untied = tied;
    untied.tie_word_embeddings = false;
    auto file = tiny_file(family);
    const auto words = load(file, tied).read("embeddings.word_embeddings.weight");
    CHECK(load(file, tied).read("vocab_projector.weight") == words);
    CHECK(code_of([&] { load(file, untied); }) == ErrorCode::missing_tensor);

    const std::vector<float> own = values_for("vocab_projector.weight", {5, 4});
    file.push_back({stored + ".weight", "F32", {5, 4}, support::bytes_of(own)});
    CHECK(load(file, tied).read("vocab_projector.weight") == words);
    CHECK(load(file, untied).read("vocab_projector.weight") == own);

    std::erase_if(file, [&](const auto& tensor) { return tensor.name == stored + ".bias"; });
    CHECK(code_of([&] { load(file, untied); }) == ErrorCode::missing_tensor);
    CHECK(!load(file, tied).has("vocab_projector.weight"));
    if (bert) {
      const std::vector<float> bias = values_for("bias", {5});
      file.push_back({"cls.predictions.bias", "F32", {5}, support::bytes_of(bias)});
      CHECK(load(file, tied).read("vocab_projector.bias") == bias);
    }
  }
}

TEST_CASE("what the architecture says about a classifier") {
  for (const ModelFamily family : families) {
    const std::string name = family == ModelFamily::bert ? "Bert" : "DistilBert";
    DistilBertConfig config = tiny_config(family);
    config.architectures = {name + "ForTokenClassification"};
    const Checkpoint checkpoint = load(tiny_file(family), config); // an old file, with a pooler that is not used
    CHECK(!checkpoint.has("pre_classifier.weight"));
    CHECK(checkpoint.has("classifier.weight"));
  }
}

TEST_CASE("each tensor of the encoder is required, and the message names it") {
  for (const ModelFamily family : families)
    for (const NamedTensor& tensor : tiny_tensors(family)) {
      if (!tensor.name.starts_with("embeddings.") && !tensor.name.starts_with("transformer."))
        continue; // a head
      auto file = tiny_file(family);
      std::erase_if(file, [&](const auto& stored) { return stored.name == tensor.stored; });
      const auto error = support::error_of([&] { load(file, tiny_config(family)); });
      REQUIRE(error);
      CHECK(error->code() == ErrorCode::missing_tensor);
      CHECK(contains(error->what(), tensor.stored.substr(tensor.stored.find('.') + 1)));
    }
}

TEST_CASE("each tensor has one shape, and the message says which") {
  for (const ModelFamily family : families)
    for (const NamedTensor& tensor : tiny_tensors(family)) {
      CAPTURE(tensor.name);
      const Shape good = tensor.shape;
      std::vector<Shape> bad = {{},
                                {1},
                                {count(good) + 1},
                                {good[0], good.back(), 1},
                                {1, good[0], good.back()},
                                {good[0] + 1, good.back()},
                                {0},
                                Shape(1000, 1)};
      if (good.size() == 2 && good[0] != good[1])
        bad.push_back({good[1], good[0]});
      for (const Shape& shape : bad) {
        auto file = tiny_file(family);
        named(file, tensor.stored) = {tensor.stored, "F32", shape, std::string(count(shape) * 4, '\0')};
        const auto error = support::error_of([&] { load(file, tiny_config(family)); });
        REQUIRE(error);
        CHECK(error->code() == ErrorCode::wrong_shape);
        CHECK(contains(error->what(), '"' + tensor.stored + "\": [" + std::to_string(good[0])));
      }
    }
  auto file = tiny_file(ModelFamily::distilbert);
  named(file, "distilbert.transformer.layer.1.ffn.lin1.weight").shape = {4, 6};
  const auto error = support::error_of([&] { load(file, tiny_config(ModelFamily::distilbert)); });
  REQUIRE(error);
  CHECK(error->what() ==
        std::string("a tensor has another shape than config.json promises: "
                    "\"distilbert.transformer.layer.1.ffn.lin1.weight\": [6, 4] expected, [4, 6] found"));
}

TEST_CASE("a config that promises more than the file holds is refused at once") {
  DistilBertConfig config = tiny_config(ModelFamily::distilbert);
  config.n_layers = ConfigLimits::layers;
  CHECK(code_of([&] { load(tiny_file(ModelFamily::distilbert), config); }) == ErrorCode::missing_tensor);
  config = tiny_config(ModelFamily::distilbert);
  config.vocab_size = ConfigLimits::rows;
  CHECK(code_of([&] { load(tiny_file(ModelFamily::distilbert), config); }) == ErrorCode::wrong_shape);
  config = tiny_config(ModelFamily::distilbert);
  config.id2label.pop_back();
  CHECK(code_of([&] { load(tiny_file(ModelFamily::distilbert), config); }) == ErrorCode::wrong_shape);
}

TEST_CASE("half-precision tensors are widened exactly, next to fp32 ones") {
  const std::string name = "transformer.layer.0.ffn.lin1.weight", stored = "distilbert." + name;
  const std::vector<std::uint16_t> bits = {0x0000, 0x8000, 0x3c00, 0xbc00, 0x0001, 0x83ff, 0x0400, 0x7bff,
                                           0xfbff, 0x3555, 0x7c00, 0xfc00, 0x4248, 0x1234, 0xabcd, 0x5678,
                                           0x0080, 0x7f7f, 0xff7f, 0x2e66, 0x3800, 0x3c01, 0x6400, 0x0200};
  REQUIRE(bits.size() == 24);
  for (const bool bf16 : {false, true}) {
    auto file = tiny_file(ModelFamily::distilbert);
    named(file, stored) = {stored, bf16 ? "BF16" : "F16", {6, 4}, support::bytes_of(bits)};
    const std::vector<float> values = load(file, tiny_config(ModelFamily::distilbert)).read(name);
    REQUIRE(values.size() == bits.size());
    for (std::size_t i = 0; i < bits.size(); ++i)
      CHECK(std::bit_cast<std::uint32_t>(values[i]) ==
            std::bit_cast<std::uint32_t>(bf16 ? bf16_to_float(bits[i]) : detail::f16_to_float(bits[i])));
  }
}

TEST_CASE("other types are refused by name") {
  for (const auto& [dtype, size] : std::map<std::string, std::size_t>{
           {"F64", 8}, {"I8", 1}, {"U8", 1}, {"BOOL", 1}, {"F8_E4M3", 1}, {"I64", 8}, {"C64", 8}, {"U16", 2}}) {
    auto file = tiny_file(ModelFamily::distilbert);
    named(file, "classifier.bias") = {"classifier.bias", dtype, {3}, std::string(3 * size, '\0')};
    const auto error = support::error_of([&] { load(file, tiny_config(ModelFamily::distilbert)); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::unsupported_dtype);
    CHECK(contains(error->what(), "\"classifier.bias\": F32, F16 or BF16 expected, " + dtype + " found"));
  }
}

TEST_CASE("check_finite names the tensor that holds a NaN or an infinity") {
  load(tiny_file(ModelFamily::bert), tiny_config(ModelFamily::bert)).check_finite();
  const std::pair<const char*, std::string> bad[] = {
      {"F32", support::bytes_of(std::vector<float>{0, 1, std::numeric_limits<float>::quiet_NaN(), 2})},
      {"F32", support::bytes_of(std::vector<float>{0, 1, -std::numeric_limits<float>::infinity(), 2})},
      {"F16", support::bytes_of(std::vector<std::uint16_t>{0, 1, 0x7c00, 2})},
      {"F16", support::bytes_of(std::vector<std::uint16_t>{0, 1, 0xfe00, 2})},
      {"BF16", support::bytes_of(std::vector<std::uint16_t>{0, 1, 0x7f80, 2})},
      {"BF16", support::bytes_of(std::vector<std::uint16_t>{0, 1, 0x7fc1, 2})},
  };
  for (const auto& [dtype, bytes] : bad) {
    const std::string name = "bert.encoder.layer.1.output.LayerNorm.bias";
    auto file = tiny_file(ModelFamily::bert);
    named(file, name) = {name, dtype, {4}, bytes};
    const Checkpoint checkpoint = load(file, tiny_config(ModelFamily::bert));
    const auto error = support::error_of([&] { checkpoint.check_finite(); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::non_finite_weight);
    CHECK(contains(error->what(), '"' + name + "\", element 2"));
  }
}

TEST_CASE("a checkpoint outlives its copies and the file's name") {
  const support::TemporaryDirectory directory;
  const ModelFamily family = ModelFamily::distilbert;
  directory.write("model.safetensors", support::safetensors_file(tiny_file(family)));
  for (const Memory memory : {Memory::map, Memory::copy}) {
    std::optional<Checkpoint> original = Checkpoint::from_pretrained(directory.path(), tiny_config(family), memory);
    const Checkpoint copy = *original;
    original.reset();
    check_all(copy, family);
  }
}

TEST_CASE("a directory without model.safetensors gets advice, and nothing named in an index is opened") {
  const support::TemporaryDirectory directory;
  const auto message = [&] {
    const auto error = support::error_of([&] { Checkpoint::from_pretrained(directory.path(), DistilBertConfig()); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::file_not_found);
    return std::string(error->what());
  };
  CHECK(contains(message(), "model.safetensors"));
  directory.write("pytorch_model.bin", "PK");
  CHECK(contains(message(), "save the model as safetensors"));
  const auto pipe = directory.path() / "shard.safetensors"; // opening it to read would never return
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  directory.write("model.safetensors.index.json",
                  R"({"weight_map": {"a": "../x", "b": "/etc/passwd", "c": "shard.safetensors"}})");
  CHECK(contains(message(), "split into several files"));
}

TEST_CASE("errors of a directory name the file") {
  const support::TemporaryDirectory directory;
  auto file = tiny_file(ModelFamily::distilbert);
  file.erase(file.begin());
  directory.write("model.safetensors", support::safetensors_file(file));
  const auto error =
      support::error_of([&] { Checkpoint::from_pretrained(directory.path(), tiny_config(ModelFamily::distilbert)); });
  REQUIRE(error);
  CHECK(error->code() == ErrorCode::missing_tensor);
  CHECK(contains(error->what(), "model.safetensors: \"embeddings.word_embeddings.weight\" of shape [5, 4] expected"));
}
