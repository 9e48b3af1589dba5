#include "scores.hpp"

#include "../../common/json_text.hpp"

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

void append_ranking(std::string& out, const distilbert::DistilBertConfig& config, const std::vector<float>& scores,
                    json::Floats floats) {
  const bool label_first = floats == json::Floats::as_double;
  char separator = '[';
  for (const std::size_t id : ranking_of(scores)) {
    out += separator;
    out += label_first ? "{\"label\":" : "{\"score\":";
    if (label_first)
      cli::append_json_string(out, config.id2label[id]);
    else
      json::append_float(out, scores[id], floats);
    out += label_first ? ",\"score\":" : ",\"label\":";
    if (label_first)
      json::append_float(out, scores[id], floats);
    else
      cli::append_json_string(out, config.id2label[id]);
    out += '}';
    separator = ',';
  }
  out += ']';
}

} // namespace service
