// TextClassifier and Classification.

#include "answers.hpp"
#include "arrays.hpp"
#include "arrow_texts.hpp"
#include "bind.hpp"
#include "encodings.hpp"
#include "loading.hpp"
#include "pickling.hpp"
#include "text_pairs.hpp"
#include "texts.hpp"

#include <distilbert/tasks/text_classifier.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <pybind11/stl.h>

namespace bindings {

namespace {

using distilbert::Classification;
using distilbert::TextClassifier;

std::string repr(const Classification& self) {
  return py::str("Classification(label={!r}, score={:.6f}, token_count={}, truncated={})")
      .format(self.label, self.score, self.token_count, self.truncated);
}

auto classify_chunk(const TextClassifier& model, const TextPairs& pairs) {
  return model.classify_pairs(pairs.values());
}
auto classify_chunk(const TextClassifier& model, const Encodings& texts) {
  return model.classify_encoded(texts.values());
}
auto classify_chunk(const TextClassifier& model, const Texts& texts) { return model.classify(texts.values()); }

bool same(const Classification& a, const Classification& b) {
  return a.label == b.label && a.score == b.score && a.scores == b.scores && a.logits == b.logits &&
         a.token_count == b.token_count && a.truncated == b.truncated;
}

py::list classify_items(const Loaded<TextClassifier>& self, Items& items, std::optional<std::size_t> stride,
                        Progress& bar) {
  py::list answers;
  const auto take = [&](std::vector<Classification>&& chunk_answers) {
    for (Classification& answer : chunk_answers)
      answers.append(py::cast(std::move(answer)));
  };
  const TextClassifier& model = self.model;
  if (stride)
    for_each_chunk<Texts>(
        items, self.threads, bar, [&](const Texts& chunk) { return model.classify_windows(chunk.values(), *stride); },
        take);
  else
    for_each_chunk_of<TextPairs, Encodings, Texts>(
        items, self.threads, bar, [&](const auto& chunk) { return classify_chunk(model, chunk); }, take);
  return answers;
}

py::object classify(const Loaded<TextClassifier>& self, const py::object& texts, std::optional<Count> stride,
                    bool progress) {
  if (py::isinstance<py::str>(texts)) {
    Texts text;
    text.add(texts, 0);
    return py::cast(without_gil([&] {
      return stride ? self.model.classify_windows(text.values(), *stride).front()
                    : self.model.classify(text.values().front());
    }));
  }
  Items items(texts);
  Progress bar(progress, texts);
  return classify_items(self, items, stride, bar);
}

/// Some texts of many, the first of which errors call `first`.
py::list classify_batch(const Loaded<TextClassifier>& self, const py::list& texts, std::size_t first) {
  Items items(texts, first);
  Progress hidden(false, texts);
  return classify_items(self, items, std::nullopt, hidden);
}

/// See run_arrow.
py::tuple arrow_scores(const Loaded<TextClassifier>& self, const py::object& array, std::size_t first) {
  return run_arrow(array, first, self.threads, self.model.config().num_labels(), [&](const auto& texts) {
    std::vector<float> scores;
    for (const Classification& answer : self.model.classify(texts))
      scores.insert(scores.end(), answer.scores.begin(), answer.scores.end());
    return scores;
  });
}

py::array_t<float> logits(const Loaded<TextClassifier>& self, const py::object& texts, bool progress) {
  std::vector<float> all;
  Items items(texts);
  Progress bar(progress, texts);
  for_each_chunk_of_any(
      items, self.threads, bar, [&](const auto& chunk) { return self.model.logits(chunk.values()); },
      [&](std::vector<float>&& logits) { all.insert(all.end(), logits.begin(), logits.end()); });
  const auto labels = static_cast<py::ssize_t>(self.model.config().num_labels());
  const auto rows = static_cast<py::ssize_t>(all.size()) / labels;
  return to_array(std::move(all), {rows, labels});
}

} // namespace

void bind_text_classifier(py::module_& module) {
  using State = std::tuple<std::string, float, std::vector<float>, std::vector<float>, std::size_t, bool>;
  py::class_<Classification> answer(module, "Classification");
  answer.def_readonly("label", &Classification::label)
      .def_readonly("score", &Classification::score)
      .def_readonly("token_count", &Classification::token_count)
      .def_readonly("truncated", &Classification::truncated)
      .def_property_readonly("scores",
                             [](py::object self) { return view(self.cast<const Classification&>().scores, self); })
      .def_property_readonly("logits",
                             [](py::object self) { return view(self.cast<const Classification&>().logits, self); })
      .def("__repr__", &repr)
      .def("__eq__", &same, py::is_operator())
      .def("__hash__", [](py::handle self) { return py::hash(py::repr(self)); });
  define_pickling(
      answer,
      [](const Classification& self) {
        return State(self.label, self.score, self.scores, self.logits, self.token_count, self.truncated);
      },
      [](State state) {
        auto& [label, score, scores, logits, token_count, truncated] = state;
        return Classification{std::move(label), score, std::move(scores), std::move(logits), token_count, truncated};
      });

  py::class_<Loaded<TextClassifier>> type(module, "TextClassifier");
  define_loading(type, &TextClassifier::from_pretrained);
  type.def_static("default", [](const py::kwargs& options) {
    const py::list package = py::module_::import("distilbert").attr("__path__");
    const py::object directory = py::module_::import("pathlib").attr("Path")(package[0]) / py::str("models/sst2");
    return py::type::of<Loaded<TextClassifier>>().attr("from_pretrained")(directory, **options);
  });
  type.def("__call__", &classify, py::arg("texts"), py::kw_only(), py::arg("stride") = py::none(),
           py::arg("progress") = false);
  type.def("_batch", &classify_batch, py::arg("texts"), py::arg("first"));
  type.def("_arrow_scores", &arrow_scores, py::arg("array"), py::arg("first"));
  type.def("logits", &logits, py::arg("texts"), py::kw_only(), py::arg("progress") = false);
  type.def_property_readonly("labels", [](const Loaded<TextClassifier>& self) { return self.model.config().id2label; });
  type.def_property_readonly("id2label", [](const Loaded<TextClassifier>& self) {
    py::dict names;
    const auto& labels = self.model.config().id2label;
    for (std::size_t id = 0; id < labels.size(); ++id)
      names[py::int_(id)] = labels[id];
    return names;
  });
}

} // namespace bindings
