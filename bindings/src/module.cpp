// distilbert._core: the library as Python sees it. _core.pyi holds the manual.

#include "bind.hpp"
#include "options.hpp"

#include <distilbert/version.hpp>

#include <cstddef>
#include <string>

namespace py = pybind11;

namespace {

/// "(str, top_k=float)": what a call was made with, without the user's data.
std::string types_of(const py::args& args, const py::kwargs& kwargs, std::size_t first) {
  std::string types;
  const auto add = [&](const std::string& name, py::handle value) {
    types += (types.empty() ? "" : ", ") + name + Py_TYPE(value.ptr())->tp_name;
  };
  for (std::size_t i = first; i < args.size(); ++i)
    add("", args[i]);
  for (const auto& [name, value] : kwargs)
    add(std::string(py::str(name)) + "=", value);
  return '(' + types + ')';
}

/// Adds to the function of that name in a class or a module one that takes what no other takes, and refuses it:
/// pybind11 itself would put a repr of all arguments, texts of users included, into the message.
void refuse_the_rest(py::handle scope, const std::string& name, bool method) {
  const auto refuse = [name, method](const py::args& args, const py::kwargs& kwargs) -> py::object {
    throw py::type_error(name + "() does not take these arguments: " + types_of(args, kwargs, method ? 1 : 0));
  };
  const py::object known = scope.attr(name.c_str());
  if (method)
    scope.attr(name.c_str()) =
        py::cpp_function(refuse, py::name(name.c_str()), py::is_method(scope), py::sibling(known));
  else
    py::cpp_function(refuse, py::name(name.c_str()), py::scope(scope), py::sibling(known));
}

void refuse_the_rest(const py::module_& module) {
  for (const auto& [name, member] : py::dict(module.attr("__dict__"))) {
    if (PyCFunction_Check(member.ptr()))
      refuse_the_rest(module, py::str(name), false);
    if (!PyType_Check(member.ptr()) || PyExceptionClass_Check(member.ptr()))
      continue;
    for (const auto& [function, value] : py::dict(member.attr("__dict__"))) {
      const std::string function_name = py::str(function);
      if (function_name[0] == '_' && function_name != "__call__")
        continue;
      if (PyInstanceMethod_Check(value.ptr()))
        refuse_the_rest(member, function_name, true);
      else if (py::isinstance(value, py::handle(reinterpret_cast<PyObject*>(&PyStaticMethod_Type))))
        refuse_the_rest(member, function_name, false);
    }
  }
}

} // namespace

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  module.doc() = "DistilBERT on CPUs: what distilbert.cpp computes, for Python.";
  module.attr("__version__") = distilbert::version();

  bindings::bind_errors(module);
  bindings::bind_settings(module);
  bindings::bind_tokenizer(module);
  bindings::bind_text_classifier(module);
  bindings::bind_distilbert_model(module);
  bindings::bind_sentence_embedder(module);
  bindings::bind_token_classifier(module);
  bindings::bind_question_answerer(module);
  bindings::bind_masked_lm(module);
  bindings::bind_multiple_choice(module);
  bindings::bind_zero_shot_classifier(module);
  bindings::bind_convert(module);
  refuse_the_rest(module);
}
