// SentenceEmbedder: texts to vectors.

#include "arrays.hpp"
#include "arrow_texts.hpp"
#include "bind.hpp"
#include "loading.hpp"
#include "texts.hpp"

#include <distilbert/tasks/sentence_embedder.hpp>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bindings {

namespace {

using distilbert::Pooling;
using distilbert::SentenceEmbedder;

const std::vector<std::pair<const char*, Pooling>> poolings{
    {"mean", Pooling::mean}, {"cls", Pooling::cls}, {"max", Pooling::max}};

SentenceEmbedder load(const std::filesystem::path& directory, const distilbert::LoadOptions& load,
                      const std::optional<std::string>& pooling, std::optional<bool> normalize,
                      std::optional<Count> dimensions) {
  distilbert::EmbeddingOptions options;
  if (pooling)
    options.pooling = option_of("pooling", *pooling, poolings);
  options.normalize = normalize;
  options.dimensions = dimensions.value_or(Count{});
  return SentenceEmbedder::from_pretrained(directory, options, load);
}

std::string pooling(const Loaded<SentenceEmbedder>& self) {
  std::string name;
  for (const auto& [word, pooling] : poolings)
    if (pooling == self.model.pooling())
      name = word;
  return name;
}

/// The vectors of all items one after the other.
std::vector<float> embed_items(const Loaded<SentenceEmbedder>& self, Items& items, std::optional<std::size_t> stride,
                               Progress& bar) {
  std::vector<float> all;
  for_each_chunk<Texts>(
      items, self.threads, bar,
      [&](const Texts& chunk) {
        return stride ? self.model.embed_windows(chunk.values(), *stride) : self.model.embed(chunk.values());
      },
      [&](std::vector<float>&& vectors) { all.insert(all.end(), vectors.begin(), vectors.end()); });
  return all;
}

py::array_t<float> to_rows(const Loaded<SentenceEmbedder>& self, std::vector<float>&& vectors) {
  const auto dimensions = static_cast<py::ssize_t>(self.model.dimensions());
  const auto rows = static_cast<py::ssize_t>(vectors.size()) / dimensions;
  return to_array(std::move(vectors), {rows, dimensions});
}

py::array_t<float> embed(const Loaded<SentenceEmbedder>& self, const py::object& texts, std::optional<Count> stride,
                         bool progress) {
  Items items(texts);
  Progress bar(progress, texts);
  std::vector<float> vectors = embed_items(self, items, stride, bar);
  if (py::isinstance<py::str>(texts))
    return to_array(std::move(vectors), {static_cast<py::ssize_t>(self.model.dimensions())});
  return to_rows(self, std::move(vectors));
}

/// Some texts of many, the first of which errors call `first`.
py::array_t<float> embed_batch(const Loaded<SentenceEmbedder>& self, const py::list& texts, std::size_t first) {
  Items items(texts, first);
  Progress hidden(false, texts);
  return to_rows(self, embed_items(self, items, std::nullopt, hidden));
}

/// See run_arrow.
py::tuple arrow_embeddings(const Loaded<SentenceEmbedder>& self, const py::object& array, std::size_t first) {
  return run_arrow(array, first, self.threads, self.model.dimensions(),
                   [&](const auto& texts) { return self.model.embed(texts); });
}

} // namespace

void bind_sentence_embedder(py::module_& module) {
  py::class_<Loaded<SentenceEmbedder>> type(module, "SentenceEmbedder");
  define_loading(type, &load, py::arg("pooling") = py::none(), py::arg("normalize") = py::none(),
                 py::arg("dimensions") = py::none());
  type.def("__call__", &embed, py::arg("texts"), py::kw_only(), py::arg("stride") = py::none(),
           py::arg("progress") = false);
  type.def("_batch", &embed_batch, py::arg("texts"), py::arg("first"));
  type.def("_arrow_embeddings", &arrow_embeddings, py::arg("array"), py::arg("first"));
  type.def_property_readonly("dimensions",
                             [](const Loaded<SentenceEmbedder>& self) { return self.model.dimensions(); });
  type.def_property_readonly("pooling", &pooling);
}

} // namespace bindings
