#pragma once
// Objects that can be pickled.

#include <utility>

#include <pybind11/pybind11.h>

namespace bindings {

namespace py = pybind11;

/// Lets objects be pickled and copied: `get` makes a tuple of what a T holds, `set` a T of such a tuple. Not by
/// py::pickle: that needs objects without a value, for __setstate__() to give them one, and pybind11 reads wild memory
/// when they are used before.
template <class T, class Get, class Set> void define_pickling(py::class_<T>& type, Get get, Set set) {
  type.def("__reduce__", [get](const py::object& self) {
    const py::object restore = py::module_::import("distilbert").attr("_restore");
    return py::make_tuple(restore, py::make_tuple(py::type::of(self), get(self.cast<const T&>())));
  });
  type.def_static("_from_state", std::move(set));
}

} // namespace bindings
