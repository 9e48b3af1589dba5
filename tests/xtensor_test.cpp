// xtensor.hpp: arrays over memory that is not copied, and unpacked weights against the matrices that were packed.

#include <distilbert/aligned_buffer.hpp>
#include <distilbert/weights/pack.hpp>
#include <distilbert/xtensor.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

using namespace distilbert;

namespace {

template <class T> TensorView view_of(const std::vector<T>& values, Dtype dtype, std::vector<std::size_t> shape) {
  return {"t", dtype, std::move(shape), reinterpret_cast<const unsigned char*>(values.data()),
          values.size() * sizeof(T)};
}

std::vector<float> ramp(std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i)
    values[i] = (i % 2 == 0 ? 1.0f : -1.0f) * static_cast<float>(i % 101) / 7;
  return values;
}

/// How far rounding may move w: half a unit in bf16's last place, half a step of the row's scale in int8.
float tolerance(Precision precision, float w, float row_maximum) {
  return precision == Precision::fp32   ? 0
         : precision == Precision::bf16 ? std::fabs(w) / 256
                                        : row_maximum / 127 * 0.5001f;
}

float row_maximum(const std::vector<float>& matrix, std::size_t row, std::size_t columns) {
  float largest = 0;
  for (std::size_t k = 0; k < columns; ++k)
    largest = std::max(largest, std::fabs(matrix[row * columns + k]));
  return largest;
}

} // namespace

TEST_CASE("a tensor of a file is an array over the file's bytes") {
  const std::vector<float> floats = ramp(24);
  const auto array = as_array<float>(view_of(floats, Dtype::f32, {2, 3, 4}));
  CHECK(array.dimension() == 3);
  CHECK(array(1, 2, 3) == floats[23]);
  CHECK(array(1, 0, 2) == floats[14]);
  CHECK(&array(0, 0, 0) == floats.data());

  const std::vector<std::int8_t> bytes = {-128, 0, 127, 5};
  CHECK(as_array<std::int8_t>(view_of(bytes, Dtype::i8, {4}))(0) == -128);
  const std::vector<std::uint16_t> halves = {0x3f80, 0xbf80};
  CHECK(as_array<std::uint16_t>(view_of(halves, Dtype::bf16, {1, 2}))(0, 1) == 0xbf80);
  CHECK(as_array<float>(view_of(floats, Dtype::f32, {24}))(7) == floats[7]);

  const std::vector<float> scalar = {2.5f};
  CHECK(as_array<float>(view_of(scalar, Dtype::f32, {}))() == 2.5f);
  CHECK(as_array<float>(view_of(std::vector<float>(), Dtype::f32, {3, 0})).size() == 0);
}

TEST_CASE("an array of another type, or over bytes that are not aligned, is refused") {
  const std::vector<float> floats = ramp(8);
  TensorView tensor = view_of(floats, Dtype::f32, {8});
  CHECK_THROWS_WITH_AS(as_array<std::int8_t>(tensor),
                       "a tensor has a type that this library does not compute with: \"t\" is F32", Error);
  tensor.dtype = Dtype::f64;
  CHECK_THROWS_AS(as_array<float>(tensor), Error);
  tensor = view_of(floats, Dtype::f32, {7});
  tensor.data += 1;
  tensor.bytes -= 4;
  CHECK_THROWS_WITH_AS(as_array<float>(tensor), "an argument is outside its range: \"t\" is not aligned in the file",
                       Error);
}

TEST_CASE("values become an array that owns their memory") {
  std::vector<float> logits = ramp(6);
  const float* memory = logits.data();
  const auto array = as_array(std::move(logits), {3, 2});
  CHECK(&array(0, 0) == memory);
  CHECK(array(2, 1) == ramp(6)[5]);
  CHECK(array.shape()[0] == 3);
  CHECK_THROWS_AS(as_array(ramp(6), {4, 2}), Error);
}

TEST_CASE("unpacked weights are the packed ones, padding included") {
  const Blocks out{3, 5}, in{2, 21};
  const std::vector<float> weight = ramp(out.logical() * in.logical());
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    AlignedBuffer panels(packed_linear_bytes(precision, out, in));
    pack_linear(weight.data(), nullptr, out, in, precision, panels.data());
    const auto matrix = unpack(PackedLinear{precision, out.packed(), in.packed(), panels.data()});
    REQUIRE(matrix.shape()[0] == 48);
    REQUIRE(matrix.shape()[1] == 64);
    std::size_t wrong = 0;
    for (std::size_t r = 0; r < 48; ++r) {
      for (std::size_t k = 0; k < 64; ++k) {
        const bool real = r % 16 < 5 && k % 32 < 21;
        const std::size_t row = r / 16 * 5 + r % 16;
        const float w = real ? weight[row * 42 + k / 32 * 21 + k % 32] : 0;
        wrong += std::fabs(matrix(r, k) - w) > (real ? tolerance(precision, w, row_maximum(weight, row, 42)) : 0);
      }
    }
    CHECK(wrong == 0);
    if (precision == Precision::int8) {
      std::vector<float> input_scale(64);
      for (std::size_t k = 0; k < 64; ++k)
        input_scale[k] = 1.0f + static_cast<float>(k);
      const auto scaled = unpack(PackedLinear{precision, out.packed(), in.packed(), panels.data(), input_scale.data()});
      for (std::size_t r = 0; r < 48; ++r)
        for (std::size_t k = 0; k < 64; ++k)
          CHECK(scaled(r, k) == matrix(r, k) * input_scale[k]);
    }
  }
}

TEST_CASE("an unpacked embedding is the packed table") {
  const std::size_t rows = 7, dim = 21;
  const std::vector<float> weight = ramp(rows * dim);
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    AlignedBuffer table(rows * 32 * element_bytes(precision)), scale(16 * sizeof(float));
    auto* scales = reinterpret_cast<float*>(scale.data());
    pack_embedding(weight.data(), rows, dim, precision, table.data(), scales);
    const auto matrix = unpack(PackedEmbedding{precision, rows, 32, table.data(), scales});
    REQUIRE(matrix.shape()[0] == 7);
    REQUIRE(matrix.shape()[1] == 32);
    std::size_t wrong = 0;
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t k = 0; k < 32; ++k) {
        const float w = k < dim ? weight[r * dim + k] : 0;
        wrong += std::fabs(matrix(r, k) - w) > (k < dim ? tolerance(precision, w, row_maximum(weight, r, dim)) : 0);
      }
    CHECK(wrong == 0);
  }
}
