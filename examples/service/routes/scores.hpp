#pragma once
// Logits to scores, as transformers' text-classification pipeline has them.

#include "../inference/engine.hpp"
#include "json.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace service {

/// The scores of a classifier's row, by id; the bits of TextClassifier. The logits themselves if the model is one of
/// regression, the sigmoid of each if it has one label or many that are independent, else their softmax. Throws
/// Problem::model if they are not finite.
std::vector<float> scores_of(const distilbert::DistilBertConfig& config, const Row& logits);

/// Ids by falling score, the lower id first among equals.
std::vector<std::size_t> ranking_of(const std::vector<float>& scores);

/// Appends the scores by falling score: [{"label":"POSITIVE","score":0.9998536109924316},...] as Hugging Face's Python
/// (as_double), [{"score":0.9998536,"label":"POSITIVE"},...] as TEI (shortest).
void append_ranking(std::string& out, const distilbert::DistilBertConfig& config, const std::vector<float>& scores,
                    json::Floats floats);

} // namespace service
