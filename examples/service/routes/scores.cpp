#include "scores.hpp"

#include "problem.hpp"

#include <distilbert/kernels/dispatch.hpp>
#include <distilbert/weights/packed_layout.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace service {

std::vector<float> scores_of(const distilbert::DistilBertConfig& config, const Row& logits) {
  std::vector<float> scores = logits;
  if (config.problem_type != distilbert::ProblemType::regression) {
    scores.resize(distilbert::padded(logits.size()));
    const auto& kernels = distilbert::active_kernels();
    const bool independent =
        config.problem_type == distilbert::ProblemType::multi_label_classification || logits.size() == 1;
    (independent ? kernels.sigmoid : kernels.softmax)(scores.data(), logits.size());
    scores.resize(logits.size());
  }
  if (!std::all_of(scores.begin(), scores.end(), [](float score) { return std::isfinite(score); }))
    throw Problem(Problem::Kind::model, "inference_error: the model's answer is not a finite number");
  return scores;
}

std::vector<std::size_t> ranking_of(const std::vector<float>& scores) {
  std::vector<std::size_t> ids(scores.size());
  std::iota(ids.begin(), ids.end(), std::size_t{0});
  std::stable_sort(ids.begin(), ids.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  return ids;
}

} // namespace service
