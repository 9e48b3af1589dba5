// What all classes and functions of the module get in the end: the manual of _core.pyi, and errors without users' data.

#include "bind.hpp"

#include <cstddef>
#include <string>

namespace bindings {

namespace {

/// One for each class, function, method and property: see manual.py.
struct Entry {
  const char *name, *signature, *text;
};
constexpr Entry manual[] = {
#include "manual.inc"
};

const Entry& entry_of(const std::string& name) {
  static constexpr Entry none{"", "", ""};
  for (const Entry& entry : manual)
    if (name == entry.name)
      return entry;
  return none;
}

/// "(str, top_k=float)": what a call was made with.
std::string types_of(const py::args& args, const py::kwargs& kwargs, std::size_t first) {
  std::string listed;
  const auto add = [&](const std::string& name, py::handle value) {
    listed += (listed.empty() ? "" : ", ") + name + Py_TYPE(value.ptr())->tp_name;
  };
  for (std::size_t i = first; i < args.size(); ++i)
    add("", args[i]);
  for (const auto& [name, value] : kwargs)
    add(std::string(py::str(name)) + "=", value);
  return '(' + listed + ')';
}

/// Adds to the function of that name in a class or a module one that takes what no other takes, and refuses it:
/// pybind11 itself would put a repr of all arguments, texts of users included, into the message. The manual becomes
/// that of both.
void finish_function(py::handle scope, const std::string& name, const Entry& entry, bool method) {
  const auto refuse = [name, method](const py::args& args, const py::kwargs& kwargs) -> py::object {
    throw py::type_error(name + "() does not take these arguments: " + types_of(args, kwargs, method ? 1 : 0));
  };
  const std::string doc = name + entry.signature + "\n--\n\n" + entry.text; // the form that inspect.signature() reads
  const py::object known = scope.attr(name.c_str());
  if (method)
    scope.attr(name.c_str()) = py::cpp_function(refuse, py::name(name.c_str()), py::is_method(scope),
                                                py::sibling(known), py::doc(doc.c_str()));
  else
    py::cpp_function(refuse, py::name(name.c_str()), py::scope(scope), py::sibling(known), py::doc(doc.c_str()));
}

/// What every class has as tp_new, its objects being answers or loaded: pybind11 would leave a new one without a value,
/// and look for it in wild memory.
PyObject* refuse_new(PyTypeObject* type, PyObject*, PyObject*) {
  const bool loads = PyObject_HasAttrString(reinterpret_cast<PyObject*>(type), "from_pretrained") != 0;
  return PyErr_Format(PyExc_TypeError, "%U has no constructor%s",
                      reinterpret_cast<PyHeapTypeObject*>(type)->ht_qualname, loads ? ": use from_pretrained()" : "");
}

void finish_class(py::handle type, const std::string& type_name) {
  type.attr("__doc__") = entry_of(type_name).text;
  auto* const slots = reinterpret_cast<PyTypeObject*>(type.ptr());
  if (PyExceptionClass_Check(type.ptr()))
    return;
  slots->tp_new = refuse_new;
  if (!py::dict(type.attr("__dict__")).contains("__reduce__")) // pybind11's would end the process in protocols 0 and 1
    type.attr("__reduce__") = py::cpp_function(
        [type_name](py::handle) -> py::object { throw py::type_error("cannot pickle a " + type_name); },
        py::is_method(type));
  const auto is_a = [](py::handle object, PyTypeObject& kind) {
    return py::isinstance(object, reinterpret_cast<PyObject*>(&kind));
  };
  for (const auto& [key, member] : py::dict(type.attr("__dict__"))) {
    const std::string name = py::str(key);
    const Entry& entry = entry_of(type_name + '.' + name);
    if (is_a(member, PyProperty_Type))
      member.attr("__doc__") = entry.text;
    else if (name[0] == '_' && name != "__call__")
      continue;
    else if (PyInstanceMethod_Check(member.ptr()) || is_a(member, PyStaticMethod_Type))
      finish_function(type, name, entry, PyInstanceMethod_Check(member.ptr()));
  }
}

} // namespace

void finish(py::module_& module) {
  py::options options;
  options.disable_function_signatures();
  for (const auto& [key, member] : py::dict(module.attr("__dict__"))) {
    const std::string name = py::str(key);
    if (PyCFunction_Check(member.ptr()))
      finish_function(module, name, entry_of(name), false);
    else if (PyType_Check(member.ptr()))
      finish_class(member, name);
  }
  module.def("_manual", [](const std::string& name) { return entry_of(name).text; });
}

} // namespace bindings
