#include <distilbert/nn/layer_norm.hpp>
#include <doctest/doctest.h>

#include "layer_setup.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const std::string name = "embeddings.LayerNorm";

Matrix normed(LayerSetup& setup, const Matrix& stream) {
  setup.workspace.begin(stream.rows, 1, 1);
  Activations rows(stream);
  LayerNorm::load(setup.weights, name, setup.config).forward(rows.rows(), setup.workspace);
  return rows.matrix();
}

} // namespace

TEST_CASE("rows of any width agree with the oracle") {
  for (const std::size_t dim : {1u, 7u, 16u, 32u, 40u, 63u}) {
    CAPTURE(dim);
    LayerSetup setup({.dim = dim, .n_heads = 1}, Precision::fp32);
    const Matrix x = random_activations(5, dim);
    CHECK(difference(normed(setup, x), setup.naive.layer_norm(name, x)) < 3e-6);
  }
}

TEST_CASE("the sublayer's output is added first") {
  LayerSetup setup({.dim = 40, .n_heads = 5}, Precision::fp32);
  const Matrix sublayer = random_activations(4, 40, 1), stream = random_activations(4, 40, 2);
  Matrix sum = stream;
  for (std::size_t i = 0; i < sum.values.size(); ++i)
    sum.values[i] += sublayer.values[i];
  setup.workspace.begin(4, 1, 1);
  Activations a(sublayer), b(stream);
  LayerNorm::load(setup.weights, name, setup.config).add_and_norm(a.rows(), b.rows(), setup.workspace);
  CHECK(difference(b.matrix(), setup.naive.layer_norm(name, sum)) < 3e-6);
  CHECK(difference(a.matrix(), sublayer) == 0);
}

TEST_CASE("a large mean does not drown the variance") {
  LayerSetup setup({.dim = 32}, Precision::fp32);
  Matrix x = random_activations(3, 32);
  for (double& value : x.values)
    value = double{static_cast<float>(value + 1000)};
  CHECK(difference(normed(setup, x), setup.naive.layer_norm(name, x)) < 1e-3); // one-pass variance: off by far more
}

TEST_CASE("a constant row gives the bias") {
  LayerSetup setup({.dim = 32}, Precision::fp32);
  Matrix x(1, 32);
  std::fill(x.values.begin(), x.values.end(), 3.0);
  CHECK(difference(normed(setup, x), setup.naive.layer_norm(name, Matrix(1, 32))) == 0);
}

TEST_CASE("NaN and infinity reach their own row and no other") {
  LayerSetup setup({.dim = 40, .n_heads = 5}, Precision::fp32);
  for (const double poison : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    const Matrix clean = random_activations(6, 40);
    Matrix dirty = clean;
    dirty(1, 39) = poison;
    const Matrix expected = normed(setup, clean);
    setup.workspace.begin(6, 1, 1);
    Activations found(dirty);
    LayerNorm::load(setup.weights, name, setup.config).forward(found.rows(), setup.workspace);
    for (std::size_t r = 0; r < 6; ++r)
      for (std::size_t c = 0; c < 40; ++c)
        CHECK((r == 1 ? std::isnan(found(r, c)) : double{found(r, c)} == expected(r, c)));
  }
}
