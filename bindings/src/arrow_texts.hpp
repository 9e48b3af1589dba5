#pragma once
// Texts from an Arrow array, read where they lie.

#include "arrays.hpp"
#include "texts.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace bindings {

/// The texts of an array of string, large_string, string_view or null, or of a dictionary of such. A null is no text,
/// and each text of a dictionary is there once. A source for for_each_chunk.
class ArrowTexts {
public:
  /// `array` has __arrow_c_array__; errors count its rows from `first`. Throws TypeError for another type, ValueError
  /// for offsets and indices that cannot be.
  ArrowTexts(const py::object& array, std::size_t first);

  bool empty() const { return next_ == texts_.size(); }
  std::string_view front() const { return texts_[next_]; }
  std::size_t index() const { return numbers_[next_]; }
  void pop() { ++next_; }

  std::size_t size() const { return texts_.size(); }
  /// Which text each row of the array holds.
  const std::vector<std::optional<std::size_t>>& rows() const { return rows_; }

private:
  py::tuple capsules_; // keeps the texts
  std::vector<std::string_view> texts_;
  std::vector<std::size_t> numbers_;
  std::vector<std::optional<std::size_t>> rows_;
  std::size_t next_ = 0;
};

/// Some texts of an array, a chunk as Texts is.
class TextViews {
public:
  void add(std::string_view text, std::size_t) {
    texts_.push_back(text);
    tokens_ += text.size() / 4 + 2; // as Texts guesses
  }

  const std::vector<std::string_view>& values() const { return texts_; }
  std::size_t size() const { return texts_.size(); }
  std::size_t tokens() const { return tokens_; }

private:
  std::vector<std::string_view> texts_;
  std::size_t tokens_ = 0;
};

/// run(texts) -> float [texts, width] of an array: (float32 [texts, width], which of them each row holds, or None).
template <class Run>
py::tuple run_arrow(const py::object& array, std::size_t first, std::size_t threads, std::size_t width,
                    const Run& run) {
  ArrowTexts texts(array, first);
  Progress hidden(false, py::none());
  std::vector<float> answers;
  for_each_chunk<TextViews>(
      texts, threads, hidden, [&](const TextViews& chunk) { return run(chunk.values()); },
      [&](std::vector<float>&& some) { answers.insert(answers.end(), some.begin(), some.end()); });
  const auto count = static_cast<py::ssize_t>(texts.size());
  return py::make_tuple(to_array(std::move(answers), {count, static_cast<py::ssize_t>(width)}), texts.rows());
}

} // namespace bindings
