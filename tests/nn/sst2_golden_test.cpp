// The shipped model, its int8 weights widened to fp32, against Hugging Face transformers with the same weights.

#include <doctest/doctest.h>

#include "converted.hpp"
#include "golden.hpp"

using namespace distilbert;
using namespace distilbert::test;

TEST_CASE("models/sst2 in fp32 answers as transformers does") {
  const std::filesystem::path directory = std::filesystem::path(DISTILBERT_SOURCE_DIR) / "models" / "sst2";
  const auto config = DistilBertConfig::from_pretrained(directory);
  const RandomModel model(shape_of(config), unpacked_tensors(PackedModel::from_pretrained(directory, config), config));

  const GoldenFile golden("sst2.json");
  // differs when the model has been trained anew: run golden/make_goldens.py sst2
  REQUIRE(checksum(model.tensors) == std::stoull(text_of(golden["checksum"]), nullptr, 16));

  Batch batch;
  for (const auto& ids : rows_of<std::int32_t>(golden["ids"]))
    batch.add(ids.data(), ids.size());
  CHECK(batch.texts() == 42);
  CHECK(batch.length(0) == 1);
  CHECK(batch.longest() == 512);
  const auto fp32_config = DistilBertConfig::from_pretrained(model.path());
  Workspace workspace(fp32_config);
  std::vector<float> logits(batch.texts() * config.num_labels());
  DistilBertForSequenceClassification::load(PackedModel::from_pretrained(model.path(), fp32_config), fp32_config)
      .forward(batch, workspace, logits.data());
  CHECK(relative_difference(logits, joined(rows_of<float>(golden["logits"]))) <= golden_tolerance);
}
