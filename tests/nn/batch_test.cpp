#include <distilbert/nn/batch.hpp>
#include <doctest/doctest.h>

using distilbert::Batch;

TEST_CASE("texts lie end to end") {
  Batch batch;
  CHECK(batch.texts() == 0);
  CHECK(batch.tokens() == 0);
  CHECK(batch.longest() == 0);

  const std::int32_t first[] = {101, 7, 102}, second[] = {5};
  batch.add(first, 3);
  batch.add(second, 1);
  batch.ids.push_back(8);
  batch.ids.push_back(9);
  batch.end_text();
  CHECK(batch.ids == std::vector<std::int32_t>{101, 7, 102, 5, 8, 9});
  CHECK(batch.offsets == std::vector<std::size_t>{0, 3, 4, 6});
  CHECK(batch.texts() == 3);
  CHECK(batch.tokens() == 6);
  CHECK(batch.length(0) == 3);
  CHECK(batch.length(1) == 1);
  CHECK(batch.length(2) == 2);
  CHECK(batch.longest() == 3);
}

TEST_CASE("a cleared batch is as good as new") {
  Batch batch;
  const std::int32_t ids[] = {1, 2};
  batch.add(ids, 2);
  batch.type_ids = {0, 1};
  batch.clear();
  CHECK(batch.type_ids.empty());
  CHECK(batch.texts() == 0);
  CHECK(batch.tokens() == 0);
  batch.add(ids, 1);
  CHECK(batch.offsets == std::vector<std::size_t>{0, 1});
}
