#include "arrow_texts.hpp"

#include "arrow_abi.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <unordered_map>

namespace bindings {

namespace {

/// Element i of a buffer, which need not be aligned.
template <class T> T element(const void* buffer, std::int64_t i) {
  T value;
  std::memcpy(&value, static_cast<const char*>(buffer) + i * std::int64_t{sizeof(T)}, sizeof(T));
  return value;
}

/// Elements are counted from the start of the buffers here, not from the offset.
bool is_null(const ArrowArray& array, std::int64_t i) {
  const void* valid = array.n_buffers > 0 ? array.buffers[0] : nullptr;
  return valid && !(element<std::uint8_t>(valid, i / 8) >> (i % 8) & 1);
}

std::string_view checked(const void* data, std::int64_t begin, std::int64_t end) {
  if (begin < 0 || end < begin)
    throw py::value_error("an Arrow array of strings with offsets that decrease");
  return {static_cast<const char*>(data) + begin, static_cast<std::size_t>(end - begin)};
}

template <class Offset> std::string_view string_at(const ArrowArray& array, std::int64_t i) {
  return checked(array.buffers[2], element<Offset>(array.buffers[1], i), element<Offset>(array.buffers[1], i + 1));
}

/// A view is its length and either up to 12 bytes, or 4 of them and in which buffer all lie, from where.
std::string_view string_view_at(const ArrowArray& array, std::int64_t i) {
  const char* view = static_cast<const char*>(array.buffers[1]) + 16 * i;
  const auto size = element<std::int32_t>(view, 0);
  if (size <= 12)
    return checked(view, 4, std::int64_t{4} + size);
  const auto buffer = element<std::int32_t>(view, 2), begin = element<std::int32_t>(view, 3);
  if (buffer < 0 || buffer >= array.n_buffers - 3) // beside validity, views and the sizes of the others
    throw py::value_error("an Arrow array of string views with a buffer that is not there");
  return checked(array.buffers[2 + buffer], begin, std::int64_t{begin} + size);
}

using Getter = std::string_view (*)(const ArrowArray&, std::int64_t);

/// How to read an array of that format; nullptr for that of nulls alone.
Getter string_getter(std::string_view format) {
  if (format == "n")
    return nullptr;
  if (format == "u")
    return string_at<std::int32_t>;
  if (format == "U")
    return string_at<std::int64_t>;
  if (format == "vu")
    return string_view_at;
  throw py::type_error("an Arrow array of strings expected, its format is \"" + std::string(format) + '"');
}

std::int64_t integer_at(const ArrowArray& array, char format, std::int64_t i) {
  const void* values = array.buffers[1];
  switch (format) {
  case 'c': return element<std::int8_t>(values, i);
  case 'C': return element<std::uint8_t>(values, i);
  case 's': return element<std::int16_t>(values, i);
  case 'S': return element<std::uint16_t>(values, i);
  case 'i': return element<std::int32_t>(values, i);
  case 'I': return element<std::uint32_t>(values, i);
  default: return element<std::int64_t>(values, i);
  }
}

template <class T> const T& from_capsule(py::handle capsule, const char* name) {
  const void* pointer = PyCapsule_GetPointer(capsule.ptr(), name);
  if (!pointer)
    throw py::error_already_set();
  return *static_cast<const T*>(pointer);
}

} // namespace

ArrowTexts::ArrowTexts(const py::object& array, std::size_t first)
    : capsules_(call_python(array.attr("__arrow_c_array__"), py::tuple())) {
  const auto& schema = from_capsule<ArrowSchema>(capsules_[0], "arrow_schema");
  const auto& column = from_capsule<ArrowArray>(capsules_[1], "arrow_array");
  const ArrowArray* dictionary = column.dictionary;
  const ArrowArray& strings = dictionary ? *dictionary : column;
  const Getter get = string_getter(dictionary ? schema.dictionary->format : schema.format);

  const auto add = [&](std::int64_t i) -> std::optional<std::size_t> {
    if (!get || is_null(strings, i))
      return std::nullopt;
    texts_.push_back(get(strings, i));
    numbers_.push_back(first + rows_.size());
    return texts_.size() - 1;
  };
  std::unordered_map<std::int64_t, std::optional<std::size_t>> of_dictionary;
  const auto add_once = [&](std::int64_t index) {
    const auto [found, fresh] = of_dictionary.try_emplace(index);
    if (fresh) {
      if (index < 0 || index >= dictionary->length)
        throw py::value_error("an Arrow dictionary of " + std::to_string(dictionary->length) + " texts, indexed by " +
                              std::to_string(index));
      found->second = add(dictionary->offset + index);
    }
    return found->second;
  };
  for (std::int64_t i = column.offset; i < column.offset + column.length; ++i)
    if (!dictionary)
      rows_.push_back(add(i));
    else
      rows_.push_back(is_null(column, i) ? std::nullopt : add_once(integer_at(column, schema.format[0], i)));
}

} // namespace bindings
