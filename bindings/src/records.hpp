#pragma once
// Results as Python objects: read-only fields, a repr that shows them all, equality, a hash, and pickling.

#include <array>
#include <cstddef>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "pickling.hpp"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace bindings {

namespace py = pybind11;

template <class T> std::string repr_of(const T& value) { return py::repr(py::cast(value)); }
inline std::string repr_of(double value) { return py::str("{:.6g}").format(value); }
inline std::string repr_of(float value) { return repr_of(double(value)); }
inline std::string repr_of(const std::vector<float>& values) {
  std::string text;
  for (const float value : values)
    text += (text.empty() ? "[" : ", ") + repr_of(value);
  return text.empty() ? "[]" : text + "]";
}

/// Names one field after the other; `names` are Python's.
template <class T, class... Fields>
void define_record(py::module_& module, const char* name, const std::array<const char*, sizeof...(Fields)>& names,
                   Fields T::*... fields) {
  py::class_<T> type(module, name);
  std::size_t next = 0;
  (type.def_readonly(names[next++], fields), ...);
  type.def("__repr__", [=](const T& self) {
    std::string text;
    std::size_t field = 0;
    ((text += (field > 0 ? ", " : "") + std::string(names[field]) + '=' + repr_of(self.*fields), ++field), ...);
    return std::string(name) + '(' + text + ')';
  });
  type.def(
      "__eq__", [=](const T& self, const T& other) { return ((self.*fields == other.*fields) && ...); },
      py::is_operator());
  type.def("__hash__", [](py::handle self) { return py::hash(py::repr(self)); }); // equal ones look the same
  define_pickling(
      type, [=](const T& self) { return std::tuple<Fields...>(self.*fields...); },
      [=](std::tuple<Fields...> state) {
        T record;
        std::apply([&](auto&&... values) { ((record.*fields = std::move(values)), ...); }, std::move(state));
        return record;
      });
}

} // namespace bindings
