// One translation unit of a user's program. It is compiled more than once, each time into another namespace, and the
// copies are linked into one program.

#include <distilbert/distilbert.hpp>

#include "unit.hpp"

std::vector<float> UNIT::scores(const char* model, const std::vector<std::string_view>& texts) {
  const auto classifier = distilbert::TextClassifier::from_pretrained(model);
  std::vector<float> result;
  for (const auto& answer : classifier.classify(texts))
    result.insert(result.end(), answer.scores.begin(), answer.scores.end());
  return result;
}
