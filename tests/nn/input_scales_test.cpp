// calibration.hpp and input_scales.hpp: a forward pass that is the oracle's, scales written out, and what a model that
// is loaded in int8 gains by them.

#include <distilbert/nn/input_scales.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "converted.hpp"
#include "layer_setup.hpp"
#include "linear_inputs.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const Shape shape{.vocab = 83, .positions = 37, .dim = 36, .hidden_dim = 50, .n_layers = 3, .n_heads = 3};
const std::vector<std::int32_t> empty_text{2, 3};

struct Source {
  explicit Source(const Shape& of) : Source(of, random_tensors(of)) {}
  Source(const Shape& of, std::vector<Tensor> tensors)
      : files(of, std::move(tensors)), config(DistilBertConfig::from_pretrained(files.path())),
        checkpoint(Checkpoint::from_pretrained(files.path(), config)) {}

  PackedModel pack(const LinearRounding* rounding, int sum_bits = 32) const {
    return PackedModel::pack(checkpoint, config, Precision::int8, {}, sum_bits, rounding);
  }
  PackedModel smoothed(int sum_bits = 32) const {
    const SmoothedRounding rounding(checkpoint, config, sum_bits);
    return pack(&rounding, sum_bits);
  }

  RandomModel files;
  DistilBertConfig config;
  Checkpoint checkpoint;
};

Matrix hidden_states(const DistilBertModel& model, const DistilBertConfig& config, const Batch& batch) {
  Workspace workspace(config);
  const Rows rows = model.forward(batch, workspace);
  Matrix hidden(batch.tokens(), config.dim);
  for (std::size_t r = 0; r < hidden.rows; ++r)
    for (std::size_t c = 0; c < hidden.columns; ++c)
      hidden(r, c) = double{rows(static_cast<Eigen::Index>(r), static_cast<Eigen::Index>(c))};
  return hidden;
}

double distance(const Matrix& a, const Matrix& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    squares += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
  return std::sqrt(squares);
}

} // namespace

TEST_CASE("the texts begin and end as an empty one, and are as long as the model takes") {
  DistilBertConfig config = Source(shape).config;
  for (const auto& special : {empty_text, {}}) {
    const Batch texts = calibration_texts(config, special);
    REQUIRE(texts.texts() == std::size(calibration_lengths));
    for (std::size_t i = 0; i < texts.texts(); ++i)
      CHECK(texts.length(i) == calibration_lengths[i] + 2);
    for (const std::int32_t id : texts.ids)
      CHECK((id >= 0 && id < 83));
    CHECK(texts.ids == calibration_texts(config, special).ids);
  }
  const Batch texts = calibration_texts(config, empty_text);
  for (std::size_t i = 0; i < texts.texts(); ++i) {
    CHECK(texts.ids[texts.offsets[i]] == 2);
    CHECK(texts.ids[texts.offsets[i + 1] - 1] == 3);
  }
  config.max_position_embeddings = 4;
  for (const auto& special : {empty_text, {}}) {
    CHECK(calibration_texts(config, special).texts() > 0);
    CHECK(calibration_texts(config, special).longest() == 4);
  }
  config.max_position_embeddings = 1;
  for (const auto& special : {empty_text, {}})
    CHECK(calibration_texts(config, special).texts() == 0);
}

TEST_CASE("what enters each linear layer is what the oracle says, on every level") {
  for (const std::string activation : {"gelu", "relu"}) {
    CAPTURE(activation);
    Shape three = shape, two = shape;
    three.activation = two.activation = activation;
    two.n_layers = 2; // the same weights as the first two of the three
    const RandomModel model(two);
    const NaiveDistilBert oracle(model, Precision::fp32);
    const Source source(three);
    const Batch texts = calibration_texts(source.config, empty_text);
    std::map<std::string, std::vector<float>> first;
    std::string_view first_isa;
    for (const std::string_view isa : available_isas()) {
      CAPTURE(isa);
      set_isa(isa);
      const auto found = linear_inputs(source.checkpoint, source.config, texts);
      CHECK(found.size() == 12);
      const std::vector<float>& x = found.at("transformer.layer.2.attention.qkv_lin");
      REQUIRE(x.size() == texts.tokens() * shape.dim);
      std::size_t i = 0;
      for (std::size_t text = 0; text < texts.texts(); ++text) {
        const Matrix expected =
            oracle.hidden({texts.ids.begin() + static_cast<std::ptrdiff_t>(texts.offsets[text]),
                           texts.ids.begin() + static_cast<std::ptrdiff_t>(texts.offsets[text + 1])});
        for (const double value : expected.values)
          REQUIRE(std::abs(double{x[i++]} - value) < 1e-4);
      }
      if (first.empty() || first_isa == "portable") {
        first = found;
        first_isa = isa;
      }
      if (isa != "portable")
        CHECK(found == first);
    }
    set_isa(available_isas().front());
    // What enters the other layers, by the weights on the way from one to the next.
    const std::string layer = "transformer.layer.0.";
    const auto values = [&](const std::string& name) { return source.checkpoint.read(layer + name); };
    const auto linear = [&](const std::string& name, const std::vector<float>& x, std::size_t out, std::size_t token) {
      const auto weight = values(name + ".weight"), bias = values(name + ".bias");
      const std::size_t in = weight.size() / out;
      std::vector<double> y(bias.begin(), bias.end());
      for (std::size_t c = 0; c < out; ++c)
        for (std::size_t k = 0; k < in; ++k)
          y[c] += double{weight[c * in + k]} * double{x[token * in + k]};
      return y;
    };
    const auto& hidden = first.at(layer + "attention.qkv_lin");
    const auto& lin1 = first.at(layer + "ffn.lin1");
    const auto& lin2 = first.at(layer + "ffn.lin2");
    const auto norm_weight = values("sa_layer_norm.weight"), norm_bias = values("sa_layer_norm.bias");
    for (std::size_t token = 0; token < texts.tokens(); ++token) {
      auto attended = linear("attention.out_lin", first.at(layer + "attention.out_lin"), shape.dim, token);
      double mean = 0, variance = 0;
      for (std::size_t c = 0; c < shape.dim; ++c)
        mean += (attended[c] += double{hidden[token * shape.dim + c]}) / static_cast<double>(shape.dim);
      for (const double x : attended)
        variance += (x - mean) * (x - mean) / static_cast<double>(shape.dim);
      for (std::size_t c = 0; c < shape.dim; ++c) {
        const double y =
            (attended[c] - mean) / std::sqrt(variance + 1e-12) * double{norm_weight[c]} + double{norm_bias[c]};
        REQUIRE(std::abs(double{lin1[token * shape.dim + c]} - y) < 1e-5);
      }
      const auto intermediate = linear("ffn.lin1", lin1, shape.hidden_dim, token);
      for (std::size_t c = 0; c < shape.hidden_dim; ++c) {
        const double y = activation == "relu" ? std::max(intermediate[c], 0.0) : gelu(intermediate[c]);
        REQUIRE(std::abs(double{lin2[token * shape.hidden_dim + c]} - y) < 1e-5);
      }
    }
    // The same numbers as in a model of the same weights, looked into.
    Workspace workspace(source.config);
    DistilBertModel::from_pretrained(source.files.path())
        .inspect(texts, workspace, [&](std::size_t i, const Rows& rows) {
          if (i == shape.n_layers)
            return;
          const auto& x = first.at("transformer.layer." + std::to_string(i) + ".attention.qkv_lin");
          for (std::size_t token = 0; token < texts.tokens(); ++token)
            CHECK(std::equal(rows.data() + token * padded(shape.dim),
                             rows.data() + token * padded(shape.dim) + shape.dim, x.data() + token * shape.dim));
        });
  }
}

TEST_CASE(
    "behind a LayerNorm a scale makes a channel's largest activation as large as its largest weight; before lin2 it "
    "makes weights larger, as far as their rows allow") {
  const Source source(shape);
  const auto entering = linear_inputs(source.checkpoint, source.config, calibration_texts(source.config));
  const SmoothedRounding rounding(source.checkpoint, source.config, 32);
  const PackedModel packed = source.pack(&rounding);
  for (const PackedLayer& layer : packed.layers()) {
    if (layer.kind != PackedLayer::Kind::linear)
      continue;
    CAPTURE(layer.name);
    const std::vector<float>* scale = rounding.input_scale(layer.name);
    const bool fills = layer.name.ends_with("lin2");
    const bool scaled = fills || layer.name.ends_with("qkv_lin") || layer.name.ends_with("lin1");
    REQUIRE((scale != nullptr) == scaled);
    CHECK((packed.linear(layer.name, layer.out, layer.in).input_scale != nullptr) == scaled);
    if (!scaled)
      continue;
    auto weight = detail::read_parameter(source.checkpoint, layer, ".weight");
    const std::vector<float>& x = entering.at(layer.name);
    const std::size_t in = layer.in.logical();
    for (std::size_t k = 0; k < in && fills; ++k) {
      double part = 0;
      for (std::size_t row = 0; row < layer.out.logical(); ++row) {
        const auto first = weight.begin() + static_cast<std::ptrdiff_t>(row * in);
        const auto [least, most] = std::minmax_element(first, first + static_cast<std::ptrdiff_t>(in));
        part = std::max(part, double{std::fabs(first[static_cast<std::ptrdiff_t>(k)])} /
                                  double{std::max(std::fabs(*least), std::fabs(*most))});
      }
      CHECK(scale->at(k) == doctest::Approx(std::pow(part, 0.75)));
    }
    for (std::size_t k = 0; k < in && !fills; ++k) {
      float largest_x = 0, largest_w = 0;
      for (std::size_t i = k; i < x.size(); i += in)
        largest_x = std::max(largest_x, std::fabs(x[i]));
      for (std::size_t i = k; i < weight.size(); i += in)
        largest_w = std::max(largest_w, std::fabs(weight[i]));
      CHECK(scale->at(k) * largest_x == doctest::Approx(largest_w / scale->at(k)));
    }
    for (std::size_t i = 0; i < weight.size(); ++i)
      weight[i] /= scale->at(i % in);
    const auto bias = detail::read_parameter(source.checkpoint, layer, ".bias");
    std::vector<unsigned char> expected(layer.tensors[0].bytes + packed_alignment);
    auto* at =
        expected.data() + (packed_alignment - reinterpret_cast<std::uintptr_t>(expected.data()) % packed_alignment);
    pack_linear(weight.data(), bias.data(), layer.out, layer.in, Precision::int8, at);
    CHECK(std::equal(at, at + layer.tensors[0].bytes, layer.tensors[0].data));
  }
}

TEST_CASE("a model that is loaded in int8 is nearer to fp32 where one channel is large") {
  auto tensors = random_tensors(shape);
  for (auto& tensor : tensors) // through the residual, it is large in every layer
    if (tensor.name == "embeddings.position_embeddings.weight")
      for (std::size_t i = 7; i < tensor.values.size(); i += shape.dim)
        tensor.values[i] = 8;
    else if (tensor.size.size() == 2 && tensor.name.starts_with("transformer.") && tensor.size[1] == shape.dim)
      for (std::size_t i = 7; i < tensor.values.size(); i += shape.dim)
        tensor.values[i] *= 0.01f;
  const Source source(shape, tensors);
  LoadOptions options;
  const auto exact = DistilBertModel::from_pretrained(source.files.path(), options);
  options.precision = Precision::int8;
  const auto loaded = DistilBertModel::from_pretrained(source.files.path(), options);
  const auto nearest = DistilBertModel::load(source.pack(nullptr), source.config);
  const auto smoothed = DistilBertModel::load(source.smoothed(), source.config);
  Batch batch;
  for (std::size_t i = 0; i < 20; ++i) {
    const std::vector<std::int32_t> ids = random_ids(shape, i, 2 + i % 7);
    batch.add(ids.data(), ids.size());
  }
  const Matrix expected = hidden_states(exact, source.config, batch);
  const Matrix found = hidden_states(loaded, source.config, batch);
  CHECK(distance(found, hidden_states(smoothed, source.config, batch)) == 0);
  const double off = distance(found, expected),
               off_nearest = distance(hidden_states(nearest, source.config, batch), expected);
  CAPTURE(off / off_nearest);
  CHECK(off < 0.9 * off_nearest);

  options.sum_bits = 16;
  options.check_finite = true;
  CHECK_NOTHROW(DistilBertModel::from_pretrained(source.files.path(), options));
}

TEST_CASE("models of all kinds and sizes load in int8, from memory too, with scales that every level finds alike") {
  std::vector<Shape> shapes;
  for (const std::string family : {"distilbert", "bert"})
    for (const std::string head : {"sequence", "token", "qa", "mlm", "multiple_choice"}) {
      shapes.push_back(shape);
      shapes.back().family = family;
      shapes.back().prefix = family + '.';
      shapes.back().head = head;
      shapes.back().labels = head == "qa" ? 2 : head == "mlm" ? 0 : 3;
    }
  for (const std::size_t positions : {1u, 2u, 3u}) {
    shapes.push_back(shape);
    shapes.back().positions = positions;
    shapes.back().n_layers = 1;
    shapes.back().vocab = 6;
  }
  for (const Shape& of : shapes) {
    CAPTURE(of.family);
    CAPTURE(of.head);
    CAPTURE(of.positions);
    const Source source(of);
    for (const int sum_bits : {32, 16}) {
      CAPTURE(sum_bits);
      LoadOptions options;
      options.precision = Precision::int8;
      options.sum_bits = sum_bits;
      options.check_finite = true;
      const auto load = [&] {
        return PackedModel::from_pretrained(source.files.path(), source.config, options, SmoothedRounding::find);
      };
      std::vector<std::vector<unsigned char>> first;
      for (const std::string_view isa : available_isas()) {
        CAPTURE(isa);
        set_isa(isa);
        const PackedModel loaded = load();
        CHECK(loaded.has_input_scales() == (of.positions > 1));
        if (isa == "portable")
          continue;
        std::vector<std::vector<unsigned char>> found;
        for (const PackedLayer& layer : loaded.layers())
          for (const TensorView& tensor : layer.tensors)
            found.emplace_back(tensor.data, tensor.data + tensor.bytes);
        if (first.empty())
          first = found;
        CHECK(found == first);
      }
      set_isa(available_isas().front());
      CHECK_NOTHROW(DistilBertModel::load(load(), source.config));
    }
  }
}

TEST_CASE("the weights of a model that is loaded in int8 are the same on every CPU") {
  const Source source(shape);
  const PackedModel loaded = source.smoothed();
  std::string bytes;
  for (const PackedLayer& layer : loaded.layers())
    for (const TensorView& tensor : layer.tensors)
      bytes.append(reinterpret_cast<const char*>(tensor.data), tensor.bytes);
  if (active_kernels().isa != "portable")
    CHECK(fnv1a(bytes) == 1700977731345120861u);
}

TEST_CASE("layers on steps of int8, or in which numbers overflow, get no scale") {
  const Source source(shape);
  const PackedModel nearest = source.pack(nullptr);
  CHECK(source.smoothed().has_input_scales());
  CHECK_FALSE(Source(shape, unpacked_tensors(nearest, source.config)).smoothed().has_input_scales());

  auto tensors = random_tensors(shape);
  for (auto& tensor : tensors)
    if (tensor.name == "transformer.layer.1.ffn.lin2.weight")
      for (float& w : tensor.values)
        w *= 1e38f;
  const Source large(shape, tensors);
  const SmoothedRounding rounding(large.checkpoint, large.config, 32);
  CHECK(rounding.input_scale("transformer.layer.1.ffn.lin1") != nullptr);
  CHECK(rounding.input_scale("transformer.layer.2.ffn.lin1") == nullptr);
  CHECK_NOTHROW(large.pack(&rounding).check_finite());
}

TEST_CASE("a scale that would overflow is none, and the model answers") {
  auto tensors = random_tensors(shape);
  for (auto& tensor : tensors) {
    if (tensor.name == "transformer.layer.1.ffn.lin1.weight")
      for (std::size_t i = 0; i < tensor.values.size(); i += shape.dim)
        tensor.values[i] = i % (2 * shape.dim) == 0 ? 3e38f : -3e38f;
    if (tensor.name == "transformer.layer.1.sa_layer_norm.weight" ||
        tensor.name == "transformer.layer.1.sa_layer_norm.bias")
      tensor.values[0] = 0;
  }
  const Source source(shape, tensors);
  const PackedModel packed = source.smoothed();
  CHECK_NOTHROW(packed.check_finite());
  Batch batch;
  batch.add(empty_text.data(), empty_text.size());
  const auto hidden = hidden_states(DistilBertModel::load(packed, source.config), source.config, batch);
  for (const double value : hidden.values)
    CHECK(std::isfinite(value));

  const std::vector<float> zeros(36, 0.0f), weight(36, 3e38f);
  const Rows x(const_cast<float*>(zeros.data()), 1, 36);
  const auto scale = detail::balancing_scale(weight, 36, x);
  for (const float value : scale)
    CHECK(std::isfinite(value));
}

TEST_CASE("weights that are not finite are told as without scales") {
  using Names = std::vector<std::string>;
  const std::string lin1 = "transformer.layer.1.ffn.lin1.weight", lin2 = "transformer.layer.1.ffn.lin2.weight",
                    out_lin = "transformer.layer.1.attention.out_lin.weight",
                    words = "embeddings.word_embeddings.weight";
  for (const Names& names : {Names{lin1}, Names{lin2}, Names{out_lin, lin1}, Names{words, lin1}, Names{words}}) {
    CAPTURE(names.front());
    for (const std::size_t at : {std::size_t{5}, shape.dim * 30 + 3}) {
      auto tensors = random_tensors(shape);
      for (auto& tensor : tensors)
        if (std::find(names.begin(), names.end(), tensor.name) != names.end())
          tensor.values[at] = std::numeric_limits<float>::quiet_NaN();
      const Source source(shape, tensors);
      const auto error = [&](const auto& pack) -> std::string {
        try {
          pack();
        } catch (const Error& e) {
          CHECK(e.code() == ErrorCode::non_finite_weight);
          return e.what();
        }
        return "none";
      };
      const std::string expected = error([&] { source.pack(nullptr); });
      CHECK(expected != "none");
      CHECK(error([&] { source.smoothed(); }) == expected);
    }
  }
}

TEST_CASE("a level that does not exist is no fault of the file") {
  struct Unset {
    ~Unset() { set_isa(available_isas().front()); }
  } const unset;
  const Source source(shape);
  LoadOptions options;
  options.precision = Precision::int8;
  const auto asks = [](const Checkpoint&, const DistilBertConfig&, int) -> std::unique_ptr<LinearRounding> {
    set_isa("sse9");
    return nullptr;
  };
  try {
    PackedModel::from_pretrained(source.files.path(), source.config, options, asks);
    FAIL("loaded");
  } catch (const Error& e) {
    CHECK(e.code() == ErrorCode::unsupported_isa);
    CHECK(std::string_view(e.what()).find("safetensors") == std::string_view::npos);
  }
}
