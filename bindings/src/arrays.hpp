#pragma once
// Vectors as numpy arrays, without a copy.

#include <distilbert/text/offsets.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <pybind11/numpy.h>

namespace bindings {

namespace py = pybind11;

/// A read-only view of what `owner` holds and keeps.
template <class T> py::array_t<T> view(const T* data, std::vector<py::ssize_t> shape, py::handle owner) {
  py::array_t<T> array(std::move(shape), data, owner);
  array.attr("flags").attr("writeable") = false;
  return array;
}

template <class T> py::array_t<T> view(const std::vector<T>& values, py::handle owner) {
  return view(values.data(), {static_cast<py::ssize_t>(values.size())}, owner);
}

/// [n, 2]: where tokens begin and end.
inline py::array_t<std::uint32_t> view_of_spans(const std::vector<distilbert::Span>& spans, py::handle owner) {
  static_assert(sizeof(distilbert::Span) == 2 * sizeof(std::uint32_t));
  return view(reinterpret_cast<const std::uint32_t*>(spans.data()), {static_cast<py::ssize_t>(spans.size()), 2}, owner);
}

/// An array that takes the vector over.
template <class T> py::array_t<T> to_array(std::vector<T>&& values, std::vector<py::ssize_t> shape) {
  auto kept = std::make_unique<std::vector<T>>(std::move(values));
  const T* data = kept->data();
  const py::capsule owner(kept.get(), [](void* vector) { delete static_cast<std::vector<T>*>(vector); });
  (void)kept.release();
  return py::array_t<T>(std::move(shape), data, owner);
}

} // namespace bindings
