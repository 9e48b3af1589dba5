#pragma once
// The probe: one text's answer, asked of a model in memory, and as the JSON that a converted file carries.

#include "../examples/common/json_text.hpp"

#include <distilbert/tasks/sequence_classification.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace convert {

/// What the model answered, of whichever kind it is.
inline const std::vector<float>& answer(const distilbert::Probe& probe) {
  return probe.logits.empty() ? probe.cls : probe.logits;
}

/// Runs the ids through the model: logits of one that classifies texts, else the start of the [CLS] token's last hidden
/// state.
/// Throws non_finite_result if the answer is not finite.
inline distilbert::Probe ask(const distilbert::PackedModel& model, const distilbert::DistilBertConfig& config,
                             const std::vector<std::int32_t>& ids) {
  using namespace distilbert;
  Probe probe{ids, {}, {}};
  Batch batch;
  batch.add(ids.data(), ids.size());
  Workspace workspace(config);
  if (distilbert::detail::classifies_texts([&](const char* layer) { return model.has(layer); })) {
    probe.logits.resize(config.num_labels());
    DistilBertForSequenceClassification::load(model, config).forward(batch, workspace, probe.logits.data());
  } else {
    const Rows hidden = DistilBertModel::load(model, config).forward(batch, workspace);
    probe.cls.assign(hidden.data(), hidden.data() + std::min(Probe::cls_values, config.dim));
  }
  for (const float value : answer(probe))
    if (!std::isfinite(value))
      throw Error(ErrorCode::non_finite_result, "the probe's, in " + std::string(precision_name(model.precision())));
  return probe;
}

inline std::string probe_json(const distilbert::Probe& probe) {
  std::string json = "{\"ids\":";
  cli::append_json_array(json, probe.ids);
  json += probe.logits.empty() ? ",\"cls\":" : ",\"logits\":";
  cli::append_json_array(json, answer(probe));
  return json + '}';
}

} // namespace convert
