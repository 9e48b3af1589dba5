#pragma once
// Objects that can be pickled.

#include <utility>

#include <pybind11/pybind11.h>

namespace bindings {

namespace py = pybind11;

/// py::pickle(get, set), but that what Class.__new__(Class) makes for __setstate__() is a T(): pybind11 leaves it
/// without a value, and reads wild memory when it is used before. T() must own no memory, as pybind11 frees it without
/// its destructor.
template <class T, class Get, class Set> void define_pickling(py::class_<T>& type, Get get, Set set) {
  const auto slots = [](py::handle cls) { return reinterpret_cast<PyTypeObject*>(cls.ptr()); };
  type.def_static("__new__", [slots, own = slots(type)](const py::type& cls) {
    if (!PyType_IsSubtype(slots(cls), own))
      throw py::type_error("a subclass is expected");
    PyObject* self = py::detail::make_new_instance(slots(cls));
    reinterpret_cast<py::detail::instance*>(self)->get_value_and_holder().value_ptr() = new T();
    return py::reinterpret_steal<py::object>(self);
  });
  type.def(py::pickle(std::move(get), std::move(set)));
}

} // namespace bindings
