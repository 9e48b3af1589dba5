#pragma once
// Logits to scores, as transformers' text-classification pipeline has them.

#include "../inference/engine.hpp"

#include <cstddef>
#include <vector>

namespace service {

/// The scores of a classifier's row, by id; the bits of TextClassifier. The logits themselves if the model is one of
/// regression, the sigmoid of each if it has one label or many that are independent, else their softmax. Throws
/// Problem::model if they are not finite.
std::vector<float> scores_of(const distilbert::DistilBertConfig& config, const Row& logits);

/// Ids by falling score, the lower id first among equals.
std::vector<std::size_t> ranking_of(const std::vector<float>& scores);

} // namespace service
