#pragma once
// Texts that a Tokenizer has encoded already.

#include <distilbert/text/encoding.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include <pybind11/pybind11.h>

namespace bindings {

namespace py = pybind11;

/// Some encodings, to be given to for_each_chunk().
class Encodings {
public:
  static bool takes(py::handle item) { return py::isinstance<distilbert::Encoding>(item); }

  /// Throws TypeError, which names `index`, unless it is an Encoding.
  void add(py::handle encoding, std::size_t index) {
    if (!takes(encoding))
      throw py::type_error("text " + std::to_string(index) + ": Encoding expected, " +
                           Py_TYPE(encoding.ptr())->tp_name + " found");
    encodings_.push_back(encoding.cast<const distilbert::Encoding&>());
    tokens_ += encodings_.back().size() + 1; // so that texts without any fill a chunk, too
  }

  const std::vector<distilbert::Encoding>& values() const { return encodings_; }
  std::size_t size() const { return encodings_.size(); }
  std::size_t tokens() const { return tokens_; }

private:
  std::vector<distilbert::Encoding> encodings_;
  std::size_t tokens_ = 0;
};

} // namespace bindings
