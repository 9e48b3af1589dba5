#pragma once
// Texts and token ids from Python, and how long calls are cut: in chunks, so that memory does not grow with the number
// of texts that an iterable yields, and Ctrl-C is heard between them (within them: see load_options()).

#include "gil.hpp"

#include <distilbert/error.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <pybind11/pybind11.h>

namespace bindings {

namespace py = pybind11;

/// Some texts as UTF-8, which Python keeps with its strings; they live as long as this.
class Texts {
public:
  /// Throws TypeError, which names `index`, unless the text is a str.
  void add(py::handle text, std::size_t index);

  const std::vector<std::string_view>& values() const { return views_; }
  std::size_t size() const { return views_.size(); }
  /// About how many tokens they are.
  std::size_t tokens() const { return tokens_; }

private:
  std::vector<py::object> strings_;
  std::deque<std::string> repaired_;
  std::vector<std::string_view> views_;
  std::size_t tokens_ = 0;
};

/// Some texts as token ids.
class TokenIds {
public:
  /// Takes a list of int, or an array of integers with one axis. Throws TypeError, or ErrorCode::invalid_token_id for
  /// an id that does not fit 32 bits.
  void add(py::handle ids, std::size_t index);

  const std::vector<std::vector<std::int32_t>>& values() const { return ids_; }
  std::size_t size() const { return ids_.size(); }
  std::size_t tokens() const { return tokens_; }

private:
  std::vector<std::vector<std::int32_t>> ids_;
  std::size_t tokens_ = 0;
};

/// What an iterable yields, one by one; a str is the one item of itself.
class Items {
public:
  /// `first` is the number that errors give the first item. Throws TypeError for what is no iterable, and for bytes.
  explicit Items(const py::object& iterable, std::size_t first = 0);

  bool empty() const { return !next_; }
  /// The next item and its number; only if not empty.
  const py::object& front() const { return next_; }
  std::size_t index() const { return index_; }
  void pop();

private:
  void read();

  py::object iterator_, next_;
  std::size_t index_;
};

/// Strings that are no texts to be read: labels, for instance. `what` is one of them. Throws TypeError.
std::vector<std::string> strings_of(const char* what, const py::object& iterable);

/// Lone surrogates are kept as what no UTF-8 holds (see Texts); Python is shown U+FFFD for each.
std::string readable(std::string text);

/// tqdm's bar, or none. Throws ImportError if there is no tqdm.
class Progress {
public:
  Progress(bool show, const py::object& texts);
  /// With tqdm's keywords.
  explicit Progress(const py::dict& options);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  void update(std::size_t more);

private:
  static py::object tqdm(const py::dict& options);

  py::object bar_;
};

/// The library counts texts from the start of one call of its own; numbers[i] is what Python's caller calls text i.
distilbert::Error renumbered(const distilbert::Error& error, const std::vector<std::size_t>& numbers);

/// Calls run(chunk) without the GIL for one Chunk (Texts or TokenIds) of items after the other, and take(result of run)
/// with it. Chunks grow for as long as they take next to no time. `items` are Items, or what has the same methods; the
/// model reads each of them `readings` times.
template <class Chunk, class Source, class Run, class Take>
void for_each_chunk(Source& items, std::size_t threads, Progress& progress, const Run& run, const Take& take,
                    std::size_t readings = 1) {
  using Clock = std::chrono::steady_clock;
  std::size_t budget = 1024 * threads;
  const std::size_t largest = 16 * budget;
  while (!items.empty()) {
    Chunk chunk;
    std::vector<std::size_t> numbers;
    for (; !items.empty() && chunk.tokens() * readings < budget; items.pop()) {
      chunk.add(items.front(), items.index());
      numbers.push_back(items.index());
    }
    const auto start = Clock::now();
    take(without_gil([&] {
      try {
        return run(chunk);
      } catch (const distilbert::Error& error) {
        throw renumbered(error, numbers);
      }
    }));
    if (Clock::now() - start < std::chrono::milliseconds(100))
      budget = std::min(2 * budget, largest);
    progress.update(chunk.size());
    check_signals();
  }
}

/// The same, whether the items are texts or token ids.
template <class Run, class Take>
void for_each_chunk_of_any(Items& items, std::size_t threads, Progress& progress, const Run& run, const Take& take) {
  if (items.empty() || py::isinstance<py::str>(items.front()))
    for_each_chunk<Texts>(items, threads, progress, run, take);
  else
    for_each_chunk<TokenIds>(items, threads, progress, run, take);
}

} // namespace bindings
