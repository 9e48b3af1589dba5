#include <distilbert/nn/feed_forward.hpp>
#include <doctest/doctest.h>

#include "layer_setup.hpp"

using namespace distilbert;
using namespace distilbert::test;

TEST_CASE("both activations agree with the oracle in every precision") {
  const std::string name = "transformer.layer.1.ffn";
  for (const Precision precision : all_precisions)
    for (const char* activation : {"gelu", "relu"}) {
      CAPTURE(static_cast<int>(precision));
      CAPTURE(activation);
      LayerSetup setup({.dim = 40, .hidden_dim = 101, .n_heads = 5, .activation = activation}, precision);
      const Matrix x = random_activations(19, 40);
      setup.workspace.begin(x.rows, 1, 1);
      Activations input(x), output(x.rows, x.columns);
      FFN::load(setup.weights, name, setup.config).forward(input.rows(), output.rows(), setup.workspace);
      const Matrix expected = setup.naive.ffn(name, x);
      CHECK(difference(output.matrix(), expected) <=
            composed_tolerance(precision, expected, setup.naive_fp32.ffn(name, x)));
      CHECK(difference(input.matrix(), x) == 0);
    }
}
