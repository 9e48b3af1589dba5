// SentenceEmbedder: texts to vectors.

#include "arrays.hpp"
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
                      std::optional<std::size_t> dimensions) {
  distilbert::EmbeddingOptions options;
  if (pooling)
    options.pooling = option_of("pooling", *pooling, poolings);
  options.normalize = normalize;
  options.dimensions = dimensions.value_or(0);
  return SentenceEmbedder::from_pretrained(directory, options, load);
}

std::string pooling(const Loaded<SentenceEmbedder>& self) {
  std::string name;
  for (const auto& [word, pooling] : poolings)
    if (pooling == self.model.pooling())
      name = word;
  return name;
}

py::array_t<float> embed(const Loaded<SentenceEmbedder>& self, const py::object& texts,
                         std::optional<std::size_t> stride, bool progress) {
  std::vector<float> all;
  Items items(texts);
  Progress bar(progress, texts);
  for_each_chunk<Texts>(
      items, self.threads, bar,
      [&](const Texts& chunk) {
        return stride ? self.model.embed_windows(chunk.values(), *stride) : self.model.embed(chunk.values());
      },
      [&](std::vector<float>&& vectors) { all.insert(all.end(), vectors.begin(), vectors.end()); });
  const auto dimensions = static_cast<py::ssize_t>(self.model.dimensions());
  if (py::isinstance<py::str>(texts))
    return to_array(std::move(all), {dimensions});
  const auto rows = static_cast<py::ssize_t>(all.size()) / dimensions;
  return to_array(std::move(all), {rows, dimensions});
}

} // namespace

void bind_sentence_embedder(py::module_& module) {
  py::class_<Loaded<SentenceEmbedder>> type(module, "SentenceEmbedder");
  define_loading(type, &load, py::arg("pooling") = py::none(), py::arg("normalize") = py::none(),
                 py::arg("dimensions") = py::none());
  type.def("__call__", &embed, py::arg("texts"), py::kw_only(), py::arg("stride") = py::none(),
           py::arg("progress") = false);
  type.def_property_readonly("dimensions",
                             [](const Loaded<SentenceEmbedder>& self) { return self.model.dimensions(); });
  type.def_property_readonly("pooling", &pooling);
}

} // namespace bindings
