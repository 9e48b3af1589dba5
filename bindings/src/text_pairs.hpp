#pragma once
// Pairs of texts from Python.

#include "texts.hpp"

#include <distilbert/tasks/task.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace bindings {

/// Some pairs of texts, a chunk as Texts is.
class TextPairs {
public:
  static bool takes(py::handle item) { return py::isinstance<py::tuple>(item); }

  /// Throws TypeError, which names `index`, unless it is a tuple of two str.
  void add(py::handle pair, std::size_t index) {
    if (!takes(pair) || py::len(pair) != 2)
      throw py::type_error("text " + std::to_string(index) + ": a pair of texts expected (a tuple of two str)");
    const auto both = py::reinterpret_borrow<py::tuple>(pair);
    texts_.add(both[0], index);
    texts_.add(both[1], index);
    const auto& views = texts_.values();
    pairs_.push_back({views[views.size() - 2], views.back()});
  }

  const std::vector<distilbert::TextPair>& values() const { return pairs_; }
  std::size_t size() const { return pairs_.size(); }
  std::size_t tokens() const { return texts_.tokens(); }

private:
  Texts texts_;
  std::vector<distilbert::TextPair> pairs_;
};

} // namespace bindings
