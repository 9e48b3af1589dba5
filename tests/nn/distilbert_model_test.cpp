#include <distilbert/nn/attention_probabilities.hpp>
#include <distilbert/nn/distilbert_model.hpp>
#include <doctest/doctest.h>

#include <optional>

#include "layer_setup.hpp"
#include "scaled_rounding.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const Shape shape{.vocab = 200, .positions = 80, .dim = 40, .hidden_dim = 96, .n_layers = 3, .n_heads = 5};

/// Texts of these lengths, with random ids
Batch batch_of(const std::vector<std::size_t>& lengths) {
  Batch batch;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::vector<std::int32_t> ids = random_ids(shape, i, lengths[i]);
    batch.add(ids.data(), ids.size());
  }
  return batch;
}

Matrix hidden_states(const Rows& rows, std::size_t first, std::size_t count) {
  Matrix hidden(count, shape.dim);
  for (std::size_t r = 0; r < count; ++r)
    for (std::size_t c = 0; c < shape.dim; ++c)
      hidden(r, c) = double{rows(static_cast<Eigen::Index>(first + r), static_cast<Eigen::Index>(c))};
  return hidden;
}

double root_mean_square(const Matrix& a, const Matrix& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    squares += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
  return std::sqrt(squares / static_cast<double>(a.values.size()));
}

/// What one level computes, all that come after must repeat to the bit; but the portable one may round otherwise.
class SameBits {
public:
  void check(std::string_view isa, const Matrix& found) {
    if (!first_)
      first_ = found;
    else if (isa != "portable")
      CHECK(difference(found, *first_) == 0);
  }

private:
  std::optional<Matrix> first_;
};

} // namespace

TEST_CASE("the encoder is its embeddings and its blocks, bit for bit") {
  const Batch batch = batch_of({3, 80, 1, 16, 33});
  for (const Precision precision : all_precisions) {
    CAPTURE(static_cast<int>(precision));
    LayerSetup setup(shape, precision);
    const Matrix found = hidden_states(
        DistilBertModel::load(setup.weights, setup.config).forward(batch, setup.workspace), 0, batch.tokens());
    Activations stepwise(batch.tokens(), shape.dim);
    Embeddings::load(setup.weights, setup.config).forward(batch, stepwise.rows(), setup.workspace);
    for (const char* name : {"transformer.layer.0", "transformer.layer.1", "transformer.layer.2"})
      TransformerBlock::load(setup.weights, name, setup.config).forward(batch, stepwise.rows(), setup.workspace);
    CHECK(difference(found, stepwise.matrix()) == 0);
  }
}

TEST_CASE("inspect shows the embeddings and every layer of forward, bit for bit") {
  const Batch batch = batch_of({3, 80, 1, 16, 33});
  ThreadPool threads(3);
  for (const Precision precision : all_precisions) {
    CAPTURE(static_cast<int>(precision));
    LayerSetup setup(shape, precision);
    const DistilBertModel model = DistilBertModel::load(setup.weights, setup.config);
    for (ThreadPool* pool : {static_cast<ThreadPool*>(nullptr), &threads}) {
      std::vector<Matrix> states;
      const auto look = [&](std::size_t layer, const Rows& hidden) {
        CHECK(layer == states.size());
        states.push_back(hidden_states(hidden, 0, batch.tokens()));
      };
      model.inspect(batch, setup.workspace, look, pool);
      REQUIRE(states.size() == shape.n_layers + 1);
      Activations stepwise(batch.tokens(), shape.dim);
      Embeddings::load(setup.weights, setup.config).forward(batch, stepwise.rows(), setup.workspace);
      CHECK(difference(states[0], stepwise.matrix()) == 0);
      for (std::size_t i = 0; i < shape.n_layers; ++i) {
        TransformerBlock::load(setup.weights, "transformer.layer." + std::to_string(i), setup.config)
            .forward(batch, stepwise.rows(), setup.workspace);
        CHECK(difference(states[i + 1], stepwise.matrix()) == 0);
      }
      CHECK(difference(states.back(), hidden_states(model.forward(batch, setup.workspace), 0, batch.tokens())) == 0);
    }
  }
}

TEST_CASE("attention probabilities agree with the oracle, and are the same bits alone and on three threads") {
  const Batch batch = batch_of({3, 80, 1, 16, 33});
  ThreadPool threads(3);
  for (const Precision precision : all_precisions) {
    CAPTURE(static_cast<int>(precision));
    LayerSetup setup(shape, precision);
    const DistilBertModel model = DistilBertModel::load(setup.weights, setup.config);
    // of every layer, for one text
    const auto probabilities_of = [&](const Batch& of, std::size_t text, ThreadPool* pool) {
      std::vector<Matrix> layers;
      const std::size_t length = of.length(text);
      const auto look = [&](std::size_t layer, const Rows&) {
        if (layer == 0)
          return;
        std::vector<float> values(shape.n_heads * length * length, -1.0f);
        attention_probabilities(of, text, shape.n_heads, setup.workspace, values.data());
        layers.emplace_back(shape.n_heads * length, length);
        std::copy(values.begin(), values.end(), layers.back().values.begin());
      };
      model.inspect(of, setup.workspace, look, pool);
      return layers;
    };
    for (std::size_t text = 0; text < batch.texts(); ++text) {
      Batch alone;
      alone.add(batch.ids.data() + batch.offsets[text], batch.length(text));
      const std::vector<Matrix> found = probabilities_of(batch, text, &threads);
      const std::vector<Matrix> same = probabilities_of(alone, 0, nullptr);
      std::vector<Matrix> states;
      model.inspect(alone, setup.workspace, [&](std::size_t, const Rows& hidden) {
        states.push_back(hidden_states(hidden, 0, alone.tokens()));
      });
      REQUIRE(found.size() == shape.n_layers);
      for (std::size_t i = 0; i < shape.n_layers; ++i) {
        const std::string name = "transformer.layer." + std::to_string(i) + ".attention";
        const Matrix expected = setup.naive.attention_probabilities(name, states[i]);
        const Matrix exact = setup.naive_fp32.attention_probabilities(name, states[i]);
        CHECK(difference(found[i], expected) <= 1e-6 + composed_tolerance(precision, expected, exact));
        CHECK(difference(found[i], same[i]) == 0);
      }
    }
  }
}

TEST_CASE("fp32 agrees with the oracle; bf16 and int8 are no farther from it than their rounding") {
  const Batch batch = batch_of({3, 80, 1, 16, 33});
  for (const Precision precision : all_precisions) {
    CAPTURE(static_cast<int>(precision));
    LayerSetup setup(shape, precision);
    const Rows hidden = DistilBertModel::load(setup.weights, setup.config).forward(batch, setup.workspace);
    REQUIRE(hidden.rows() == static_cast<Eigen::Index>(batch.tokens()));
    for (std::size_t i = 0; i < batch.texts(); ++i) {
      const std::vector<std::int32_t> ids = random_ids(shape, i, batch.length(i));
      const Matrix found = hidden_states(hidden, batch.offsets[i], batch.length(i));
      const Matrix exact = setup.naive_fp32.hidden(ids), rounded = setup.naive.hidden(ids);
      // Layer by layer the oracle is met closely (the other tests); over three layers one activation that is rounded
      // the other way grows until it is noise like any other, so here only the size of the noise can be compared.
      if (precision == Precision::fp32)
        CHECK(difference(found, exact) <= 1e-5 * largest(exact));
      else
        CHECK(root_mean_square(found, exact) <= 1.5 * root_mean_square(rounded, exact));
    }
  }
}

TEST_CASE("the weights live as long as the model") {
  const RandomModel random(shape);
  const auto copy_of_a_copy = [&] {
    const DistilBertModel model = DistilBertModel::from_pretrained(random.path());
    return DistilBertModel(model);
  };
  const DistilBertModel model = copy_of_a_copy();
  std::filesystem::remove(random.path() / "model.safetensors");
  Workspace workspace(DistilBertConfig::from_pretrained(random.path()));
  const Batch batch = batch_of({9});
  CHECK(difference(hidden_states(model.forward(batch, workspace), 0, 9),
                   NaiveDistilBert(random, Precision::fp32).hidden(random_ids(shape, 0, 9))) < 1e-4);
}

TEST_CASE("precision is that of the options") {
  const RandomModel random(shape);
  Workspace workspace(DistilBertConfig::from_pretrained(random.path()));
  const Batch batch = batch_of({9});
  const auto run = [&](const LoadOptions& options) {
    return hidden_states(DistilBertModel::from_pretrained(random.path(), options).forward(batch, workspace), 0, 9);
  };
  const Matrix by_default = run({}), fp32 = run(in_precision(Precision::fp32)),
               bf16 = run(in_precision(Precision::bf16)), int8 = run(in_precision(Precision::int8));
  CHECK(difference(by_default, fp32) == 0);
  CHECK(difference(bf16, fp32) > 1e-4);
  CHECK(difference(int8, fp32) > difference(bf16, fp32));
}

TEST_CASE("int8 weights for sums of 16 bits: each level takes its own kernels, and all write the same bits") {
  const RandomModel random(shape);
  LoadOptions options = in_precision(Precision::int8);
  const DistilBertModel any_sums = DistilBertModel::from_pretrained(random.path(), options);
  options.sum_bits = 16;
  const DistilBertModel model = DistilBertModel::from_pretrained(random.path(), options);
  const DistilBertModel fp32 = DistilBertModel::from_pretrained(random.path());
  Workspace workspace(DistilBertConfig::from_pretrained(random.path()));
  const Batch batch = batch_of({3, 80, 1, 16, 33});
  const auto run = [&](const DistilBertModel& of) {
    return hidden_states(of.forward(batch, workspace), 0, batch.tokens());
  };
  const Matrix exact = run(fp32);
  const double noise = root_mean_square(run(any_sums), exact);
  SameBits of_tokens, of_cls;
  for (const std::string_view isa : available_isas()) {
    CAPTURE(std::string(isa));
    set_isa(isa);
    const Matrix found = run(model);
    CHECK(&workspace.kernels() == &active_kernels(16));
    CHECK(root_mean_square(found, exact) > noise);
    CHECK(root_mean_square(found, exact) < 3 * noise);
    const Matrix cls = hidden_states(model.forward_cls(batch, workspace), 0, batch.texts());
    of_tokens.check(isa, found);
    of_cls.check(isa, cls);
    run(any_sums);
    CHECK(&workspace.kernels() == &active_kernels());
  }
  set_isa(available_isas().front());
}

TEST_CASE("input scales: the same model, in all its paths, and the same bits on each level") {
  const RandomModel random(shape);
  const DistilBertConfig config = DistilBertConfig::from_pretrained(random.path());
  const Checkpoint checkpoint = Checkpoint::from_pretrained(random.path(), config);
  const Batch batch = batch_of({3, 80, 1, 16, 33});
  Workspace workspace(config);
  const auto load = [&](Precision precision, int sum_bits, const LinearRounding* rounding) {
    return DistilBertModel::load(PackedModel::pack(checkpoint, config, precision, {}, sum_bits, rounding), config);
  };
  const auto run = [&](const DistilBertModel& model) {
    return hidden_states(model.forward(batch, workspace), 0, batch.tokens());
  };
  const auto run_cls = [&](const DistilBertModel& model) {
    return hidden_states(model.forward_cls(batch, workspace), 0, batch.texts());
  };
  const DistilBertModel fp32 = load(Precision::fp32, 32, nullptr);
  const Matrix exact = run(fp32), exact_cls = run_cls(fp32);
  for (const int sum_bits : {32, 16}) {
    CAPTURE(sum_bits);
    const ScaledRounding rounding(shape, sum_bits);
    const DistilBertModel plain = load(Precision::int8, sum_bits, nullptr),
                          scaled = load(Precision::int8, sum_bits, &rounding);
    const double noise = root_mean_square(run(plain), exact), noise_cls = root_mean_square(run_cls(plain), exact_cls);
    SameBits of_tokens, of_cls;
    for (const std::string_view isa : available_isas()) {
      CAPTURE(std::string(isa));
      set_isa(isa);
      const Matrix found = run(scaled), cls = run_cls(scaled);
      CHECK(root_mean_square(found, exact) < 3 * noise);
      CHECK(root_mean_square(cls, exact_cls) < 3 * noise_cls);
      of_tokens.check(isa, found);
      of_cls.check(isa, cls);
    }
    set_isa(available_isas().front());
  }
}

TEST_CASE("an empty batch gives no rows, and a refused one leaves the workspace usable") {
  LayerSetup setup(shape, Precision::fp32);
  const DistilBertModel model = DistilBertModel::load(setup.weights, setup.config);
  CHECK(model.forward(Batch{}, setup.workspace).rows() == 0);
  Batch bad = batch_of({4, 4});
  bad.ids[6] = 200;
  CHECK_THROWS_AS(model.forward(bad, setup.workspace), Error);
  CHECK(model.forward(batch_of({4}), setup.workspace).rows() == 4);
}
