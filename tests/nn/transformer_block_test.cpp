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
      setup.workspace.begin(21, 21);
      Activations hidden(x);
      TransformerBlock::load(setup.weights, name, setup.config).forward(batch, hidden.rows(), setup.workspace);
      const Matrix expected = setup.naive.block(name, x);
      CHECK(difference(hidden.matrix(), expected) <=
            composed_tolerance(precision, expected, setup.naive_fp32.block(name, x)));
    }
}

TEST_CASE("the block for first tokens only gives what the whole block gives them, bit for bit") {
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
    const auto block = TransformerBlock::load(setup.weights, "transformer.layer.1", setup.config);
    setup.workspace.begin(batch.tokens(), batch.longest());
    Activations all(x), first(x);
    block.forward(batch, all.rows(), setup.workspace);
    const Rows cls = block.forward_cls(batch, first.rows(), setup.workspace);
    REQUIRE(cls.rows() == static_cast<Eigen::Index>(lengths.size()));
    for (std::size_t text = 0; text < lengths.size(); ++text)
      CHECK(first.row(text) == all.row(batch.offsets[text]));
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
      setup.workspace.begin(batch.tokens(), batch.longest());
      block.forward(batch, alone.rows(), setup.workspace);
      ThreadPool pool(threads);
      setup.workspace.begin(batch.tokens(), batch.longest(), &pool);
      block.forward(batch, shared.rows(), setup.workspace);
      CHECK(difference(alone.matrix(), shared.matrix()) == 0);
    }
}
