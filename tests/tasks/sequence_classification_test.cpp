#include <distilbert/tasks/sequence_classification.hpp>
#include <doctest/doctest.h>

#include "../nn/layer_setup.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

Batch batch_of(const Shape& shape, const std::vector<std::size_t>& lengths) {
  Batch batch;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::vector<std::int32_t> ids = random_ids(shape, i, lengths[i]);
    batch.add(ids.data(), ids.size());
  }
  return batch;
}

std::vector<float> logits_of(LayerSetup& setup, const Batch& batch) {
  const auto model = DistilBertForSequenceClassification::load(setup.weights, setup.config);
  std::vector<float> logits(batch.texts() * model.width());
  model.forward(batch, setup.workspace, logits.data());
  return logits;
}

} // namespace

TEST_CASE("the head agrees with the oracle for any number of labels, more than a panel's included") {
  for (const Precision precision : all_precisions)
    for (const std::size_t labels : {1u, 2u, 3u, 16u, 17u, 40u}) {
      CAPTURE(static_cast<int>(precision));
      CAPTURE(labels);
      const Shape shape{.dim = 36, .n_heads = 3, .labels = labels};
      LayerSetup setup(shape, precision);
      const Batch batch = batch_of(shape, {5, 1, 17, 2});
      const Rows hidden = DistilBertModel::load(setup.weights, setup.config).forward_cls(batch, setup.workspace);
      Matrix cls(batch.texts(), shape.dim);
      for (std::size_t i = 0; i < batch.texts(); ++i)
        for (std::size_t c = 0; c < shape.dim; ++c)
          cls(i, c) = double{hidden(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c))};
      Matrix found(batch.texts(), labels);
      const std::vector<float> logits = logits_of(setup, batch);
      std::copy(logits.begin(), logits.end(), found.values.begin());
      const Matrix expected = setup.naive.head(cls);
      CHECK(difference(found, expected) <= composed_tolerance(precision, expected, setup.naive_fp32.head(cls)));
    }
}

TEST_CASE("a text's logits are the same bytes alone and in a batch") {
  const Shape shape{.dim = 40, .n_heads = 5, .labels = 3};
  for (const Precision precision : all_precisions) {
    LayerSetup setup(shape, precision);
    const Batch batch = batch_of(shape, {20, 1, 33, 2});
    const std::vector<float> together = logits_of(setup, batch);
    for (std::size_t i = 0; i < batch.texts(); ++i) {
      Batch alone;
      alone.add(batch.ids.data() + batch.offsets[i], batch.length(i));
      const std::vector<float> logits = logits_of(setup, alone);
      CHECK(std::equal(logits.begin(), logits.end(), together.begin() + static_cast<std::ptrdiff_t>(i * 3)));
    }
  }
}

TEST_CASE("an empty batch has no logits") {
  LayerSetup setup(Shape{}, Precision::fp32);
  float untouched = 7;
  DistilBertForSequenceClassification::load(setup.weights, setup.config).forward(Batch{}, setup.workspace, &untouched);
  CHECK(untouched == 7);
}

TEST_CASE("an encoder without a head cannot be loaded as a classifier") {
  LayerSetup setup({.labels = 0, .prefix = ""}, Precision::fp32);
  try {
    DistilBertForSequenceClassification::load(setup.weights, setup.config);
    FAIL("it was loaded");
  } catch (const Error& e) {
    CHECK(e.code() == ErrorCode::missing_tensor);
    CHECK(std::string(e.what()).find("pre_classifier") != std::string::npos);
  }
}
