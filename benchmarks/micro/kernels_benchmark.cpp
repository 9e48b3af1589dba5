// The kernels of every level of this CPU, alone and on one thread: products as a share of the peak of the instructions
// that the level may use, the others as operations or bytes a second.

#include "micro.hpp"

#include <distilbert/aligned_buffer.hpp>
#include <distilbert/weights/pack.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace bench {

namespace {

using namespace distilbert;

/// What the others are checked against.
const Kernels& portable() { return *distilbert::detail::find_level("portable").kernels; }

std::vector<float> normal(std::size_t count, float deviation) {
  std::mt19937 engine(1);
  std::normal_distribution<float> distribution(0.0f, deviation);
  std::vector<float> values(count);
  for (float& value : values)
    value = distribution(engine);
  return values;
}

/// A linear layer with random weights, and rows for it in fp32.
struct Layer {
  Layer(Precision precision, std::size_t in, std::size_t out, int sum_bits)
      : panels(packed_linear_bytes(precision, {1, out}, {1, in})), view{precision, out, in, panels.data()} {
    const std::vector<float> weight = normal(out * in, 0.05f), bias = normal(out, 1.0f);
    pack_linear(weight.data(), bias.data(), {1, out}, {1, in}, precision, panels.data(), sum_bits);
  }

  AlignedBuffer panels;
  PackedLinear view;
};

/// Rows in the form that the products of one level take.
struct Input {
  Input(const Kernels& kernels, Precision precision, const std::vector<float>& x, std::size_t rows)
      : in(x.size() / rows), quantization(rows),
        bytes(x.size() * std::max<std::size_t>(element_bytes(precision), kernels.quantized_bytes)) {
    if (precision == Precision::fp32)
      std::memcpy(bytes.data(), x.data(), x.size() * sizeof(float));
    else if (precision == Precision::bf16)
      kernels.round_to_bf16(x.data(), x.size(), reinterpret_cast<std::uint16_t*>(bytes.data()));
    else
      for (std::size_t r = 0; r < rows; ++r)
        quantization[r] = kernels.quantize(
            &x[r * in], nullptr, in, reinterpret_cast<std::byte*>(bytes.data()) + r * in * kernels.quantized_bytes);
  }

  template <class X> LinearCall<X> call(const PackedLinear& layer, std::size_t rows, float* y) const {
    return {reinterpret_cast<const X*>(bytes.data()),
            in,
            rows,
            quantization.data(),
            layer,
            0,
            layer.panel_count(),
            Epilogue::none,
            y,
            layer.out};
  }

  std::size_t in;
  std::vector<Quantization> quantization;
  AlignedBuffer bytes;
};

void multiply(const Kernels& kernels, const Input& x, const PackedLinear& layer, std::size_t rows, float* y) {
  if (layer.precision == Precision::fp32)
    kernels.linear_fp32(x.call<float>(layer, rows, y));
  else if (layer.precision == Precision::bf16)
    kernels.linear_bf16(x.call<std::uint16_t>(layer, rows, y));
  else
    kernels.linear_int8(x.call<std::byte>(layer, rows, y));
}

void linear(benchmark::State& state, const Kernels& kernels, const Layer& layer, std::size_t rows) {
  const std::size_t in = layer.view.in, out = layer.view.out;
  const std::vector<float> x = normal(rows * in, 1.0f);
  const Input input(kernels, layer.view.precision, x, rows);
  std::vector<float> y(rows * out);
  multiply(kernels, input, layer.view, rows, y.data());

  // No row depends on another, so the first and the last one stand for all.
  for (const std::size_t row : {std::size_t{0}, rows - 1}) {
    const std::vector<float> one(x.begin() + std::ptrdiff_t(row * in), x.begin() + std::ptrdiff_t((row + 1) * in));
    const Input portable_input(portable(), layer.view.precision, one, 1);
    std::vector<float> expected(out);
    multiply(portable(), portable_input, layer.view, 1, expected.data());
    check_against_portable("linear", &y[row * out], expected.data(), out, 1e-5);
  }
  for (auto _ : state)
    multiply(kernels, input, layer.view, rows, y.data());
  count_operations(state, 2.0 * double(rows * in * out), of_precision(level_peaks(kernels.isa), layer.view.precision));
}

void register_linear(const Kernels& kernels, Precision precision, int sum_bits = 32) {
  struct Shape {
    std::size_t in, out;
  };
  const std::string name = std::string(precision_name(precision)) + (sum_bits == 16 ? "-sums-of-16-bits" : "");
  for (const auto& [in, out] : {Shape{768, 768}, {768, 3072}, {3072, 768}, {384, 1536}}) {
    const auto layer = std::make_shared<std::unique_ptr<Layer>>(); // made when the first of its benchmarks runs
    for (const std::size_t rows : {1u, 6u, 12u, 16u, 24u, 48u, 96u, 128u})
      add("linear/" + std::string(kernels.isa) + "/" + name + "/" + std::to_string(in) + "x" + std::to_string(out) +
              "/rows:" + std::to_string(rows),
          [&kernels, layer, precision, sum_bits, shape_in = in, shape_out = out, rows](benchmark::State& state) {
            if (!*layer)
              *layer = std::make_unique<Layer>(precision, shape_in, shape_out, sum_bits);
            linear(state, kernels, **layer, rows);
          });
  }
}

void (*attention_of(const Kernels& kernels, Precision precision))(const AttentionCall&) {
  switch (precision) {
  case Precision::bf16: return kernels.attention_bf16;
  case Precision::int8: return kernels.attention_int8;
  case Precision::fp32: break;
  }
  return kernels.attention;
}

/// One head of 64, as in DistilBERT-base, and one of 32, as in models/sst2.
void attention(benchmark::State& state, const Kernels& kernels, Precision precision, std::size_t length,
               std::size_t head_dim) {
  const std::size_t stride = 3 * head_dim;
  const std::vector<float> qkv = normal(length * stride, 1.0f);
  std::vector<float> scratch(attention_scratch(length, head_dim)), context(length * head_dim), expected(context);
  const auto call = [&](float* to) {
    return AttentionCall{qkv.data(), stride, length,   qkv.data() + head_dim, qkv.data() + 2 * head_dim,
                         length,     stride, head_dim, scratch.data(),        to,
                         head_dim};
  };
  const auto attend = attention_of(kernels, precision);
  attend(call(context.data()));
  attention_of(portable(), precision)(call(expected.data()));
  check_against_portable("attention", context.data(), expected.data(), context.size(),
                         precision == Precision::fp32 ? 1e-4 : 0.05);
  for (auto _ : state)
    attend(call(context.data()));
  count_operations(state, 4.0 * double(length * length * head_dim), of_precision(level_peaks(kernels.isa), precision));
}

/// Operations along rows of 768 floats: their first operand is what the shape of the rows makes of it.
void rowwise(const Kernels& kernels) {
  constexpr std::size_t rows = 64, dim = 768;
  const auto x = std::make_shared<std::vector<float>>(normal(rows * dim, 1.0f));
  const std::string suffix = "/" + std::string(kernels.isa) + "/64x768";
  add("layer_norm" + suffix, [&kernels, x](benchmark::State& state) {
    const std::vector<float> ones(dim, 1.0f), zeros(dim);
    std::vector<float> y(x->size()), expected(x->size());
    const auto call = [&](float* to) {
      return LayerNormCall{x->data(), x->data(), dim, rows, {dim, ones.data(), zeros.data()}, 1e-12f, to};
    };
    kernels.layer_norm(call(y.data()));
    portable().layer_norm(call(expected.data()));
    check_against_portable("layer_norm", y.data(), expected.data(), y.size(), 1e-5);
    for (auto _ : state)
      kernels.layer_norm(call(y.data()));
    count_bytes(state, 3.0 * double(x->size() * sizeof(float)));
  });
  add("softmax" + suffix, [&kernels, x](benchmark::State& state) {
    std::vector<float> y = *x, expected = *x;
    kernels.softmax(y.data(), dim);
    portable().softmax(expected.data(), dim);
    check_against_portable("softmax", y.data(), expected.data(), dim, 1e-5);
    for (auto _ : state)
      for (std::size_t r = 0; r < rows; ++r)
        kernels.softmax(&y[r * dim], dim);
    count_bytes(state, 2.0 * double(y.size() * sizeof(float)));
  });
  add("quantize" + suffix, [&kernels, x](benchmark::State& state) {
    std::vector<std::byte> y(x->size() * kernels.quantized_bytes), expected(x->size() * 4);
    for (std::size_t r = 0; r < rows; ++r)
      if (kernels.quantize(&(*x)[r * dim], nullptr, dim, y.data()).scale !=
          portable().quantize(&(*x)[r * dim], nullptr, dim, expected.data()).scale)
        throw std::runtime_error("quantize: another scale than the portable level's");
    for (auto _ : state)
      for (std::size_t r = 0; r < rows; ++r)
        benchmark::DoNotOptimize(kernels.quantize(&(*x)[r * dim], nullptr, dim, &y[r * dim * kernels.quantized_bytes]));
    count_bytes(state, double(x->size() * (sizeof(float) + kernels.quantized_bytes)));
  });
  add("round_to_bf16" + suffix, [&kernels, x](benchmark::State& state) {
    std::vector<std::uint16_t> y(x->size()), expected(x->size());
    kernels.round_to_bf16(x->data(), x->size(), y.data());
    portable().round_to_bf16(x->data(), x->size(), expected.data());
    if (y != expected)
      throw std::runtime_error("round_to_bf16: other bits than the portable level's");
    for (auto _ : state)
      kernels.round_to_bf16(x->data(), x->size(), y.data());
    count_bytes(state, 6.0 * double(x->size()));
  });
}

} // namespace

void register_kernels() {
  for (const std::string_view isa : available_isas()) {
    const distilbert::detail::Level& level = distilbert::detail::find_level(isa);
    const Kernels& kernels = *level.kernels;
    if (&kernels == &portable())
      continue; // its speed matters to no one who has another
    if (&level.for_sums(16) != &kernels)
      register_linear(level.for_sums(16), Precision::int8, 16);
    for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
      register_linear(kernels, precision);
      for (const std::size_t head_dim : {64u, 32u})
        for (const std::size_t length : {16u, 25u, 64u, 128u, 512u})
          add("attention/" + std::string(isa) + "/" + std::string(precision_name(precision)) + "/" +
                  std::to_string(head_dim) + "/length:" + std::to_string(length),
              [&kernels, precision, length, head_dim](benchmark::State& state) {
                attention(state, kernels, precision, length, head_dim);
              });
    }
    rowwise(kernels);
  }
}

} // namespace bench
