#include "texts.hpp"

#include <distilbert/error.hpp>

#include <limits>

#include <pybind11/numpy.h>

namespace bindings {

namespace {

std::string type_name(py::handle object) { return Py_TYPE(object.ptr())->tp_name; }

/// UTF-8 in which each lone surrogate is one ill-formed byte, of which the library makes what it is told to.
std::string repair(py::handle text) {
  const auto bytes = py::reinterpret_steal<py::bytes>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogatepass"));
  if (!bytes)
    throw py::error_already_set();
  const std::string_view encoded = bytes;
  std::string repaired;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    const bool surrogate = encoded[i] == '\xED' && static_cast<unsigned char>(encoded[i + 1]) >= 0xA0;
    repaired += surrogate ? '\xFF' : encoded[i];
    i += surrogate ? 2 : 0;
  }
  return repaired;
}

} // namespace

void Texts::add(py::handle text, std::size_t index) {
  if (!py::isinstance<py::str>(text))
    throw py::type_error("text " + std::to_string(index) + ": str expected, " + type_name(text) + " found");
  Py_ssize_t size = 0;
  const char* utf8 = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  if (utf8) {
    strings_.push_back(py::reinterpret_borrow<py::object>(text));
    views_.emplace_back(utf8, static_cast<std::size_t>(size));
  } else {
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
      throw py::error_already_set();
    PyErr_Clear();
    views_.push_back(repaired_.emplace_back(repair(text)));
  }
  tokens_ += views_.back().size() / 4 + 2; // English has four to five bytes a token
}

void TokenIds::add(py::handle ids, std::size_t index) {
  const std::string text = "text " + std::to_string(index);
  if (py::isinstance<py::str>(ids) || !py::isinstance<py::sequence>(ids))
    throw py::type_error(text + ": token ids expected (a list of int, or an array of integers), " + type_name(ids) +
                         " found");
  py::array array;
  try {
    array = call_python(import_module("numpy").attr("asarray"), py::make_tuple(ids));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_ValueError))
      throw;
    throw py::type_error(text + ": token ids expected (one axis of integers), found are lists in lists");
  }
  const char kind = array.dtype().kind();
  if (array.ndim() != 1 || (kind != 'i' && kind != 'u' && array.size() > 0))
    throw py::type_error(text + ": token ids expected (one axis of integers), found are " +
                         std::to_string(array.ndim()) + " axes of " + std::string(py::str(array.dtype())));
  const auto wide = py::array_t<std::int64_t, py::array::forcecast | py::array::c_style>::ensure(array);
  if (!wide)
    throw py::error_already_set();
  std::vector<std::int32_t>& narrow = ids_.emplace_back();
  narrow.reserve(static_cast<std::size_t>(wide.size()));
  for (py::ssize_t i = 0; i < wide.size(); ++i) {
    const std::int64_t id = wide.data()[i];
    if (id < std::numeric_limits<std::int32_t>::min() || id > std::numeric_limits<std::int32_t>::max())
      throw distilbert::Error(distilbert::ErrorCode::invalid_token_id,
                              text + " has the token id " + std::to_string(id));
    narrow.push_back(static_cast<std::int32_t>(id));
  }
  tokens_ += narrow.size() + 1; // so that texts without any fill a chunk, too
}

Items::Items(const py::object& iterable, std::size_t first) : index_(first) {
  if (py::isinstance<py::str>(iterable)) {
    iterator_ = py::iter(py::make_tuple(iterable));
  } else {
    if (py::isinstance<py::bytes>(iterable) || py::isinstance<py::bytearray>(iterable) ||
        !PyObject_HasAttrString(iterable.ptr(), "__iter__"))
      throw py::type_error("a str or an iterable of texts expected, " + type_name(iterable) + " found");
    const auto mapping = py::module_::import("collections.abc").attr("Mapping");
    if (py::isinstance(iterable, mapping) || py::hasattr(iterable, "iterrows"))
      throw py::type_error("an iterable of texts expected, " + type_name(iterable) +
                           " found, which yields names: give one of its columns");
    iterator_ = py::iter(iterable);
  }
  read();
}

void Items::pop() {
  ++index_;
  read();
}

void Items::read() {
  next_ = py::reinterpret_steal<py::object>(taking_gil([this] { return PyIter_Next(iterator_.ptr()); }));
  if (!next_ && PyErr_Occurred())
    throw py::error_already_set();
}

std::vector<std::string> strings_of(const char* what, const py::object& iterable) {
  std::vector<std::string> strings;
  for (Items items(iterable); !items.empty(); items.pop()) {
    if (!py::isinstance<py::str>(items.front()))
      throw py::type_error(std::string(what) + " " + std::to_string(strings.size()) + ": str expected, " +
                           type_name(items.front()) + " found");
    Texts text;
    text.add(items.front(), strings.size());
    strings.emplace_back(text.values().front());
  }
  return strings;
}

std::string readable(std::string text) {
  for (std::size_t at = 0; (at = text.find('\xFF', at)) != text.npos;)
    text.replace(at, 1, "\uFFFD");
  return text;
}

Progress::Progress(bool show, const py::object& texts) {
  if (!show)
    return;
  py::object total = py::none();
  if (py::isinstance<py::str>(texts))
    total = py::int_(1);
  else if (py::hasattr(texts, "__len__"))
    total = py::int_(py::len(texts));
  bar_ = tqdm(py::dict(py::arg("total") = total, py::arg("unit") = "text"));
}

Progress::Progress(const py::dict& options) : bar_(tqdm(options)) {}

py::object Progress::tqdm(const py::dict& options) {
  try {
    return call_python(import_module("tqdm.auto").attr("tqdm"), py::tuple(), options);
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_ImportError))
      throw;
    py::raise_from(error, PyExc_ImportError, "progress=True needs tqdm: pip install 'distilbert-cpp[progress]'");
    throw py::error_already_set();
  }
}

Progress::~Progress() {
  if (!bar_)
    return;
  const py::error_scope pending; // the bar closes while an exception passes, too
  try {
    call_python(bar_.attr("close"), py::tuple());
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("closing the progress bar");
  }
  taking_gil([this] { bar_.release().dec_ref(); }); // bars may have a __del__
}

void Progress::update(std::size_t more) {
  if (bar_)
    call_python(bar_.attr("update"), py::make_tuple(more));
}

distilbert::Error renumbered(const distilbert::Error& error, const std::vector<std::size_t>& numbers) {
  if (numbers.size() == 1 && numbers[0] == 0)
    return error;
  const std::string_view what = error.what(), sentence = distilbert::describe(error.code()), text = "text ";
  std::string_view detail = what.substr(std::min(what.size(), sentence.size() + 2));
  const std::size_t end = detail.find_first_not_of("0123456789", text.size());
  if (detail.substr(0, text.size()) == text && end != text.size()) {
    const std::size_t index = std::stoul(std::string(detail.substr(text.size(), end)));
    const std::string rest(end == std::string_view::npos ? "" : detail.substr(end));
    return {error.code(), std::string(text) + std::to_string(numbers.at(index)) + rest};
  }
  if (numbers.size() == 1) // the library gives a text alone no number
    return {error.code(), std::string(text) + std::to_string(numbers[0]) + ": " + std::string(detail)};
  return error;
}

} // namespace bindings
