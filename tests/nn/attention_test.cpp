#include <distilbert/nn/attention.hpp>
#include <doctest/doctest.h>

#include "layer_setup.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const std::string name = "transformer.layer.0.attention";

/// All texts as one batch; `hidden` holds their tokens end to end.
Activations attended(LayerSetup& setup, const std::vector<std::size_t>& lengths, const Matrix& hidden) {
  Batch batch; // attention looks at the offsets only
  for (const std::size_t length : lengths) {
    batch.ids.resize(batch.ids.size() + length);
    batch.end_text();
  }
  setup.workspace.begin(batch.tokens(), batch.texts(), batch.longest());
  Activations input(hidden), output(hidden.rows, hidden.columns);
  MultiHeadSelfAttention::load(setup.weights, name, setup.config)
      .forward(batch, input.rows(), output.rows(), setup.workspace);
  return output;
}

Matrix rows_of(const Matrix& x, std::size_t first, std::size_t count) {
  Matrix y(count, x.columns);
  std::copy_n(x.values.begin() + static_cast<std::ptrdiff_t>(first * x.columns), count * x.columns, y.values.begin());
  return y;
}

} // namespace

TEST_CASE("heads of any size agree with the oracle, text by text") {
  const std::vector<std::size_t> lengths = {1, 2, 15, 16, 17, 33, 129, 3};
  for (const Precision precision : all_precisions)
    for (const Shape& shape : {Shape{.dim = 40, .n_heads = 5}, Shape{.dim = 36, .n_heads = 3},
                               Shape{.dim = 7, .n_heads = 1}, Shape{.dim = 64, .n_heads = 2}}) {
      CAPTURE(static_cast<int>(precision));
      CAPTURE(shape.dim);
      LayerSetup setup(shape, precision);
      const Matrix hidden = random_activations(216, shape.dim);
      const Matrix found = attended(setup, lengths, hidden).matrix();
      std::size_t first = 0;
      for (const std::size_t length : lengths) {
        const Matrix text = rows_of(hidden, first, length);
        const Matrix expected = setup.naive.attention(name, text);
        const double tolerance = composed_tolerance(precision, expected, setup.naive_fp32.attention(name, text));
        CHECK(difference(rows_of(found, first, length), expected) <= tolerance);
        first += length;
      }
    }
}

TEST_CASE("long texts attend in the model's precision, as far as sums of int8 fit") {
  for (const Precision precision : all_precisions) {
    CHECK(attention_precision(precision, 1) == Precision::fp32);
    CHECK(attention_precision(precision, 47) == Precision::fp32);
    CHECK(attention_precision(precision, 48) == precision);
    CHECK(attention_precision(precision, 65536) == precision);
    CHECK(attention_precision(precision, 65537) == Precision::fp32);
  }
}

TEST_CASE("a text attends to itself alone") {
  for (const Precision precision : all_precisions) {
    LayerSetup setup({.dim = 40, .n_heads = 5}, precision);
    const Matrix hidden = random_activations(50, 40);
    Activations together = attended(setup, {7, 33, 10}, hidden);
    Activations alone = attended(setup, {33}, rows_of(hidden, 7, 33));
    for (std::size_t r = 0; r < 33; ++r)
      CHECK(together.row(7 + r) == alone.row(r));
  }
}

TEST_CASE("scores in the hundreds neither overflow nor lose the winner") {
  const Shape shape{.dim = 32, .n_heads = 2};
  std::vector<Tensor> tensors = random_tensors(shape);
  for (Tensor& tensor : tensors)
    if (tensor.name.find("q_lin") != tensor.name.npos)
      for (float& w : tensor.values)
        w *= 64.0f;
  LayerSetup setup(shape, std::move(tensors), Precision::fp32);
  const Matrix hidden = random_activations(40, 32);
  const Matrix expected = setup.naive.attention(name, hidden);
  // scores near 500 are off by 500 * 2^-23 or so, and a weight by that part of itself
  CHECK(difference(attended(setup, {40}, hidden).matrix(), expected) < 1e-3 * largest(expected));
}

TEST_CASE("NaN and infinity in one text spoil that text and no other") {
  for (const Precision precision : all_precisions)
    for (const double poison : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
      LayerSetup setup({.dim = 40, .n_heads = 5}, precision);
      const Matrix clean = random_activations(30, 40);
      Matrix dirty = clean;
      dirty(12, 0) = poison;
      Activations expected = attended(setup, {10, 10, 10}, clean), found = attended(setup, {10, 10, 10}, dirty);
      for (std::size_t r = 0; r < 30; ++r) {
        if (r / 10 == 1)
          CHECK(std::isnan(found(r, 0)));
        else
          CHECK(found.row(r) == expected.row(r));
      }
    }
}
