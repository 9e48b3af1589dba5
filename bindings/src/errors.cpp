// distilbert::Error as Python exceptions: distilbert.Error, or a subclass of it that is also what Python would raise.

#include "bind.hpp"

#include <distilbert/error.hpp>

#include <cerrno>
#include <exception>
#include <string_view>

namespace bindings {

namespace {

using distilbert::ErrorCode;

constexpr const char* unknown_code = "unknown";

/// The name of the code, which is Error.code in Python.
const char* name_of(ErrorCode code) {
  switch (code) {
#define DISTILBERT_NAME(code)                                                                                          \
  case ErrorCode::code: return #code
    DISTILBERT_NAME(file_not_found);
    DISTILBERT_NAME(file_not_regular);
    DISTILBERT_NAME(file_not_readable);
    DISTILBERT_NAME(file_too_large);
    DISTILBERT_NAME(out_of_memory);
    DISTILBERT_NAME(header_too_small);
    DISTILBERT_NAME(header_too_large);
    DISTILBERT_NAME(invalid_header_length);
    DISTILBERT_NAME(invalid_header_utf8);
    DISTILBERT_NAME(invalid_header_json);
    DISTILBERT_NAME(duplicate_tensor);
    DISTILBERT_NAME(invalid_offset);
    DISTILBERT_NAME(tensor_size_mismatch);
    DISTILBERT_NAME(size_overflow);
    DISTILBERT_NAME(misaligned_tensor);
    DISTILBERT_NAME(incomplete_buffer);
    DISTILBERT_NAME(invalid_config);
    DISTILBERT_NAME(unsupported_architecture);
    DISTILBERT_NAME(missing_tensor);
    DISTILBERT_NAME(wrong_shape);
    DISTILBERT_NAME(unsupported_dtype);
    DISTILBERT_NAME(non_finite_weight);
    DISTILBERT_NAME(invalid_packed_model);
    DISTILBERT_NAME(probe_mismatch);
    DISTILBERT_NAME(invalid_vocabulary);
    DISTILBERT_NAME(invalid_tokenizer_file);
    DISTILBERT_NAME(invalid_utf8);
    DISTILBERT_NAME(invalid_truncation);
    DISTILBERT_NAME(text_too_long);
    DISTILBERT_NAME(invalid_token_id);
    DISTILBERT_NAME(invalid_argument);
    DISTILBERT_NAME(unsupported_isa);
    DISTILBERT_NAME(non_finite_result);
#undef DISTILBERT_NAME
  }
  return unknown_code;
}

/// Never freed: errors may come for as long as the process lives.
struct ErrorTypes {
  PyObject *error, *invalid_input, *file_missing, *out_of_memory;

  PyObject* of(ErrorCode code) const {
    switch (code) {
    case ErrorCode::file_not_found: return file_missing;
    case ErrorCode::out_of_memory: return out_of_memory;
    case ErrorCode::invalid_utf8:
    case ErrorCode::invalid_truncation:
    case ErrorCode::text_too_long:
    case ErrorCode::invalid_token_id:
    case ErrorCode::invalid_argument:
    case ErrorCode::unsupported_isa: return invalid_input;
    default: return error;
    }
  }
};
ErrorTypes types;

PyObject* make_type(py::module_& module, const char* name, const py::object& bases) {
  const std::string full_name = std::string("distilbert.") + name;
  PyObject* type = PyErr_NewException(full_name.c_str(), bases.ptr(), nullptr);
  if (!type)
    throw py::error_already_set();
  module.add_object(name, type);
  return type;
}

void raise(const distilbert::Error& error) {
  const auto type = py::reinterpret_borrow<py::object>(types.of(error.code()));
  const std::string_view what = error.what();
  // a path that is named need not be UTF-8
  const auto words = py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(what.data(), static_cast<Py_ssize_t>(what.size()), "surrogateescape"));
  if (!words)
    return;
  const py::object exception = type(words);
  exception.attr("code") = name_of(error.code());
  if (error.code() == ErrorCode::file_not_found)
    exception.attr("errno") = ENOENT;
  PyErr_SetObject(type.ptr(), exception.ptr());
}

} // namespace

void bind_errors(py::module_& module) {
  const auto handle = [](PyObject* type) { return py::reinterpret_borrow<py::object>(type); };
  types.error = make_type(module, "Error", handle(PyExc_Exception));
  handle(types.error).attr("code") = unknown_code;
  types.invalid_input =
      make_type(module, "InvalidInputError", py::make_tuple(handle(types.error), handle(PyExc_ValueError)));
  types.file_missing =
      make_type(module, "FileMissingError", py::make_tuple(handle(types.error), handle(PyExc_FileNotFoundError)));
  types.out_of_memory =
      make_type(module, "OutOfMemoryError", py::make_tuple(handle(types.error), handle(PyExc_MemoryError)));
  py::register_local_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer)
        std::rethrow_exception(pointer);
    } catch (const distilbert::Error& error) {
      raise(error);
    }
  });
}

} // namespace bindings
