// packed_model.hpp, packed_layers.hpp and probe.hpp: what packing makes of a checkpoint, that a converted file gives
// the same bytes without copying them, and that no converted file, however wrong, is believed.

#include "../nn/random_model.hpp"
#include "../nn/scaled_rounding.hpp"
#include "support.hpp"

#include <distilbert/weights/packed_model.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

using namespace distilbert;
using support::code_of;
using test::RandomModel;
using test::Shape;

namespace {

constexpr Precision precisions[] = {Precision::fp32, Precision::bf16, Precision::int8};

/// Sizes of which none is a multiple of 16: 37 channels would have one head, so 36 in 3 heads of 12.
Shape odd_shape(const std::string& family = "distilbert") {
  Shape shape;
  shape.family = family;
  shape.vocab = 53;
  shape.positions = 21;
  shape.dim = 36;
  shape.hidden_dim = 50;
  shape.n_heads = 3;
  shape.labels = 3;
  shape.prefix = family == "bert" ? "bert." : "distilbert.";
  return shape;
}

struct Loaded {
  explicit Loaded(const Shape& shape) : Loaded(shape, test::random_tensors(shape)) {}
  Loaded(const Shape& shape, std::vector<test::Tensor> tensors)
      : files(shape, std::move(tensors)), config(DistilBertConfig::from_pretrained(files.path())) {}
  Checkpoint checkpoint() const { return Checkpoint::from_pretrained(files.path(), config); }
  PackedModel packed(Precision precision) const { return PackedModel::pack(checkpoint(), config, precision); }
  const std::vector<float>& values(const std::string& name) const {
    for (const test::Tensor& tensor : files.tensors)
      if (tensor.name == name)
        return tensor.values;
    FAIL("no tensor " << name);
    return files.tensors[0].values;
  }

  RandomModel files;
  DistilBertConfig config;
};

std::string bytes_of(const TensorView& tensor) {
  return std::string(reinterpret_cast<const char*>(tensor.data), tensor.bytes);
}

const PackedLayer& layer_of(const PackedModel& model, const std::string& name) {
  for (const PackedLayer& layer : model.layers())
    if (layer.name == name)
      return layer;
  FAIL("no layer " << name);
  return model.layers()[0];
}

std::string packed(const std::vector<float>& weight, const std::vector<float>& bias, Blocks out, Blocks in,
                   Precision precision) {
  std::string bytes(packed_linear_bytes(precision, out, in), '\0');
  pack_linear(weight.data(), bias.data(), out, in, precision, reinterpret_cast<unsigned char*>(bytes.data()));
  return bytes;
}

using Metadata = std::map<std::string, std::string>;

Metadata metadata_for(Precision precision, const Shape& shape = odd_shape()) {
  return {{"format", "distilbert.cpp"},
          {"layout_version", "2"},
          {"precision", std::string(precision_name(precision))},
          {"sizes",
           std::string("vocab_size 53, max_position_embeddings 21, dim 36, hidden_dim 50, n_layers 2, n_heads 3") +
               (shape.family == "bert" ? ", type_vocab_size 2" : "") + (shape.labels > 0 ? ", num_labels 3" : "")}};
}

/// A converted file's tensors, to be spoilt before they are written.
std::vector<support::StoredTensor> stored_tensors(const PackedModel& model) {
  std::vector<support::StoredTensor> tensors;
  for (const PackedLayer& layer : model.layers())
    for (const TensorView& tensor : layer.tensors)
      tensors.push_back({tensor.name, info(tensor.dtype).name, tensor.shape, bytes_of(tensor)});
  return tensors;
}

std::size_t element_size(const std::string& dtype) { return dtype == "F32" ? 4 : 1; }

/// A converted file, written by other code than the converter's. `shift` moves the tensors' bytes off their alignment.
std::string converted_file(const std::vector<support::StoredTensor>& tensors, const Metadata& metadata,
                           std::size_t shift = 0) {
  std::string header = support::safetensors_file(tensors).substr(8), pairs;
  const std::size_t length = header.find("]}}") + 3;
  const std::string data = header.substr(length);
  header.resize(length);
  for (const auto& [key, value] : metadata) {
    std::string escaped;
    for (const char c : value)
      escaped += c == '"' ? "\\\"" : std::string(1, c);
    pairs += (pairs.empty() ? "\"" : ",\"") + key + "\":\"" + escaped + "\"";
  }
  header.insert(1, "\"__metadata__\":{" + pairs + "},");
  header.append((64 - (header.size() + 8) % 64) % 64 + shift, ' ');
  return support::safetensors_file(header, data);
}

/// Random tensors of a model with all heads at once. The projector's weight is tied.
std::vector<test::Tensor> tensors_with_heads(const Shape& shape) {
  const bool bert = shape.family == "bert";
  const std::string mlm = bert ? "cls.predictions." : "vocab_";
  const std::string transform = mlm + (bert ? "transform.dense" : "transform");
  const std::string norm = mlm + (bert ? "transform.LayerNorm" : "layer_norm");
  auto tensors = test::random_tensors(shape);
  const std::size_t dim = shape.dim;
  const std::pair<std::string, std::vector<std::size_t>> heads[] = {
      {"qa_outputs.weight", {2, dim}},
      {"qa_outputs.bias", {2}},
      {transform + ".weight", {dim, dim}},
      {transform + ".bias", {dim}},
      {norm + ".weight", {dim}},
      {norm + ".bias", {dim}},
      {mlm + (bert ? "bias" : "projector.bias"), {shape.vocab}}};
  for (const auto& [name, size] : heads)
    tensors.push_back(test::random_tensor(shape, name, size));
  return tensors;
}

/// A loaded model of which a converted twin lies beside it.
struct Converted : Loaded {
  Converted(const Shape& shape, Precision precision) : Converted(shape, test::random_tensors(shape), precision) {}
  Converted(const Shape& shape, std::vector<test::Tensor> tensors, Precision precision)
      : Loaded(shape, std::move(tensors)), source(packed(precision)) {
    test::write_file(directory.path() / "config.json", test::config_json(shape));
    write(stored_tensors(source), metadata_for(precision, shape));
  }
  void write(const std::vector<support::StoredTensor>& tensors, const Metadata& metadata, std::size_t shift = 0) {
    test::write_file(path(), converted_file(tensors, metadata, shift));
  }
  std::filesystem::path path() const { return directory.path() / "model.safetensors"; }
  PackedModel load(const LoadOptions& options = {}) const {
    return PackedModel::from_pretrained(directory.path(), config, options);
  }

  PackedModel source;
  support::TemporaryDirectory directory;
};

/// Whether an address lies in a mapping of the file.
bool is_mapped(const void* address, const std::filesystem::path& path) {
  std::ifstream maps("/proc/self/maps");
  const std::string real = std::filesystem::canonical(path).string();
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::istringstream(line) >> std::hex >> begin >> dash >> end;
    const auto where = reinterpret_cast<std::uintptr_t>(address);
    if (where >= begin && where < end)
      return line.size() >= real.size() && line.compare(line.size() - real.size(), real.size(), real) == 0;
  }
  return false;
}

} // namespace

TEST_CASE("a packed model has each layer once, in order of use") {
  const Loaded model(odd_shape());
  std::vector<std::string> names;
  const PackedModel packed_model = model.packed(Precision::int8);
  for (const PackedLayer& layer : packed_model.layers())
    for (const TensorView& tensor : layer.tensors)
      names.push_back(tensor.name);
  std::vector<std::string> expected = {"embeddings.word_embeddings.weight",     "embeddings.word_embeddings.scale",
                                       "embeddings.position_embeddings.weight", "embeddings.position_embeddings.scale",
                                       "embeddings.LayerNorm.weight",           "embeddings.LayerNorm.bias"};
  for (const std::string layer : {"transformer.layer.0.", "transformer.layer.1."})
    for (const char* name :
         {"attention.qkv_lin.packed", "attention.out_lin.packed", "sa_layer_norm.weight", "sa_layer_norm.bias",
          "ffn.lin1.packed", "ffn.lin2.packed", "output_layer_norm.weight", "output_layer_norm.bias"})
      expected.push_back(layer + name);
  expected.insert(expected.end(), {"pre_classifier.packed", "classifier.packed"});
  CHECK(names == expected);
  CHECK(packed_model.has("classifier"));
  CHECK(packed_model.has("pre_classifier"));
  CHECK_FALSE(packed_model.has("qa_outputs"));
  CHECK_FALSE(packed_model.probe());

  Shape encoder = odd_shape();
  encoder.labels = 0;
  CHECK_FALSE(Loaded(encoder).packed(Precision::fp32).has("classifier"));
}

TEST_CASE("each layer is packed from the tensors of the checkpoint") {
  for (const Precision precision : precisions) {
    CAPTURE(precision_name(precision));
    const Loaded model(odd_shape());
    const PackedModel packed_model = model.packed(precision);
    CHECK(packed_model.precision() == precision);
    const auto check = [&](const std::string& name, Blocks out, Blocks in, Precision p) {
      const PackedLinear linear = packed_model.linear(name, out, in);
      CHECK(linear.precision == p);
      CHECK(linear.out == out.packed());
      CHECK(linear.in == in.packed());
      CHECK(linear.panels == layer_of(packed_model, name).tensors[0].data);
      CHECK(bytes_of(layer_of(packed_model, name).tensors[0]) ==
            packed(model.values(name + ".weight"), model.values(name + ".bias"), out, in, p));
    };
    check("transformer.layer.1.attention.out_lin", {1, 36}, {3, 12}, precision);
    check("transformer.layer.0.ffn.lin1", {1, 50}, {1, 36}, precision);
    check("transformer.layer.1.ffn.lin2", {1, 36}, {1, 50}, precision);
    check("pre_classifier", {1, 36}, {1, 36}, precision);
    check("classifier", {1, 3}, {1, 36}, Precision::fp32);

    const PackedEmbedding words = packed_model.embedding("embeddings.word_embeddings", 53, 36);
    CHECK(words.precision == precision);
    CHECK(words.rows == 53);
    CHECK(words.dim == 48);
    CHECK((words.scale != nullptr) == (precision == Precision::int8));
    std::string table(64 * 48 * element_bytes(precision), '\0'); // rows padded to 64, all zero
    std::vector<float> scale(64);
    pack_embedding(model.values("embeddings.word_embeddings.weight").data(), 53, 36, precision, table.data(),
                   scale.data());
    const auto& tensors = layer_of(packed_model, "embeddings.word_embeddings").tensors;
    CHECK(tensors[0].shape == std::vector<std::size_t>{64, 48});
    CHECK(bytes_of(tensors[0]) == table);
    if (precision == Precision::int8)
      CHECK(bytes_of(tensors[1]) == support::bytes_of(scale));

    const PackedLayerNorm norm = packed_model.layer_norm("transformer.layer.1.output_layer_norm", 36);
    CHECK(norm.dim == 36);
    for (std::size_t i = 0; i < 48; ++i) {
      CHECK(norm.weight[i] == (i < 36 ? model.values("transformer.layer.1.output_layer_norm.weight")[i] : 0));
      CHECK(norm.bias[i] == (i < 36 ? model.values("transformer.layer.1.output_layer_norm.bias")[i] : 0));
    }
  }
}

TEST_CASE("q, k and v are one layer, head by head, with the scale of attention on q") {
  const Loaded model(odd_shape());
  const PackedLinear qkv =
      model.packed(Precision::fp32).linear("transformer.layer.0.attention.qkv_lin", {9, 12}, {1, 36});
  const PackedModel keep = model.packed(Precision::fp32);
  const PackedLinear kept = keep.linear("transformer.layer.0.attention.qkv_lin", {9, 12}, {1, 36});
  CHECK(qkv.out == 144);
  CHECK(kept.panel_count() == 9); // 12 channels fill no more than one panel: one a head and projection
  const char* projections[] = {"q_lin", "k_lin", "v_lin"};
  for (std::size_t p = 0; p < 9; ++p) {
    const std::string name = std::string("transformer.layer.0.attention.") + projections[p / 3];
    const auto& weight = model.values(name + ".weight");
    const auto& bias = model.values(name + ".bias");
    const auto* panel = reinterpret_cast<const float*>(kept.panel(p));
    for (std::size_t c = 0; c < 16; ++c) {
      const std::size_t row = p % 3 * 12 + c;
      const double scale = p < 3 ? 1 / std::sqrt(12.0) : 1;
      CHECK(panel[c] == doctest::Approx(c < 12 ? bias[row] * scale : 0).epsilon(1e-6));
      for (std::size_t k = 0; k < 48; ++k)
        if (const double w = c < 12 && k < 36 ? weight[row * 36 + k] * scale : 0;
            std::fabs(panel[16 + k * 16 + c] - w) > 1e-6 * std::fabs(w))
          FAIL_CHECK("panel " << p << ", channel " << c << ", k " << k);
    }
  }
}

TEST_CASE("BERT becomes the same layers, with token type 0 in the positions") {
  const Loaded model(odd_shape("bert"));
  const PackedModel packed_model = model.packed(Precision::fp32);
  const PackedEmbedding positions = packed_model.embedding("embeddings.position_embeddings", 21, 36);
  const auto* rows = static_cast<const float*>(positions.weight);
  for (std::size_t i = 0; i < 21 * 36; ++i)
    CHECK(rows[i / 36 * 48 + i % 36] == model.values("embeddings.position_embeddings.weight")[i] +
                                            model.values("embeddings.token_type_embeddings.weight")[i % 36]);
  CHECK(bytes_of(layer_of(packed_model, "transformer.layer.0.ffn.lin1").tensors[0]) ==
        packed(model.values("encoder.layer.0.intermediate.dense.weight"),
               model.values("encoder.layer.0.intermediate.dense.bias"), {1, 50}, {1, 36}, Precision::fp32));
  CHECK(bytes_of(layer_of(packed_model, "pre_classifier").tensors[0]) == packed(model.values("pooler.dense.weight"),
                                                                                model.values("pooler.dense.bias"),
                                                                                {1, 36}, {1, 36}, Precision::fp32));
}

TEST_CASE("what BERT's other token types have more than type 0 is a table of its own, in fp32") {
  for (const Precision precision : precisions) {
    const Converted model(odd_shape("bert"), precision);
    const auto& types = model.values("embeddings.token_type_embeddings.weight");
    for (const PackedModel& packed_model : {model.source, model.load()}) {
      const PackedEmbedding table = packed_model.embedding("embeddings.token_type_embeddings", 1, 36);
      CHECK(table.precision == Precision::fp32);
      for (std::size_t c = 0; c < 48; ++c)
        CHECK(static_cast<const float*>(table.weight)[c] == (c < 36 ? types[36 + c] - types[c] : 0));
    }
  }
}

TEST_CASE("every head is packed under DistilBERT's names, and comes back from a converted file") {
  for (const char* family : {"distilbert", "bert"})
    for (const Precision precision : precisions) {
      CAPTURE(family);
      CAPTURE(precision_name(precision));
      const Shape shape = odd_shape(family);
      const std::string mlm = shape.family == "bert" ? "cls.predictions." : "vocab_";
      const std::string transform = mlm + (shape.family == "bert" ? "transform.dense" : "transform");
      const std::string norm = mlm + (shape.family == "bert" ? "transform.LayerNorm" : "layer_norm");
      const Converted model(shape, tensors_with_heads(shape), precision);
      const auto& words = model.values("embeddings.word_embeddings.weight");
      const auto& projector_bias = model.values(mlm + (shape.family == "bert" ? "bias" : "projector.bias"));
      for (const PackedModel& packed_model : {model.source, model.load()}) {
        CHECK(packed_model.linear("qa_outputs", {1, 2}, {1, 36}).precision == Precision::fp32);
        CHECK(bytes_of(layer_of(packed_model, "qa_outputs").tensors[0]) == packed(model.values("qa_outputs.weight"),
                                                                                  model.values("qa_outputs.bias"),
                                                                                  {1, 2}, {1, 36}, Precision::fp32));
        CHECK(packed_model.linear("vocab_transform", {1, 36}, {1, 36}).precision == precision);
        CHECK(bytes_of(layer_of(packed_model, "vocab_transform").tensors[0]) ==
              packed(model.values(transform + ".weight"), model.values(transform + ".bias"), {1, 36}, {1, 36},
                     precision));
        CHECK(packed_model.layer_norm("vocab_layer_norm", 36).weight[35] == model.values(norm + ".weight")[35]);
        CHECK(packed_model.layer_norm("vocab_layer_norm", 36).bias[35] == model.values(norm + ".bias")[35]);
        CHECK(packed_model.linear("vocab_projector", {1, 53}, {1, 36}).precision == precision);
        CHECK(bytes_of(layer_of(packed_model, "vocab_projector").tensors[0]) ==
              packed(words, projector_bias, {1, 53}, {1, 36}, precision));
      }
    }
}

TEST_CASE("a converted file with token types does not fit a config without, nor the other way round") {
  const Converted bert(odd_shape("bert"), Precision::fp32);
  DistilBertConfig other = bert.config;
  const auto load = [&] { PackedModel::from_pretrained(bert.directory.path(), other); };
  CHECK(!code_of(load));
  for (const std::size_t types : {0u, 1u, 3u}) {
    other.type_vocab_size = types;
    CHECK(code_of(load) == ErrorCode::wrong_shape);
  }
}

TEST_CASE("a layer is only handed out in its own kind and size") {
  const Loaded files(odd_shape());
  const PackedModel model = files.packed(Precision::fp32);
  CHECK(code_of([&] { model.linear("transformer.layer.2.ffn.lin1", {1, 50}, {1, 36}); }) == ErrorCode::missing_tensor);
  CHECK(code_of([&] { model.linear("transformer.layer.0.ffn.lin1", {1, 36}, {1, 50}); }) == ErrorCode::wrong_shape);
  CHECK(code_of([&] { model.linear("classifier", {3, 1}, {1, 36}); }) == ErrorCode::wrong_shape);
  CHECK(code_of([&] { model.linear("embeddings.LayerNorm", {1, 1}, {1, 36}); }) == ErrorCode::wrong_shape);
  CHECK(code_of([&] { model.embedding("embeddings.word_embeddings", 54, 36); }) == ErrorCode::wrong_shape);
  CHECK(code_of([&] { model.layer_norm("embeddings.LayerNorm", 48); }) == ErrorCode::wrong_shape);
}

TEST_CASE("packing tells its progress, and stops when the callback throws") {
  const Loaded model(odd_shape());
  std::vector<std::size_t> steps;
  std::size_t bytes = 0, last_total = 0;
  const PackedModel packed_model =
      PackedModel::pack(model.checkpoint(), model.config, Precision::int8, [&](std::size_t done, std::size_t total) {
        steps.push_back(done);
        last_total = total;
      });
  for (const PackedLayer& layer : packed_model.layers())
    for (const TensorView& tensor : layer.tensors) {
      CHECK(reinterpret_cast<std::uintptr_t>(tensor.data) % 64 == 0);
      CHECK(tensor.bytes % 64 == 0);
      bytes += tensor.bytes;
    }
  CHECK(steps.size() == packed_model.layers().size());
  CHECK(std::is_sorted(steps.begin(), steps.end()));
  CHECK(steps.back() == bytes);
  CHECK(last_total == bytes);
  CHECK_THROWS_AS(PackedModel::pack(model.checkpoint(), model.config, Precision::fp32,
                                    [](std::size_t, std::size_t) { throw std::out_of_range("stop"); }),
                  std::out_of_range);
}

TEST_CASE("int8 refuses a weight that is not finite, by the name of its layer") {
  for (const char* spoilt : {"transformer.layer.1.attention.k_lin.weight", "embeddings.word_embeddings.weight"}) {
    Loaded model(odd_shape());
    for (test::Tensor& tensor : model.files.tensors)
      if (tensor.name == spoilt)
        tensor.values[7] = std::numeric_limits<float>::infinity();
    test::write_safetensors(model.files.path() / "model.safetensors", model.files.shape, model.files.tensors);
    const auto error = support::error_of([&] { model.packed(Precision::int8); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::non_finite_weight);
    const std::string layer = std::string(spoilt).find("k_lin") == std::string::npos
                                  ? "\"embeddings.word_embeddings\": row 0, column 7"
                                  : "\"transformer.layer.1.attention.qkv_lin\": row 36, column 7";
    CHECK_MESSAGE(support::contains(error->what(), layer), error->what());
    CHECK_NOTHROW(model.packed(Precision::fp32));
    CHECK_NOTHROW(PackedModel::from_pretrained(model.files.path(), model.config));
    LoadOptions checked;
    checked.check_finite = true;
    CHECK(code_of([&] { PackedModel::from_pretrained(model.files.path(), model.config, checked); }) ==
          ErrorCode::non_finite_weight);
  }
}

TEST_CASE("a Hugging Face directory is packed in the precision asked for, fp32 by default") {
  const Loaded model(odd_shape());
  LoadOptions options;
  CHECK(PackedModel::from_pretrained(model.files.path(), model.config, options).precision() == Precision::fp32);
  options.precision = Precision::bf16;
  options.memory = Memory::copy;
  CHECK(PackedModel::from_pretrained(model.files.path(), model.config, options).precision() == Precision::bf16);
}

TEST_CASE("a directory without model.safetensors is told so") {
  const Loaded model(odd_shape());
  std::filesystem::remove(model.files.path() / "model.safetensors");
  CHECK(code_of([&] { PackedModel::from_pretrained(model.files.path(), model.config); }) == ErrorCode::file_not_found);
  test::write_file(model.files.path() / "model.safetensors.index.json", "{}");
  const auto error = support::error_of([&] { PackedModel::from_pretrained(model.files.path(), model.config); });
  REQUIRE(error);
  CHECK(support::contains(error->what(), "split into several files"));
}

TEST_CASE("a converted file gives the very bytes that packing gives, and none is copied") {
  for (const Precision precision : precisions) {
    CAPTURE(precision_name(precision));
    const Converted model(odd_shape(), precision);
    const PackedModel mapped = model.load();
    LoadOptions options;
    options.memory = Memory::copy;
    const PackedModel copied = model.load(options);
    CHECK(mapped.precision() == precision);
    REQUIRE(mapped.layers().size() == model.source.layers().size());
    for (std::size_t i = 0; i < mapped.layers().size(); ++i) {
      const PackedLayer &a = model.source.layers()[i], &b = mapped.layers()[i], &c = copied.layers()[i];
      REQUIRE(a.tensors.size() == b.tensors.size());
      CHECK(a.name == b.name);
      CHECK(a.precision == b.precision);
      for (std::size_t t = 0; t < a.tensors.size(); ++t) {
        CHECK(bytes_of(a.tensors[t]) == bytes_of(b.tensors[t]));
        CHECK(bytes_of(a.tensors[t]) == bytes_of(c.tensors[t]));
        CHECK(is_mapped(b.tensors[t].data, model.path()));
        CHECK(is_mapped(b.tensors[t].data + b.tensors[t].bytes - 1, model.path()));
        CHECK_FALSE(is_mapped(c.tensors[t].data, model.path()));
      }
    }
    const PackedModel copy = mapped;
    CHECK(copy.linear("classifier", {1, 3}, {1, 36}).panels == mapped.linear("classifier", {1, 3}, {1, 36}).panels);
  }
}

TEST_CASE("a packed model outlives the file it was loaded from") {
  std::optional<PackedModel> kept;
  std::string before;
  {
    const Converted model(odd_shape(), Precision::int8);
    kept = model.load();
    before = bytes_of(layer_of(model.source, "pre_classifier").tensors[0]);
  }
  CHECK(bytes_of(layer_of(*kept, "pre_classifier").tensors[0]) == before);
}

TEST_CASE("a converted model runs in its own precision only") {
  const Converted model(odd_shape(), Precision::int8);
  LoadOptions options;
  options.precision = Precision::int8;
  CHECK(model.load(options).precision() == Precision::int8);
  options.precision = Precision::fp32;
  const auto error = support::error_of([&] { model.load(options); });
  REQUIRE(error);
  CHECK(error->code() == ErrorCode::invalid_argument);
  CHECK_MESSAGE(support::contains(error->what(), "was converted to int8, not to fp32"), error->what());
}

TEST_CASE("metadata that this version cannot read is refused with advice") {
  Converted model(odd_shape(), Precision::int8);
  const auto tensors = stored_tensors(model.source);
  const auto code_with = [&](const char* key, const char* value) {
    Metadata metadata = metadata_for(Precision::int8);
    if (value)
      metadata[key] = value;
    else
      metadata.erase(key);
    model.write(tensors, metadata);
    const auto error = support::error_of([&] { model.load(); });
    if (error && error->code() == ErrorCode::invalid_packed_model)
      CHECK_MESSAGE(support::contains(error->what(), "convert the original model again"), error->what());
    return error ? std::optional(error->code()) : std::nullopt;
  };
  CHECK(code_with("layout_version", "3") == std::nullopt); // with input scales, of which there may be none
  for (const char* layout : {"1", "4", "0", "", "1 ", "01", "one", static_cast<const char*>(nullptr)})
    CHECK(code_with("layout_version", layout) == ErrorCode::invalid_packed_model);
  for (const char* precision : {"int4", "", "INT8", static_cast<const char*>(nullptr)})
    CHECK(code_with("precision", precision) == ErrorCode::invalid_packed_model);
  CHECK(code_with("precision", "fp32") == ErrorCode::wrong_shape); // the tensors are int8
  CHECK(code_with("sizes", nullptr) == ErrorCode::wrong_shape);
  // Without the mark it is a Hugging Face file, and those are not in int8.
  CHECK(code_with("format", nullptr) == ErrorCode::unsupported_dtype);
  CHECK(code_with("format", "pt") == ErrorCode::unsupported_dtype);
  CHECK(code_with("library_version", "9.9.9") == std::nullopt);

  test::write_file(model.path(), converted_file(tensors, {{"format", "pt"}}));
  CHECK(code_of([&] { PackedModel::from_file(SafeTensors::open(model.path()), model.config); }) ==
        ErrorCode::invalid_packed_model);
}

TEST_CASE("int8 weights for sums of 16 bits: what the file says, what is asked for, and what it holds") {
  Converted model(odd_shape(), Precision::int8);
  const auto sum_bits_with = [&](Precision precision, const char* text) {
    Metadata metadata = metadata_for(precision);
    metadata["sum_bits"] = text;
    model.write(stored_tensors(model.packed(precision)), metadata);
    std::optional<int> bits;
    const auto error = support::error_of([&] { bits = model.load().sum_bits(); });
    CHECK((bits || error->code() == ErrorCode::invalid_packed_model));
    return bits;
  };
  CHECK(model.load().sum_bits() == 32);
  CHECK(sum_bits_with(Precision::int8, "16") == 16);
  CHECK(sum_bits_with(Precision::int8, "32") == 32);
  CHECK(sum_bits_with(Precision::bf16, "32") == 32);
  CHECK(sum_bits_with(Precision::fp32, "16") == std::nullopt);
  for (const char* text : {"8", "016", "16 ", "-16", "x"})
    CHECK(sum_bits_with(Precision::int8, text) == std::nullopt);

  // any weights under the promise of small ones
  CHECK(sum_bits_with(Precision::int8, "16") == 16);
  LoadOptions options;
  options.check_finite = true;
  const auto error = support::error_of([&] { model.load(options); });
  REQUIRE(error);
  CHECK(error->code() == ErrorCode::invalid_packed_model);
  CHECK_MESSAGE(support::contains(error->what(), "qkv_lin"), error->what());

  const auto small = PackedModel::pack(model.checkpoint(), model.config, Precision::int8, {}, 16);
  CHECK(small.sum_bits() == 16);
  CHECK_NOTHROW(small.check_finite());
  Metadata metadata = metadata_for(Precision::int8);
  metadata["sum_bits"] = "16";
  model.write(stored_tensors(small), metadata);
  CHECK_NOTHROW(model.load(options));
  const auto write_with_sum = [&](auto& tensors, std::string& panels) { // of channel 0, whose weights were changed
    const std::size_t panel = panels.size() / (padded(model.config.dim) / lanes);
    std::int32_t sum = 0;
    for (std::size_t group = 192; group < panel; group += 64)
      for (std::size_t i = group; i < group + 4; ++i)
        sum += static_cast<std::int8_t>(panels[i]);
    std::memcpy(panels.data() + 128, &sum, sizeof sum);
    model.write(tensors, metadata);
  };
  for (const std::size_t offset : {0u, 1u, 64u, 65u}) { // the four weights of channel 0 that meet first
    auto tensors = stored_tensors(small);
    auto& packed =
        *std::find_if(tensors.begin(), tensors.end(), [](auto& t) { return t.name == "pre_classifier.packed"; });
    for (const std::size_t i : {0u, 1u, 64u, 65u})
      packed.bytes[192 + i] = i == offset ? 32 : -31;
    packed.bytes[192 + 2] = 127; // another four
    for (const std::size_t i : {3u, 66u, 67u})
      packed.bytes[192 + i] = 0;
    write_with_sum(tensors, packed.bytes);
    CHECK_NOTHROW(model.load(options));
    for (const std::size_t i : {0u, 1u, 64u, 65u})
      packed.bytes[192 + i] = i == offset ? 33 : 32;
    write_with_sum(tensors, packed.bytes);
    CHECK(code_of([&] { model.load(options); }) == ErrorCode::invalid_packed_model);
    for (const std::size_t i : {0u, 1u, 64u, 65u})
      packed.bytes[192 + i] = i == offset ? -33 : -32;
    write_with_sum(tensors, packed.bytes);
    CHECK(code_of([&] { model.load(options); }) == ErrorCode::invalid_packed_model);
    CHECK_NOTHROW(model.load());
  }

  options = {};
  options.sum_bits = 16;
  CHECK(model.load(options).sum_bits() == 16);
  options.sum_bits = 32;
  CHECK(code_of([&] { model.load(options); }) == ErrorCode::invalid_argument);
  const auto unconverted = [&](Precision precision, int sum_bits) {
    LoadOptions packing;
    packing.precision = precision;
    packing.sum_bits = sum_bits;
    std::optional<int> bits;
    const auto refused = support::error_of(
        [&] { bits = PackedModel::from_pretrained(model.files.path(), model.config, packing).sum_bits(); });
    CHECK((bits || refused->code() == ErrorCode::invalid_argument));
    return bits;
  };
  CHECK(unconverted(Precision::int8, 16) == 16);
  CHECK(unconverted(Precision::fp32, 32) == 32);
  CHECK(unconverted(Precision::fp32, 16) == std::nullopt);
  CHECK(unconverted(Precision::int8, 8) == std::nullopt);
}

TEST_CASE("tensors that do not fit config.json are refused") {
  Converted model(odd_shape(), Precision::int8);
  const Metadata metadata = metadata_for(Precision::int8);
  const auto code_after = [&](const std::function<void(std::vector<support::StoredTensor>&)>& spoil) {
    auto tensors = stored_tensors(model.source);
    spoil(tensors);
    model.write(tensors, metadata);
    return code_of([&] { model.load(); });
  };
  CHECK(code_after([](auto&) {}) == std::nullopt);
  const std::size_t count = stored_tensors(model.source).size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = stored_tensors(model.source)[i].name;
    CAPTURE(name);
    // A model may lack pre_classifier; that it has a classifier is written down in its sizes.
    CHECK(code_after([&](auto& tensors) { tensors[i].name += "x"; }) ==
          (name == "pre_classifier.packed" ? std::nullopt
           : name == "classifier.packed"   ? std::optional(ErrorCode::wrong_shape)
                                           : std::optional(ErrorCode::missing_tensor)));
    CHECK(
        code_after([&](auto& tensors) { tensors[i].dtype = tensors[i].dtype == "U8" ? "I8" : "F8_E4M3"; }).has_value());
    CHECK(code_after([&](auto& tensors) { // half of it
            tensors[i].bytes.resize(tensors[i].bytes.size() / 2);
            tensors[i].shape = {tensors[i].bytes.size() / element_size(tensors[i].dtype)};
          }) == ErrorCode::wrong_shape);
    CHECK(code_after([&](auto& tensors) { tensors[i].shape.push_back(1); }) == ErrorCode::wrong_shape);
  }
  // Names swapped between tensors of different sizes; a swap of equals cannot be told from another model.
  CHECK(code_after([](auto& tensors) { std::swap(tensors[0].name, tensors[2].name); }) == ErrorCode::wrong_shape);
  CHECK(code_after([&](auto& tensors) { std::swap(tensors[count - 2].name, tensors[count - 1].name); }) ==
        ErrorCode::wrong_shape);
  CHECK(code_after([](auto& tensors) {
          tensors.insert(tensors.begin(), {"unknown", "U8", {64}, std::string(64, '\1')});
        }) == std::nullopt);

  model.write(stored_tensors(model.source), metadata, 32);
  CHECK(code_of([&] { model.load(); }) == ErrorCode::invalid_packed_model); // not aligned

  model.write(stored_tensors(model.source), metadata);
  // Some of these change no packed size.
  for (const auto spoil :
       {+[](DistilBertConfig& c) { c.vocab_size = 54; }, +[](DistilBertConfig& c) { c.dim = 48; },
        +[](DistilBertConfig& c) { c.n_heads = 12; }, +[](DistilBertConfig& c) { c.hidden_dim = 65; },
        +[](DistilBertConfig& c) { c.id2label.resize(2); }, +[](DistilBertConfig& c) { c.n_layers = 3; },
        +[](DistilBertConfig& c) { c.max_position_embeddings = ConfigLimits::rows; }}) {
    DistilBertConfig config = model.config;
    spoil(config);
    CHECK(code_of([&] { PackedModel::from_pretrained(model.directory.path(), config); }) == ErrorCode::wrong_shape);
  }
}

TEST_CASE("the vocabulary is handed on as it lies in the file, and a file without one is as good") {
  Converted model(odd_shape(), Precision::int8);
  const Metadata metadata = metadata_for(Precision::int8);
  CHECK_FALSE(model.load().vocabulary());
  CHECK_FALSE(model.source.vocabulary());
  auto tensors = stored_tensors(model.source);
  tensors.insert(tensors.begin(), {"vocabulary", "U8", {128}, std::string(64, '\1') + std::string(64, '\2')});
  model.write(tensors, metadata);
  std::optional<SharedBytes> kept = model.load().vocabulary(); // lives on without the model
  REQUIRE(kept);
  CHECK(kept->bytes == tensors[0].bytes);
  CHECK(is_mapped(kept->bytes.data(), model.path()));

  tensors[0].dtype = "I8";
  model.write(tensors, metadata);
  CHECK(code_of([&] { model.load(); }) == ErrorCode::wrong_shape);
  tensors[0] = {"a", "U8", {32}, std::string(32, '\1')};
  tensors.insert(tensors.begin() + 1, {"vocabulary", "U8", {32}, std::string(32, '\2')});
  model.write(tensors, metadata);
  CHECK(code_of([&] { model.load(); }) == ErrorCode::invalid_packed_model); // not aligned
}

TEST_CASE("a converted file cut short anywhere is refused") {
  const Converted model(odd_shape(), Precision::int8);
  std::ifstream stream(model.path(), std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(stream), {}};
  std::size_t accepted = 0, cuts = 0;
  for (std::size_t size = 0; size < file.size(); size += size < 200 ? 1 : 997, ++cuts) {
    // A buffer of exactly this size, so that a sanitizer sees any access behind it.
    const std::vector<unsigned char> cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    accepted += !code_of([&] { PackedModel::from_file(SafeTensors::parse(cut.data(), cut.size()), model.config); });
  }
  CHECK(cuts > 200);
  CHECK(accepted == 0);
}

TEST_CASE("the probe comes back as it was stored") {
  Converted model(odd_shape(), Precision::int8);
  Metadata metadata = metadata_for(Precision::int8);
  metadata["probe"] = R"({"ids":[2,52,3],"logits":[-1.5,0.1,3.4e38]})";
  model.write(stored_tensors(model.source), metadata);
  const auto probe = model.load().probe();
  REQUIRE(probe);
  CHECK(probe->ids == std::vector<std::int32_t>{2, 52, 3});
  CHECK(probe->logits == std::vector<float>{-1.5f, 0.1f, 3.4e38f});
  CHECK(probe->cls.empty());
}

TEST_CASE("an answer is the probe's if it is close to it, whole and finite") {
  const auto mismatch = [](const std::vector<float>& found, Precision precision) {
    try {
      distilbert::detail::check_probe({1, -4}, found, precision);
      return false;
    } catch (const distilbert::Error& e) {
      return e.code() == distilbert::ErrorCode::probe_mismatch;
    }
  };
  CHECK_FALSE(mismatch({1, -4}, Precision::fp32));
  CHECK_FALSE(mismatch({1.07f, -4}, Precision::int8));
  CHECK(mismatch({1.07f, -4}, Precision::fp32));
  CHECK(mismatch({1.09f, -4}, Precision::int8));
  CHECK(mismatch({1}, Precision::int8));
  CHECK(mismatch({NAN, -4}, Precision::int8));
  CHECK(mismatch({1, NAN}, Precision::int8));
  CHECK(mismatch({1, -INFINITY}, Precision::int8));
}

TEST_CASE("a probe that does not fit the model is refused") {
  Converted model(odd_shape(), Precision::int8);
  for (const char* probe : {
           "x",
           "[]",
           "{}",
           R"({"ids":[2,3]})",
           R"({"logits":[1,2,3]})",
           R"({"ids":[],"logits":[1,2,3]})",
           R"({"ids":[53],"logits":[1,2,3]})",
           R"({"ids":[-1],"logits":[1,2,3]})",
           R"({"ids":[1.5],"logits":[1,2,3]})",
           R"({"ids":[99999999999999999999],"logits":[1,2,3]})",
           R"({"ids":["2"],"logits":[1,2,3]})",
           R"({"ids":2,"logits":[1,2,3]})",
           R"({"ids":[2],"logits":[1,2]})",
           R"({"ids":[2],"logits":[1,2,3,4]})",
           R"({"ids":[2],"logits":[1,2,1e39]})",
           R"({"ids":[2],"logits":[1,2,null]})",
           R"({"ids":[2],"logits":[1,2,NaN]})",
           R"({"ids":[2],"logits":[1,2,3],"cls":[1,2,3,4,5,6,7,8]})",
           R"({"ids":[2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2],"logits":[1,2,3]})",
       }) {
    CAPTURE(probe);
    Metadata metadata = metadata_for(Precision::int8);
    metadata["probe"] = probe;
    model.write(stored_tensors(model.source), metadata);
    CHECK(code_of([&] { model.load(); }) == ErrorCode::invalid_packed_model);
  }
}

TEST_CASE("a model without classifier has a probe of hidden values") {
  Shape shape = odd_shape();
  shape.labels = 0;
  Converted model(shape, Precision::bf16);
  Metadata metadata = metadata_for(Precision::bf16, shape);
  metadata["probe"] = R"({"ids":[2,3],"cls":[1,2,3,4,5,6,7,-8]})";
  model.write(stored_tensors(model.source), metadata);
  CHECK(model.load().probe()->cls == std::vector<float>{1, 2, 3, 4, 5, 6, 7, -8});
  metadata["probe"] = R"({"ids":[2,3],"logits":[1,2]})";
  model.write(stored_tensors(model.source), metadata);
  CHECK(code_of([&] { model.load(); }) == ErrorCode::invalid_packed_model);
}

TEST_CASE("input scales: packed beside the weights they are for, read where the layout has them, and checked") {
  Converted model(odd_shape(), Precision::int8);
  const test::ScaledRounding rounding(odd_shape());
  const auto scaled = PackedModel::pack(model.checkpoint(), model.config, Precision::int8, {}, 32, &rounding);
  CHECK(scaled.has_input_scales());
  CHECK_FALSE(model.source.has_input_scales());
  CHECK_FALSE(
      PackedModel::pack(model.checkpoint(), model.config, Precision::bf16, {}, 32, &rounding).has_input_scales());

  const char* out_lin = "transformer.layer.1.attention.out_lin";
  const Blocks dim{1, 36}, heads{3, 12};
  const PackedLinear linear = scaled.linear(out_lin, dim, heads);
  REQUIRE(linear.input_scale != nullptr);
  for (std::size_t k = 0; k < 48; ++k)
    CHECK(linear.input_scale[k] == (k % 16 < 12 ? rounding.input_scale(out_lin)->at(k / 16 * 12 + k % 16) : 0.0f));
  std::vector<float> weight = model.checkpoint().read(std::string(out_lin) + ".weight");
  for (std::size_t i = 0; i < weight.size(); ++i)
    weight[i] /= rounding.input_scale(out_lin)->at(i % 36);
  const auto bias = model.checkpoint().read(std::string(out_lin) + ".bias");
  CHECK(bytes_of(layer_of(scaled, out_lin).tensors[0]) == packed(weight, bias, dim, heads, Precision::int8));
  CHECK(bytes_of(layer_of(scaled, "pre_classifier").tensors[0]) ==
        bytes_of(layer_of(model.source, "pre_classifier").tensors[0]));

  Metadata metadata = metadata_for(Precision::int8);
  metadata["layout_version"] = "3";
  model.write(stored_tensors(scaled), metadata);
  LoadOptions options;
  options.check_finite = true;
  const PackedModel loaded = model.load(options);
  REQUIRE(loaded.linear(out_lin, dim, heads).input_scale != nullptr);
  CHECK(is_mapped(loaded.linear(out_lin, dim, heads).input_scale, model.path()));
  CHECK(bytes_of(layer_of(loaded, out_lin).tensors[1]) == bytes_of(layer_of(scaled, out_lin).tensors[1]));
  CHECK(loaded.linear("pre_classifier", dim, dim).input_scale == nullptr);

  const auto with = [&](const auto& change) {
    auto tensors = stored_tensors(scaled);
    for (auto& tensor : tensors)
      if (tensor.name == std::string(out_lin) + ".input_scale")
        change(tensor);
    model.write(tensors, metadata);
    return support::error_of([&] { model.load(options); });
  };
  for (const std::uint32_t bits : {0x7f800000u, 0xff800000u, 0x7fc00000u}) {
    const auto error = with([&](auto& tensor) { std::memcpy(tensor.bytes.data() + 4, &bits, sizeof bits); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::non_finite_weight);
  }
  const auto shorter = with([](auto& tensor) {
    tensor.shape = {36};
    tensor.bytes.resize(36 * 4);
  });
  REQUIRE(shorter);
  CHECK(shorter->code() == ErrorCode::wrong_shape);
  const auto in_bf16 = with([](auto& tensor) {
    tensor.dtype = "BF16";
    tensor.bytes.resize(48 * 2);
  });
  REQUIRE(in_bf16);
  CHECK(in_bf16->code() == ErrorCode::wrong_shape);
  model.write(stored_tensors(scaled), metadata, 4);
  CHECK(code_of([&] { model.load(); }) == ErrorCode::invalid_packed_model);

  model.write(stored_tensors(scaled), metadata_for(Precision::int8)); // layout 2 has none, whatever lies in the file
  CHECK_FALSE(model.load(options).has_input_scales());
  Metadata fp32 = metadata_for(Precision::fp32);
  fp32["layout_version"] = "3";
  model.write(stored_tensors(model.packed(Precision::fp32)), fp32);
  CHECK_FALSE(model.load(options).has_input_scales());
}

TEST_CASE("a rounding whose scales do not fit the layer is refused") {
  struct Wrong : test::ScaledRounding {
    Wrong(const Shape& shape, std::function<void(std::vector<float>&, std::vector<float>&)> spoil)
        : test::ScaledRounding(shape), change(std::move(spoil)) {}
    std::vector<float> round(const PackedLayer& layer, std::vector<float>& weight) const override {
      std::vector<float> scales = test::ScaledRounding::round(layer, weight);
      change(weight, scales);
      return scales;
    }
    std::function<void(std::vector<float>&, std::vector<float>&)> change;
  };
  const Loaded model(odd_shape());
  const auto code_with = [&](auto change) {
    const Wrong rounding(odd_shape(), change);
    return code_of([&] { PackedModel::pack(model.checkpoint(), model.config, Precision::int8, {}, 32, &rounding); });
  };
  using Floats = std::vector<float>;
  CHECK(code_with([](Floats&, Floats&) {}) == std::nullopt);
  CHECK(code_with([](Floats&, Floats& scales) { scales.clear(); }) == ErrorCode::invalid_argument);
  CHECK(code_with([](Floats&, Floats& scales) { scales.push_back(1); }) == ErrorCode::invalid_argument);
  CHECK(code_with([](Floats& weight, Floats&) { weight.pop_back(); }) == ErrorCode::invalid_argument);
  CHECK(code_with([](Floats&, Floats& scales) {
          if (!scales.empty())
            scales[0] = NAN;
        }) == ErrorCode::invalid_argument);
  CHECK(code_with([](Floats& weight, Floats&) { weight[1] = INFINITY; }) == ErrorCode::non_finite_weight);
}

TEST_CASE("check_finite finds a NaN or an infinity in every kind of tensor") {
  LoadOptions options;
  options.check_finite = true;
  struct Place {
    const char* tensor;
    std::size_t offset; // of a float's or bfloat16's upper bytes
  };
  const std::map<Precision, std::vector<Place>> places = {{Precision::fp32,
                                                           {{"embeddings.word_embeddings.weight", 2},
                                                            {"pre_classifier.packed", 2},
                                                            {"pre_classifier.packed", 66},
                                                            {"embeddings.LayerNorm.bias", 2}}},
                                                          {Precision::bf16,
                                                           {{"embeddings.word_embeddings.weight", 0},
                                                            {"pre_classifier.packed", 2},
                                                            {"pre_classifier.packed", 64},
                                                            {"embeddings.LayerNorm.weight", 2}}},
                                                          {Precision::int8,
                                                           {{"embeddings.word_embeddings.scale", 2},
                                                            {"pre_classifier.packed", 2},
                                                            {"pre_classifier.packed", 66},
                                                            {"classifier.packed", 66}}}};
  for (const Precision precision : precisions) {
    Converted model(odd_shape(), precision);
    CHECK_NOTHROW(model.load(options));
    for (const Place& place : places.at(precision)) {
      for (const std::uint16_t upper : {std::uint16_t{0x7f80}, std::uint16_t{0xff80}, std::uint16_t{0x7fc0}}) {
        CAPTURE(place.tensor);
        auto tensors = stored_tensors(model.source);
        for (auto& tensor : tensors)
          if (tensor.name == place.tensor)
            std::memcpy(tensor.bytes.data() + place.offset, &upper, 2);
        model.write(tensors, metadata_for(precision));
        CHECK_NOTHROW(model.load());
        CHECK(code_of([&] { model.load(options); }) == ErrorCode::non_finite_weight);
      }
    }
  }
}

TEST_CASE("check_finite finds int8 weights that their sums do not belong to, and -128") {
  LoadOptions options;
  options.check_finite = true;
  Converted model(odd_shape(), Precision::int8);
  const auto with = [&](const auto& change) {
    auto tensors = stored_tensors(model.source);
    for (auto& tensor : tensors)
      if (tensor.name == "pre_classifier.packed")
        change(tensor.bytes.data());
    model.write(tensors, metadata_for(Precision::int8));
    return code_of([&] { model.load(options); });
  };
  const auto change_sum = [](auto* panel, int by) {
    std::int32_t sum;
    std::memcpy(&sum, panel + 128 + 4 * 3, sizeof sum); // of the fourth channel
    sum += by;
    std::memcpy(panel + 128 + 4 * 3, &sum, sizeof sum);
  };
  CHECK(with([&](auto* panel) { change_sum(panel, 1); }) == ErrorCode::invalid_packed_model);
  CHECK(with([&](auto* panel) { ++panel[192 + 4 * 3]; }) == ErrorCode::invalid_packed_model);
  CHECK(with([&](auto* panel) { // a sum that is right
          change_sum(panel, -128 - static_cast<std::int8_t>(panel[192 + 4 * 3 + 1]));
          std::memset(panel + 192 + 4 * 3 + 1, 0x80, 1);
        }) == ErrorCode::invalid_packed_model);
}
