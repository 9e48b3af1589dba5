// ZeroShotClassifier and ZeroShot.

#include "answers.hpp"
#include "bind.hpp"
#include "loading.hpp"
#include "records.hpp"

#include <distilbert/tasks/zero_shot_classifier.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <pybind11/stl.h>

namespace bindings {

namespace {

using distilbert::ZeroShotClassifier;

/// ZeroShotClassification, and the text that it is about.
struct ZeroShot {
  std::string sequence;
  std::vector<std::string> labels;
  std::vector<float> scores;
  bool truncated = false;
};

std::vector<ZeroShot> judge(const ZeroShotClassifier& model, const Texts& texts, const std::vector<std::string>& labels,
                            const std::string& hypothesis_template, bool multi_label) {
  try {
    auto judged = model.classify(texts.values(), labels, hypothesis_template, multi_label);
    std::vector<ZeroShot> answers;
    for (std::size_t i = 0; i < judged.size(); ++i)
      answers.push_back({readable(std::string(texts.values()[i])), std::move(judged[i].labels),
                         std::move(judged[i].scores), judged[i].truncated});
    for (ZeroShot& answer : answers)
      for (std::string& label : answer.labels)
        label = readable(std::move(label));
    return answers;
  } catch (const distilbert::Error& error) {
    std::vector<std::size_t> numbers; // of the pairs that the library reads
    for (std::size_t text = 0; text < texts.size(); ++text)
      numbers.insert(numbers.end(), labels.size(), text);
    throw renumbered(error, numbers);
  }
}

py::object rank(const Loaded<ZeroShotClassifier>& self, const py::object& texts, const py::object& labels,
                const py::str& hypothesis_template, bool multi_label, bool progress) {
  const std::vector<std::string> names = strings_of("label", labels);
  const std::string hypothesis(hypothesis_template);
  const auto run = [&](const Texts& chunk) { return judge(self.model, chunk, names, hypothesis, multi_label); };
  return answers_of<Texts>(texts, self.threads, progress, run, names.size());
}

} // namespace

void bind_zero_shot_classifier(py::module_& module) {
  define_record(module, "ZeroShot", {"sequence", "labels", "scores", "truncated"}, &ZeroShot::sequence,
                &ZeroShot::labels, &ZeroShot::scores, &ZeroShot::truncated);
  py::class_<Loaded<ZeroShotClassifier>> type(module, "ZeroShotClassifier");
  define_loading(type, &ZeroShotClassifier::from_pretrained);
  type.def_property_readonly("entailment_id",
                             [](const Loaded<ZeroShotClassifier>& self) { return self.model.entailment_id(); });
  type.def("__call__", &rank, py::arg("texts"), py::arg("labels"),
           py::arg("hypothesis_template") = std::string(ZeroShotClassifier::default_template),
           py::arg("multi_label") = false, py::kw_only(), py::arg("progress") = false);
}

} // namespace bindings
