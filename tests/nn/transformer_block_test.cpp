#include <vector>

#include <distilbert/nn/transformer_block.hpp>
#include <doctest/doctest.h>

#include "layer_setup.hpp"

using namespace distilbert;
using namespace distilbert::test;

TEST_CASE("attention, residual, norm, FFN, residual, norm") {
  for (const Precision precision : all_precisions)
    for (const char* name : {"transformer.layer.0", "transformer.layer.1"}) {
      CAPTURE(static_cast<int>(precision));
      CAPTURE(name);
      LayerSetup setup({.dim = 36, .hidden_dim = 70, .n_heads = 3}, precision);
      const Matrix x = random_activations(21, 36);
      Batch batch;
      batch.ids.resize(21);
      batch.end_text();
      setup.workspace.begin(21, 1, 21);
      Activations hidden(x);
      TransformerBlock::load(setup.weights, name, setup.config).forward(batch, hidden.rows(), setup.workspace);
      const Matrix expected = setup.naive.block(name, x);
      CHECK(difference(hidden.matrix(), expected) <=
            composed_tolerance(precision, expected, setup.naive_fp32.block(name, x)));
    }
}

TEST_CASE("the block for first tokens only agrees with the oracle, whatever texts are with it") {
  const std::vector<std::size_t> lengths = {5, 1, 17, 30, 2};
  Batch batch;
  for (const std::size_t length : lengths) {
    batch.ids.resize(batch.ids.size() + length);
    batch.end_text();
  }
  for (const Precision precision : all_precisions) {
    CAPTURE(static_cast<int>(precision));
    LayerSetup setup({.dim = 36, .hidden_dim = 70, .n_heads = 3}, precision);
    const Matrix x = random_activations(batch.tokens(), 36);
    const std::string name = "transformer.layer.1";
    const auto block = TransformerBlock::load(setup.weights, name, setup.config);
    setup.workspace.begin(batch.tokens(), batch.texts(), batch.longest());
    Activations first(x);
    const Rows cls = block.forward_cls(batch, first.rows(), setup.workspace);
    REQUIRE(cls.rows() == static_cast<Eigen::Index>(lengths.size()));
    for (std::size_t text = 0; text < lengths.size(); ++text) {
      CAPTURE(text);
      Matrix alone(lengths[text], 36);
      std::copy_n(x.values.begin() + static_cast<std::ptrdiff_t>(batch.offsets[text] * 36), alone.values.size(),
                  alone.values.begin());
      const Matrix expected = setup.naive.block_cls(name, alone), fp32 = setup.naive_fp32.block_cls(name, alone);
      const double tolerance = composed_tolerance(precision, expected, fp32);
      const Matrix whole = setup.naive_fp32.block(name, alone);
      for (std::size_t c = 0; c < 36; ++c) {
        CHECK(std::abs(double(first.row(text)[c]) - expected(0, c)) <= tolerance);
        CHECK(fp32(0, c) == doctest::Approx(whole(0, c)).epsilon(1e-9));
      }
      Batch single;
      single.ids.resize(lengths[text]);
      single.end_text();
      Activations own(alone);
      block.forward_cls(single, own.rows(), setup.workspace);
      CHECK(own.row(0) == first.row(text));
    }
  }
}

TEST_CASE("threads that share a block change no bit") {
  Batch batch;
  for (const std::size_t length : {40u, 1u, 23u}) {
    batch.ids.resize(batch.ids.size() + length);
    batch.end_text();
  }
  for (const Precision precision : all_precisions)
    for (const std::size_t threads : {2u, 3u, 7u}) {
      CAPTURE(static_cast<int>(precision));
      CAPTURE(threads);
      LayerSetup setup({.dim = 100, .hidden_dim = 300, .n_heads = 5}, precision);
      const Matrix x = random_activations(batch.tokens(), 100);
      const auto block = TransformerBlock::load(setup.weights, "transformer.layer.0", setup.config);
      Activations alone(x), shared(x);
      setup.workspace.begin(batch.tokens(), batch.texts(), batch.longest());
      block.forward(batch, alone.rows(), setup.workspace);
      ThreadPool pool(threads);
      setup.workspace.begin(batch.tokens(), batch.texts(), batch.longest(), &pool);
      block.forward(batch, shared.rows(), setup.workspace);
      CHECK(difference(alone.matrix(), shared.matrix()) == 0);
      Activations cls(x), cls_shared(x);
      setup.workspace.begin(batch.tokens(), batch.texts(), batch.longest(), &pool);
      block.forward_cls(batch, cls_shared.rows(), setup.workspace);
      setup.workspace.begin(batch.tokens(), batch.texts(), batch.longest());
      block.forward_cls(batch, cls.rows(), setup.workspace);
      for (std::size_t text = 0; text < batch.texts(); ++text)
        CHECK(cls.row(text) == cls_shared.row(text));
    }
}
