#include <distilbert/nn/embeddings.hpp>
#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "layer_setup.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

ErrorCode refused(const Embeddings& embeddings, const Batch& batch, std::string& what) {
  try {
    embeddings.check(batch);
  } catch (const Error& e) {
    what = e.what();
    return e.code();
  }
  FAIL("the batch was accepted");
  return ErrorCode::invalid_argument;
}

Batch batch_of(const std::vector<std::vector<std::int32_t>>& texts) {
  Batch batch;
  for (const auto& ids : texts)
    batch.add(ids.data(), ids.size());
  return batch;
}

} // namespace

TEST_CASE("word and position, normalised; positions begin anew with each text") {
  for (const Precision precision : all_precisions) {
    LayerSetup setup({.vocab = 50, .positions = 40, .dim = 36, .n_heads = 3}, precision);
    const std::vector<std::vector<std::int32_t>> texts = {{0, 49, 7}, {7}, random_ids(setup.model.shape, 0, 40)};
    const Batch batch = batch_of(texts);
    setup.workspace.begin(batch.tokens(), batch.texts(), batch.longest());
    Activations hidden(batch.tokens(), setup.config.dim);
    const Embeddings embeddings = Embeddings::load(setup.weights, setup.config);
    embeddings.check(batch);
    embeddings.forward(batch, hidden.rows(), setup.workspace);
    const Matrix found = hidden.matrix();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Matrix expected = setup.naive.embeddings(texts[i]);
      for (std::size_t t = 0; t < texts[i].size(); ++t)
        for (std::size_t c = 0; c < found.columns; ++c)
          CHECK(found(batch.offsets[i] + t, c) == doctest::Approx(expected(t, c)).epsilon(1e-5));
    }
  }
}

namespace {

/// A BERT's embeddings as its paper has them: LayerNorm(word + position + type), of one text.
Matrix bert_embeddings(const RandomModel& model, const std::vector<std::int32_t>& ids,
                       const std::vector<std::int32_t>& types) {
  const auto row = [&](const std::string& table, std::size_t r) {
    for (const Tensor& tensor : model.tensors)
      if (tensor.name == table)
        return tensor.values.data() + r * tensor.size.back();
    throw std::runtime_error(table);
  };
  Matrix sum(ids.size(), model.shape.dim);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const auto word = static_cast<std::size_t>(ids[t]), type = static_cast<std::size_t>(types[t]);
    double mean = 0, variance = 0;
    for (std::size_t c = 0; c < sum.columns; ++c) {
      sum(t, c) = double{row("embeddings.word_embeddings.weight", word)[c]} +
                  double{row("embeddings.position_embeddings.weight", t)[c]} +
                  double{row("embeddings.token_type_embeddings.weight", type)[c]};
      mean += sum(t, c) / static_cast<double>(sum.columns);
    }
    for (std::size_t c = 0; c < sum.columns; ++c)
      variance += (sum(t, c) - mean) * (sum(t, c) - mean) / static_cast<double>(sum.columns);
    for (std::size_t c = 0; c < sum.columns; ++c)
      sum(t, c) = (sum(t, c) - mean) / std::sqrt(variance + 1e-12) * double{row("embeddings.LayerNorm.weight", 0)[c]} +
                  double{row("embeddings.LayerNorm.bias", 0)[c]};
  }
  return sum;
}

/// A model with its embeddings, and what they make of a batch.
struct Embedder {
  explicit Embedder(const Shape& shape)
      : model(shape), config(DistilBertConfig::from_pretrained(model.path())),
        weights(PackedModel::from_pretrained(model.path(), config)), embeddings(Embeddings::load(weights, config)) {}

  Matrix operator()(const Batch& batch) const {
    Workspace workspace(config);
    workspace.begin(batch.tokens(), batch.texts(), batch.longest());
    Activations hidden(batch.tokens(), config.dim);
    embeddings.check(batch);
    embeddings.forward(batch, hidden.rows(), workspace);
    return hidden.matrix();
  }

  RandomModel model;
  DistilBertConfig config;
  PackedModel weights;
  Embeddings embeddings;
};

Shape small_shape(const std::string& family) {
  Shape shape{.vocab = 50, .positions = 40, .dim = 36, .n_heads = 3};
  shape.family = family;
  shape.prefix = family + ".";
  return shape;
}

} // namespace

TEST_CASE("BERT's token types are added where the batch has them, and are 0 where it does not") {
  const Embedder bert(small_shape("bert"));
  const std::vector<std::vector<std::int32_t>> texts = {{2, 7, 3, 9, 3}, {2, 3, 7, 3}};
  const std::vector<std::vector<std::int32_t>> types = {{0, 0, 0, 1, 1}, {0, 0, 1, 1}};
  Batch plain = batch_of(texts), pairs = plain, zeros = plain;
  zeros.type_ids.assign(9, 0);
  for (const auto& ids : types)
    pairs.type_ids.insert(pairs.type_ids.end(), ids.begin(), ids.end());
  const Matrix with_types = bert(pairs), without = bert(plain);
  CHECK(bert(zeros).values == without.values);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Matrix expected = bert_embeddings(bert.model, texts[i], types[i]);
    const Matrix of_zeros = bert_embeddings(bert.model, texts[i], std::vector<std::int32_t>(texts[i].size(), 0));
    for (std::size_t t = 0; t < texts[i].size(); ++t)
      for (std::size_t c = 0; c < expected.columns; ++c) {
        CHECK(with_types(plain.offsets[i] + t, c) == doctest::Approx(expected(t, c)).epsilon(1e-5));
        CHECK(without(plain.offsets[i] + t, c) == doctest::Approx(of_zeros(t, c)).epsilon(1e-5));
      }
  }
}

TEST_CASE("a DistilBERT has no token types, and looks at none") {
  const Embedder distilbert(small_shape("distilbert"));
  const Batch plain = batch_of({{2, 7, 3, 9, 3}});
  Batch typed = plain;
  typed.type_ids = {0, 0, 0, 1, 99};
  CHECK(distilbert(typed).values == distilbert(plain).values);
}

TEST_CASE("token types that the model does not know are refused, and the text named") {
  const Embedder bert(small_shape("bert"));
  std::string what;
  Batch batch = batch_of({{2, 3}, {2, 7, 3}});
  for (const std::int32_t type : {2, -1, INT32_MAX, INT32_MIN}) {
    batch.type_ids = {0, 1, 0, 1, type};
    CHECK(refused(bert.embeddings, batch, what) == ErrorCode::invalid_argument);
    CHECK(what.find("text 1 has the token type " + std::to_string(type) + ", the model knows 0 to 1") != what.npos);
  }
  batch.type_ids = {0, 1, 0, 1}; // one too few
  CHECK(refused(bert.embeddings, batch, what) == ErrorCode::invalid_argument);

  // A BERT that was converted when only type 0 was kept
  const Embedder distilbert(small_shape("distilbert"));
  DistilBertConfig config = distilbert.config;
  config.type_vocab_size = 1;
  batch.type_ids = {0, 0, 0, 0, 0};
  CHECK_NOTHROW(Embeddings::load(distilbert.weights, config).check(batch));
  batch.type_ids = {0, 0, 0, 0, 1};
  CHECK(refused(Embeddings::load(distilbert.weights, config), batch, what) == ErrorCode::invalid_argument);
  CHECK(what.find("knows 0 to 0") != what.npos);
}

TEST_CASE("what the tables do not hold is refused, and the text named") {
  LayerSetup setup({.vocab = 50, .positions = 8}, Precision::fp32);
  const Embeddings embeddings = Embeddings::load(setup.weights, setup.config);
  std::string what;
  CHECK_NOTHROW(embeddings.check(batch_of({})));
  CHECK_NOTHROW(embeddings.check(batch_of({{0}, {49, 0, 1, 2, 3, 4, 5, 6}})));

  CHECK(refused(embeddings, batch_of({{1, 2}, {3, 50}}), what) == ErrorCode::invalid_token_id);
  CHECK(what.find("text 1 ") != what.npos);
  CHECK(what.find("50") != what.npos);
  CHECK(refused(embeddings, batch_of({{-1}}), what) == ErrorCode::invalid_token_id);
  CHECK(refused(embeddings, batch_of({{INT32_MAX}}), what) == ErrorCode::invalid_token_id);
  CHECK(refused(embeddings, batch_of({{INT32_MIN}}), what) == ErrorCode::invalid_token_id);
  CHECK(refused(embeddings, batch_of({{1}, {1}, std::vector<std::int32_t>(9, 1)}), what) == ErrorCode::text_too_long);
  CHECK(what.find("text 2 ") != what.npos);
  CHECK(what.find("9") != what.npos);
  CHECK(refused(embeddings, batch_of({{1}, {}, {1}}), what) == ErrorCode::invalid_argument);
  CHECK(what.find("text 1 ") != what.npos);
}
