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
