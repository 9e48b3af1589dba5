#pragma once
// Calls that answer each text with an object.

#include "texts.hpp"

#include <cstddef>
#include <utility>

#include <pybind11/stl.h>

namespace bindings {

/// for_each_chunk() with the first of the chunks that takes the first item; the last one need not be asked.
template <class Chunk, class... Others, class Run, class Take>
void for_each_chunk_of(Items& items, std::size_t threads, Progress& progress, const Run& run, const Take& take,
                       std::size_t readings = 1) {
  if constexpr (sizeof...(Others) > 0)
    if (items.empty() || !Chunk::takes(items.front()))
      return for_each_chunk_of<Others...>(items, threads, progress, run, take, readings);
  for_each_chunk<Chunk>(items, threads, progress, run, take, readings);
}

/// Of one str its answer, of an iterable a list. run(chunk) -> std::vector of the answers to the chunk.
template <class... Chunks, class Run>
py::object answers_of(const py::object& texts, std::size_t threads, bool progress, const Run& run,
                      std::size_t readings = 1) {
  py::list answers;
  Items items(texts);
  Progress bar(progress, texts);
  const auto take = [&](auto&& chunk_answers) {
    for (auto& answer : chunk_answers)
      answers.append(py::cast(std::move(answer)));
  };
  for_each_chunk_of<Chunks...>(items, threads, bar, run, take, readings);
  return py::isinstance<py::str>(texts) ? py::object(answers[0]) : py::object(answers);
}

} // namespace bindings
