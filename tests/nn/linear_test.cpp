#include <distilbert/nn/linear.hpp>
#include <doctest/doctest.h>

#include "layer_setup.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const std::string ffn = "transformer.layer.0.ffn.";

double norm(const Matrix& x, std::size_t row) {
  double squares = 0;
  for (std::size_t c = 0; c < x.columns; ++c)
    squares += x(row, c) * x(row, c);
  return std::sqrt(squares);
}

/// lin1 and its oracle on the same input
struct Lin1 {
  Lin1(LayerSetup& setup, const Matrix& x, Epilogue epilogue = Epilogue::none)
      : expected(setup.naive.linear(ffn + "lin1", x)), output(x.rows, setup.config.hidden_dim) {
    setup.workspace.begin(x.rows, 1, 1);
    Activations input(x);
    Linear::load(setup.weights, ffn + "lin1", {1, setup.config.hidden_dim}, {1, setup.config.dim})
        .forward(input.rows(), output.rows(), setup.workspace, epilogue);
  }

  Matrix expected;
  Activations output;
};

} // namespace

TEST_CASE("products agree with the oracle to rounding, whatever the number of rows") {
  for (const Precision precision : all_precisions) {
    LayerSetup setup({.dim = 36, .hidden_dim = 37, .n_heads = 3}, precision);
    for (const std::size_t rows : {1u, 2u, 3u, 5u, 16u, 17u, 65u}) {
      CAPTURE(static_cast<int>(precision));
      CAPTURE(rows);
      const Matrix x = random_activations(rows, setup.config.dim);
      Lin1 lin1(setup, x);
      const Matrix y = lin1.output.matrix();
      // fp32 and bf16: each of dim additions rounds, by at most half an epsilon of the sum of magnitudes, which is at
      // most |x| |w| + |b|; no row of w or b is longer than 2 here. int8: the sum is exact, three roundings follow.
      for (std::size_t r = 0; r < rows; ++r) {
        const double summed = static_cast<double>(setup.config.dim + 2) * 0x1p-24 * (norm(x, r) * 2 + 1);
        for (std::size_t c = 0; c < y.columns; ++c) {
          const double exact = 0x1p-22 * (std::fabs(lin1.expected(r, c)) + 1);
          CHECK(std::fabs(y(r, c) - lin1.expected(r, c)) <= (precision == Precision::int8 ? exact : summed));
        }
      }
    }
  }
}

TEST_CASE("each row is computed as if it were alone") {
  for (const Precision precision : all_precisions) {
    LayerSetup setup({.dim = 40, .hidden_dim = 50, .n_heads = 5}, precision);
    const Matrix x = random_activations(67, setup.config.dim);
    Lin1 together(setup, x);
    for (const std::size_t r : {0u, 1u, 30u, 63u, 64u, 66u}) {
      Matrix one(1, x.columns);
      for (std::size_t c = 0; c < x.columns; ++c)
        one(0, c) = x(r, c);
      CHECK(Lin1(setup, one).output.row(0) == together.output.row(r));
    }
  }
}

TEST_CASE("the epilogue follows the bias") {
  LayerSetup setup({.dim = 32, .hidden_dim = 48}, Precision::fp32);
  Matrix x = random_activations(9, 32);
  for (double& value : x.values)
    value *= 3;
  const auto check = [&](Epilogue epilogue, auto function) {
    Lin1 lin1(setup, x, epilogue);
    for (double& y : lin1.expected.values)
      y = function(y);
    CHECK(difference(lin1.output.matrix(), lin1.expected) < 3e-6);
  };
  check(Epilogue::gelu, gelu);
  check(Epilogue::relu, [](double y) { return std::max(y, 0.0); });
  check(Epilogue::tanh, [](double y) { return std::tanh(y); });
}

TEST_CASE("int8 sums stay exact where fp32 could not hold them") {
  const Shape shape{.dim = 16, .hidden_dim = 5001, .n_layers = 1, .n_heads = 1};
  std::vector<Tensor> tensors = random_tensors(shape);
  for (Tensor& tensor : tensors)
    if (tensor.name == ffn + "lin2.weight") {
      std::fill(tensor.values.begin(), tensor.values.end(), 127.0f); // 127 steps of size 1
      for (std::size_t i = 0; i < 16; ++i)
        tensor.values[i * 5001 + i] = 126.0f;
    } else if (tensor.name == ffn + "lin2.bias") {
      std::fill(tensor.values.begin(), tensor.values.end(), -80661000.0f); // near the sum, so that the rest shows
    }
  LayerSetup setup(shape, std::move(tensors), Precision::int8);
  Matrix x(2, 5001);
  std::fill(x.values.begin(), x.values.end(), 127.0);
  x(1, 3) = -127;
  setup.workspace.begin(2, 1, 1);
  Activations input(x), output(2, 16);
  Linear::load(setup.weights, ffn + "lin2", {1, 16}, {1, 5001}).forward(input.rows(), output.rows(), setup.workspace);
  const Matrix expected = setup.naive.linear(ffn + "lin2", x);
  for (std::size_t i = 0; i < 32; ++i)
    CHECK(std::fabs(output.matrix().values[i] - expected.values[i]) <= 4.0); // half the distance of floats near 8e7
}

TEST_CASE("a row of zeros gives the bias") {
  for (const Precision precision : all_precisions) {
    LayerSetup setup(Shape{}, precision);
    Lin1 lin1(setup, Matrix(2, setup.config.dim));
    CHECK(difference(lin1.output.matrix(), lin1.expected) == 0);
  }
}

TEST_CASE("NaN and infinity reach their own row and no other") {
  for (const Precision precision : all_precisions)
    for (const double poison : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
      LayerSetup setup(Shape{}, precision);
      const Matrix clean = random_activations(3, setup.config.dim);
      Matrix dirty = clean;
      dirty(1, 7) = poison;
      Lin1 expected(setup, clean), found(setup, dirty);
      CHECK(found.output.row(0) == expected.output.row(0));
      CHECK(found.output.row(2) == expected.output.row(2));
      for (std::size_t c = 0; c < setup.config.hidden_dim; ++c)
        CHECK(!std::isfinite(found.output(1, c)));
    }
}
