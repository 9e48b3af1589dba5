// Rounding by calibration: its weights against least squares written out, and what it leaves alone.

#include "../../weights_converter/calibrated_rounding.hpp"
#include "../nn/converted.hpp"
#include "../nn/linear_inputs.hpp"

#include <distilbert/weights/packed_model.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace distilbert;
using convert::CalibratedRounding;
using test::RandomModel;
using test::Shape;

namespace {

const Shape shape{.vocab = 83, .positions = 37, .dim = 36, .hidden_dim = 50, .n_layers = 3, .n_heads = 3};
const std::vector<std::int32_t> empty_text{2, 3};
const std::string lin1 = "transformer.layer.1.ffn.lin1", out_lin = "transformer.layer.1.attention.out_lin";

struct QuietEnvironment : convert::Environment {
  void progress(std::string_view phase, std::size_t done_now, std::size_t total_now) override {
    CHECK(phase == "calibrated");
    CHECK(done_now > done);
    done = done_now;
    total = total_now;
  }
  void hash(std::string_view) override {}
  std::string sha256() override { return ""; }

  std::size_t done = 0, total = 1;
};

struct Source {
  explicit Source(const Shape& of) : Source(of, test::random_tensors(of)) {}
  Source(const Shape& of, std::vector<test::Tensor> tensors)
      : files(of, std::move(tensors)), config(DistilBertConfig::from_pretrained(files.path())),
        checkpoint(Checkpoint::from_pretrained(files.path(), config)) {}

  CalibratedRounding rounding(int sum_bits = 32) const {
    QuietEnvironment environment;
    CalibratedRounding found(checkpoint, config, sum_bits, empty_text, environment);
    CHECK(environment.done == environment.total);
    return found;
  }
  PackedModel pack(const LinearRounding* how, int sum_bits = 32) const {
    return PackedModel::pack(checkpoint, config, Precision::int8, {}, sum_bits, how);
  }

  RandomModel files;
  DistilBertConfig config;
  Checkpoint checkpoint;
};

std::map<std::string, std::vector<float>> inputs(const Source& source) {
  return test::linear_inputs(source.checkpoint, source.config, calibration_texts(source.config, empty_text));
}

/// The weights of a layer that a packed model multiplies by, [out][in], in steps.
std::vector<int> steps(const PackedModel& model, const std::string& name, Blocks out, Blocks in) {
  const PackedLinear linear = model.linear(name, out, in);
  std::vector<int> found;
  for (std::size_t row = 0; row < out.logical(); ++row)
    for (std::size_t column = 0; column < in.logical(); ++column) {
      const std::size_t k = column / in.size * padded(in.size) + column % in.size;
      found.push_back(static_cast<std::int8_t>(linear.panel(row / 16)[192 + (k / 4 * 16 + row % 16) * 4 + k % 4]));
    }
  return found;
}

/// a x = b, a symmetric and positive, by elimination.
std::vector<double> solve(std::vector<std::vector<double>> a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j) {
      const double factor = a[j][i] / a[i][i];
      for (std::size_t k = i; k < n; ++k)
        a[j][k] -= factor * a[i][k];
      b[j] -= factor * b[i];
    }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k)
      b[i] -= a[i][k] * b[k];
    b[i] /= a[i][i];
  }
  return b;
}

} // namespace

TEST_CASE("each weight is rounded from where least squares puts it, given those before it") {
  const Source source(shape);
  const CalibratedRounding rounding = source.rounding();
  const PackedModel packed = source.pack(&rounding), nearest = source.pack(nullptr);
  const Batch texts = calibration_texts(source.config, empty_text);
  const auto entering = inputs(source);
  struct {
    std::string name;
    Blocks out, in;
  } const layers[] = {{lin1, {1, 50}, {1, 36}}, {out_lin, {1, 36}, {3, 12}}};
  for (const auto& layer : layers) {
    const std::string& name = layer.name;
    const Blocks out = layer.out, in = layer.in;
    CAPTURE(name);
    const std::size_t columns = in.logical();
    const std::vector<float>* input_scales = rounding.input_scale(name);
    const float* input_scale = input_scales ? input_scales->data() : nullptr;
    CHECK((input_scale != nullptr) == (name == lin1));
    const std::vector<float>& x = entering.at(name); // [tokens, in]
    const std::size_t tokens = texts.tokens();
    std::vector<std::vector<double>> scaled(columns, std::vector<double>(tokens)); // [in][tokens]
    for (std::size_t text = 0; text < texts.texts(); ++text)
      for (std::size_t token = texts.offsets[text]; token < texts.offsets[text + 1]; ++token)
        for (std::size_t k = 0; k < columns; ++k)
          scaled[k][token] = double{x[token * columns + k]} * (input_scale ? double{input_scale[k]} : 1.0) /
                             std::sqrt(static_cast<double>(texts.length(text)));
    const auto dot = [&](const std::vector<double>& a, const std::vector<double>& b) {
      double sum = 0;
      for (std::size_t i = 0; i < a.size(); ++i)
        sum += a[i] * b[i];
      return sum;
    };
    double damping = 0;
    std::vector<std::size_t> order(columns);
    for (std::size_t k = 0; k < columns; ++k) {
      order[k] = k;
      damping += 0.01 * dot(scaled[k], scaled[k]) / static_cast<double>(columns);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return dot(scaled[a], scaled[a]) > dot(scaled[b], scaled[b]);
    });

    std::vector<float> weight = source.checkpoint.read(name + ".weight");
    for (std::size_t i = 0; i < weight.size() && input_scale; ++i)
      weight[i] /= input_scale[i % columns];
    const std::vector<int> found = steps(packed, name, out, in), plain = steps(nearest, name, out, in);
    std::size_t same = 0;
    double error = 0, plain_error = 0;
    for (std::size_t row = 0; row < out.logical(); ++row) {
      const float* w = &weight[row * columns];
      const double step = double{int8_scale(weight.data(), row, columns)};
      std::vector<double> r(tokens);
      for (std::size_t first = 0; first < columns; ++first) {
        const std::size_t left = columns - first;
        std::vector<std::vector<double>> gram(left, std::vector<double>(left));
        std::vector<double> pull(left);
        for (std::size_t i = 0; i < left; ++i) {
          for (std::size_t j = 0; j < left; ++j)
            gram[i][j] = dot(scaled[order[first + i]], scaled[order[first + j]]) + (i == j ? damping : 0);
          pull[i] = -dot(scaled[order[first + i]], r);
        }
        const std::size_t k = order[first];
        const double q = std::clamp(std::nearbyint((double{w[k]} + solve(gram, pull)[0]) / step), -127.0, 127.0);
        same += static_cast<int>(q) == found[row * columns + k];
        for (std::size_t t = 0; t < tokens; ++t)
          r[t] += scaled[k][t] * (q * step - double{w[k]});
      }
      // What the row as it was packed, and one of nearest steps, do to the outputs.
      const std::vector<float> original = source.checkpoint.read(name + ".weight");
      const double plain_step = double{int8_scale(original.data(), row, columns)};
      for (std::size_t t = 0; t < tokens; ++t) {
        double off = 0, plain_off = 0;
        for (std::size_t k = 0; k < columns; ++k) {
          off += scaled[k][t] * (found[row * columns + k] * step - double{w[k]});
          plain_off += scaled[k][t] / (input_scale ? double{input_scale[k]} : 1.0) *
                       (plain[row * columns + k] * plain_step - double{original[row * columns + k]});
        }
        error += off * off;
        plain_error += plain_off * plain_off;
      }
    }
    CAPTURE(same);
    CAPTURE(error / plain_error);
    CHECK(same >= weight.size() * 99 / 100); // one that lies between two steps changes those after it
    CHECK(error < 0.8 * plain_error);
  }
}

TEST_CASE("sums of 16 bits stay within 16 bits") {
  const Source source(shape);
  const CalibratedRounding rounding = source.rounding(16);
  const PackedModel packed = source.pack(&rounding, 16);
  CHECK(packed.has_input_scales());
  CHECK_NOTHROW(packed.check_finite());
  CHECK(steps(packed, lin1, {1, 50}, {1, 36}) != steps(source.pack(nullptr, 16), lin1, {1, 50}, {1, 36}));
}

TEST_CASE("weights on steps of int8 stay there") {
  const Source source(shape);
  CHECK(source.rounding().any());
  CHECK_FALSE(Source(shape, test::unpacked_tensors(source.pack(nullptr), source.config)).rounding().any());

  Shape in_f16 = shape;
  in_f16.dtype = "F16";
  CHECK_FALSE(Source(in_f16, test::unpacked_tensors(source.pack(nullptr), source.config)).rounding().any());

  auto tensors = test::random_tensors(shape); // two weights of 63 add up to 126, four of 31 to 124
  for (auto& tensor : tensors)
    if (tensor.size.size() == 2 && tensor.name.find("transformer.") == 0)
      for (std::size_t i = 0; i < tensor.values.size(); ++i) {
        const std::size_t k = i % tensor.size[1];
        const int step = k < 2 ? 63 : k == 4 || k == 5 ? 0 : static_cast<int>(i * 7 % 63) - 31;
        tensor.values[i] = 0.002f * static_cast<float>(step);
      }
  const Source settled(shape, tensors);
  CHECK_FALSE(settled.rounding(16).any());
  CHECK(settled.rounding(32).any());
}

TEST_CASE("numbers that overflow on the way are rounded to the nearest step") {
  auto tensors = test::random_tensors(shape);
  for (auto& tensor : tensors)
    if (tensor.name == "transformer.layer.1.ffn.lin2.weight")
      for (float& w : tensor.values)
        w *= 1e38f;
  const Source source(shape, tensors);
  const CalibratedRounding rounding = source.rounding();
  const PackedModel packed = source.pack(&rounding);
  CHECK_NOTHROW(packed.check_finite());
  CHECK(packed.linear("transformer.layer.0.ffn.lin1", {1, 50}, {1, 36}).input_scale != nullptr);
  CHECK(packed.linear("transformer.layer.2.ffn.lin1", {1, 50}, {1, 36}).input_scale == nullptr);
}

TEST_CASE("errors that overflow while a layer is rounded pull nothing") {
  auto tensors = test::random_tensors(shape);
  for (auto& tensor : tensors) { // finite activations of 1e4 and of 0, weights of up to 1e38
    if (tensor.name == "transformer.layer.1.ffn.lin1.bias")
      for (std::size_t i = 0; i < tensor.values.size(); ++i)
        tensor.values[i] = i % 2 == 0 ? 1e4f : -1e4f;
    if (tensor.name == "transformer.layer.1.ffn.lin2.weight")
      for (std::size_t i = 0; i < tensor.values.size(); ++i)
        tensor.values[i] *= i % 3 == 0 ? 1e38f : 1e30f;
  }
  const Source source(shape, tensors);
  const CalibratedRounding rounding = source.rounding();
  const auto entering = inputs(source);
  for (const float x : entering.at("transformer.layer.1.ffn.lin2"))
    REQUIRE(std::isfinite(x));
  CHECK_NOTHROW(source.pack(&rounding).check_finite());
}

TEST_CASE("what the environment throws ends it") {
  struct Impatient : QuietEnvironment {
    void progress(std::string_view, std::size_t, std::size_t) override { throw std::runtime_error("enough"); }
  } environment;
  const Source source(shape);
  CHECK_THROWS_AS(CalibratedRounding(source.checkpoint, source.config, 32, empty_text, environment),
                  std::runtime_error);
}
