#include <distilbert/nn/embeddings.hpp>
#include <doctest/doctest.h>

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
