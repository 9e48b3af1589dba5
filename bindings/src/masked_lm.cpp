// MaskedLM and Prediction.

#include "answers.hpp"
#include "bind.hpp"
#include "encodings.hpp"
#include "loading.hpp"
#include "records.hpp"

#include <distilbert/tasks/masked_lm.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace bindings {

namespace {

using distilbert::MaskedLM;
using distilbert::MaskPrediction;
using Targets = std::vector<std::string>;

auto fill(const MaskedLM& model, const Texts& texts, std::size_t top_k, const Targets& targets) {
  return model.fill(texts.values(), top_k, targets);
}
auto fill(const MaskedLM& model, const Encodings& texts, std::size_t top_k, const Targets& targets) {
  return model.fill_encoded(texts.values(), top_k, targets);
}

py::object call(const Loaded<MaskedLM>& self, const py::object& texts, Count top_k, const py::object& targets,
                bool progress) {
  const Targets words = targets.is_none() ? Targets() : strings_of("target", targets);
  if (!targets.is_none() && words.empty())
    throw distilbert::Error(distilbert::ErrorCode::invalid_argument, "no targets");
  return answers_of<Encodings, Texts>(texts, self.threads, progress,
                                      [&](const auto& chunk) { return fill(self.model, chunk, top_k, words); });
}

} // namespace

void bind_masked_lm(py::module_& module) {
  define_record(module, "Prediction", {"token", "token_str", "score", "sequence"}, &MaskPrediction::token,
                &MaskPrediction::token_str, &MaskPrediction::score, &MaskPrediction::sequence);
  py::class_<Loaded<MaskedLM>> type(module, "MaskedLM");
  define_loading(type, &MaskedLM::from_pretrained);
  type.def("__call__", &call, py::arg("texts"), py::arg("top_k") = 5, py::arg("targets") = py::none(), py::kw_only(),
           py::arg("progress") = false);
}

} // namespace bindings
