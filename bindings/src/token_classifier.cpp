// TokenClassifier and Entity.

#include "answers.hpp"
#include "bind.hpp"
#include "loading.hpp"
#include "records.hpp"

#include <distilbert/tasks/token_classifier.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bindings {

namespace {

using distilbert::Aggregation;
using distilbert::Entity;
using distilbert::TokenClassifier;

py::object entities_of(const Loaded<TokenClassifier>& self, const py::object& texts, const std::string& aggregation,
                       const py::object& ignore_labels, std::optional<Count> stride, bool progress) {
  distilbert::TokenClassifierOptions options;
  options.aggregation = option_of<Aggregation>("aggregation", aggregation,
                                               {{"none", Aggregation::none},
                                                {"simple", Aggregation::simple},
                                                {"first", Aggregation::first},
                                                {"average", Aggregation::average},
                                                {"max", Aggregation::max}});
  options.ignore_labels = strings_of("label", ignore_labels);
  options.stride = stride;
  options.offset_unit = distilbert::OffsetUnit::code_points;
  return answers_of<Texts>(texts, self.threads, progress, [&](const Texts& chunk) {
    auto answers = self.model.classify(chunk.values(), options);
    for (std::vector<Entity>& entities : answers)
      for (Entity& entity : entities)
        entity.word = readable(std::move(entity.word));
    return answers;
  });
}

} // namespace

void bind_token_classifier(py::module_& module) {
  define_record(module, "Entity", {"label", "score", "index", "word", "start", "end"}, &Entity::label, &Entity::score,
                &Entity::index, &Entity::word, &Entity::begin, &Entity::end);
  py::class_<Loaded<TokenClassifier>> type(module, "TokenClassifier");
  define_loading(type, &TokenClassifier::from_pretrained);
  type.def("__call__", &entities_of, py::arg("texts"), py::arg("aggregation") = "simple",
           py::arg("ignore_labels") = py::make_tuple("O"), py::arg("stride") = py::none(), py::kw_only(),
           py::arg("progress") = false);
  type.def_property_readonly("labels",
                             [](const Loaded<TokenClassifier>& self) { return self.model.config().id2label; });
}

} // namespace bindings
