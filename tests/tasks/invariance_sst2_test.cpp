#include "invariance.hpp"

#include <doctest/doctest.h>

using namespace distilbert::test;

TEST_CASE("1,000 random batches of the shipped model on the level of this CPU, some on each of the others") {
  Stream stream(1, "invariance");
  auto texts = random_texts(
      stream, 30, 6, {"a", "film", "good", "not", "never", "joy", "dull", "warm", "!", "unwatchable", "and", "it"});
  for (const std::size_t words : {40u, 150u, 600u}) { // one batch alone, several batches, truncated
    texts.emplace_back();
    for (std::size_t i = 0; i < words; ++i)
      texts.back() += i % 3 ? "wonderful " : "hardly ";
  }
  const auto classifiers = with_threads(std::filesystem::path(DISTILBERT_SOURCE_DIR) / "models" / "sst2");
  CHECK(differences(classifiers, {texts.begin(), texts.begin() + 30}, 1000, 4, stream) == 0);
  CHECK(differences(classifiers, texts, 10, 20, stream) == 0);
  for (const std::string_view isa : distilbert::available_isas()) {
    CAPTURE(std::string(isa));
    distilbert::set_isa(isa);
    CHECK(differences(classifiers, {texts.begin(), texts.begin() + 30}, 50, 4, stream) == 0);
  }
}
