#pragma once
// The probe of a converted model: one input with the answer that the converter got for it.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "../config.hpp"
#include "../error.hpp"
#include "../load_options.hpp" // Precision

namespace distilbert {

/// A question with its answer, stored with a converted model so that the weights can prove themselves.
struct Probe {
  static constexpr std::size_t cls_values = 8;

  std::vector<std::int32_t> ids; // one text, special tokens included
  std::vector<float> logits;     // [labels]; empty for a model that does not classify texts
  std::vector<float> cls;        // such a one's: the first cls_values of the last hidden state of token 0
};

namespace detail {

[[noreturn]] inline void throw_invalid_packed_model(const std::string& what) {
  throw Error(ErrorCode::invalid_packed_model, what + "; convert the original model again");
}

/// The array of numbers under `key`, empty if there is none.
template <class Json, class Number>
std::vector<Number> probe_numbers(const simdjson::dom::object& probe, const char* key, Json least, Json most) {
  std::vector<Number> numbers;
  simdjson::dom::array array;
  if (probe[key].get(array) != simdjson::SUCCESS)
    return numbers;
  for (const simdjson::dom::element element : array) {
    Json number;
    if (element.get(number) != simdjson::SUCCESS || !(number >= least && number <= most))
      throw_invalid_packed_model(std::string("its probe has a wrong number in ") + key);
    numbers.push_back(static_cast<Number>(number));
  }
  return numbers;
}

/// Throws probe_mismatch if an answer is not the one that was stored: in fp32 up to rounding, in bf16 and int8 by more
/// than 2 % of the largest value, since CPUs without fused multiply-add can round an activation to the next step.
inline void check_probe(const std::vector<float>& stored, const std::vector<float>& found, Precision precision) {
  float largest = 1, difference = stored.size() == found.size() ? 0.0f : INFINITY;
  for (std::size_t i = 0; i < std::min(stored.size(), found.size()); ++i) {
    largest = std::max(largest, std::abs(stored[i]));
    difference = std::max(difference, std::isfinite(found[i]) ? std::abs(found[i] - stored[i]) : INFINITY);
  }
  if (!(difference <= (precision == Precision::fp32 ? 1e-4f : 0.02f) * largest))
    throw Error(ErrorCode::probe_mismatch, "the values differ by " + std::to_string(difference));
}

inline Probe read_probe(std::string_view json, const DistilBertConfig& config, bool classifies_texts) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS)
    throw_invalid_packed_model("its probe is not a JSON object");
  constexpr double most = std::numeric_limits<float>::max();
  Probe probe;
  probe.ids = probe_numbers<std::int64_t, std::int32_t>(object, "ids", 0, std::int64_t(config.vocab_size) - 1);
  probe.logits = probe_numbers<double, float>(object, "logits", -most, most);
  probe.cls = probe_numbers<double, float>(object, "cls", -most, most);
  if (probe.ids.empty() || probe.ids.size() > config.max_position_embeddings ||
      probe.logits.size() != (classifies_texts ? config.num_labels() : 0) ||
      probe.cls.size() != (classifies_texts ? 0 : std::min(Probe::cls_values, config.dim)))
    throw_invalid_packed_model("its probe does not fit config.json");
  return probe;
}

} // namespace detail

} // namespace distilbert
