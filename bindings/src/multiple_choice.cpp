// MultipleChoice and Choice.

#include "bind.hpp"
#include "loading.hpp"
#include "records.hpp"
#include "texts.hpp"

#include <distilbert/tasks/multiple_choice.hpp>

namespace bindings {

namespace {

using distilbert::ChoiceAnswer;
using distilbert::MultipleChoice;

ChoiceAnswer choose(const Loaded<MultipleChoice>& self, const py::object& prompt, const py::object& choices) {
  Texts one, several;
  one.add(prompt, 0);
  for (Items items(choices); !items.empty(); items.pop())
    several.add(items.front(), several.size());
  return without_gil([&] { return self.model.choose(one.values().front(), several.values()); });
}

} // namespace

void bind_multiple_choice(py::module_& module) {
  define_record(module, "Choice", {"best", "scores", "logits", "truncated"}, &ChoiceAnswer::best, &ChoiceAnswer::scores,
                &ChoiceAnswer::logits, &ChoiceAnswer::truncated);
  py::class_<Loaded<MultipleChoice>> type(module, "MultipleChoice");
  define_loading(type, &MultipleChoice::from_pretrained);
  type.def("__call__", &choose, py::arg("prompt"), py::arg("choices"));
}

} // namespace bindings
