// DistilBertModel and Features: the encoder alone, from texts or token ids to hidden states and attention.

#include "arrays.hpp"
#include "bind.hpp"
#include "loading.hpp"
#include "texts.hpp"

#include <distilbert/tasks/feature_extractor.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace bindings {

namespace {

using distilbert::FeatureExtractor;
using distilbert::Features;

py::object hidden_states(const Loaded<FeatureExtractor>& self, const py::object& texts, bool progress) {
  const auto dim = static_cast<py::ssize_t>(self.model.config().dim);
  py::list all;
  Items items(texts);
  Progress bar(progress, texts);
  for_each_chunk_of_any(
      items, self.threads, bar, [&](const auto& chunk) { return self.model.last_hidden_state(chunk.values()); },
      [&](std::vector<std::vector<float>>&& states) {
        for (std::vector<float>& state : states) {
          const auto tokens = static_cast<py::ssize_t>(state.size()) / dim;
          all.append(to_array(std::move(state), {tokens, dim}));
        }
      });
  return py::isinstance<py::str>(texts) ? py::object(all[0]) : py::object(all);
}

py::array_t<float> cls(const Loaded<FeatureExtractor>& self, const py::object& texts, bool progress) {
  const auto dim = static_cast<py::ssize_t>(self.model.config().dim);
  std::vector<float> all;
  Items items(texts);
  Progress bar(progress, texts);
  for_each_chunk_of_any(
      items, self.threads, bar, [&](const auto& chunk) { return self.model.cls(chunk.values()); },
      [&](std::vector<float>&& rows) { all.insert(all.end(), rows.begin(), rows.end()); });
  const auto rows = static_cast<py::ssize_t>(all.size()) / dim;
  return to_array(std::move(all), {rows, dim});
}

/// Features, with what it takes to show them.
struct Inspection {
  Features features;
  std::vector<std::string> tokens;
  py::ssize_t dim, heads;

  py::ssize_t length() const { return static_cast<py::ssize_t>(features.ids.size()); }
};

Inspection inspect(const Loaded<FeatureExtractor>& self, const py::object& text) {
  Texts one;
  one.add(text, 0);
  const auto& config = self.model.config();
  distilbert::FeatureOptions options;
  options.hidden_states = options.attentions = true;
  options.offset_unit = distilbert::OffsetUnit::code_points;
  Inspection inspection{without_gil([&] { return self.model.extract(one.values().front(), options); }),
                        {},
                        static_cast<py::ssize_t>(config.dim),
                        static_cast<py::ssize_t>(config.n_heads)};
  for (const std::int32_t id : inspection.features.ids)
    inspection.tokens.emplace_back(self.model.tokenizer().token(id));
  return inspection;
}

/// One view for each of some matrices.
py::list views(const std::vector<std::vector<float>>& matrices, const std::vector<py::ssize_t>& shape,
               py::handle owner) {
  py::list all;
  for (const std::vector<float>& matrix : matrices)
    all.append(view(matrix.data(), shape, owner));
  return all;
}

void bind_features(py::module_& module) {
  py::class_<Inspection> type(module, "Features");
  const auto define = [&](const char* name, auto get) {
    type.def_property_readonly(name, [get](py::object self) { return get(self.cast<const Inspection&>(), self); });
  };
  define("ids", [](const Inspection& self, py::handle owner) { return view(self.features.ids, owner); });
  define("offsets",
         [](const Inspection& self, py::handle owner) { return view_of_spans(self.features.offsets, owner); });
  define("last_hidden_state", [](const Inspection& self, py::handle owner) {
    return view(self.features.last_hidden_state.data(), {self.length(), self.dim}, owner);
  });
  define("hidden_states", [](const Inspection& self, py::handle owner) {
    return views(self.features.hidden_states, {self.length(), self.dim}, owner);
  });
  define("attentions", [](const Inspection& self, py::handle owner) {
    return views(self.features.attentions, {self.heads, self.length(), self.length()}, owner);
  });
  type.def_readonly("tokens", &Inspection::tokens);
  type.def_property_readonly("truncated", [](const Inspection& self) { return self.features.truncated; });
  type.def("__repr__", [](const Inspection& self) -> std::string {
    return py::str("Features({} tokens, {} layers, {} heads)")
        .format(self.length(), self.features.attentions.size(), self.heads);
  });
}

} // namespace

void bind_distilbert_model(py::module_& module) {
  bind_features(module);
  py::class_<Loaded<FeatureExtractor>> type(module, "DistilBertModel");
  define_loading(type, &FeatureExtractor::from_pretrained);
  type.def("__call__", &hidden_states, py::arg("texts"), py::kw_only(), py::arg("progress") = false);
  type.def("cls", &cls, py::arg("texts"), py::kw_only(), py::arg("progress") = false);
  type.def("inspect", &inspect, py::arg("text"));
  type.def_property_readonly("dim", [](const Loaded<FeatureExtractor>& self) { return self.model.config().dim; });
}

} // namespace bindings
