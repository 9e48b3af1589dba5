#pragma once
// What every class with a model has: from_pretrained() with LoadOptions as keywords, and the properties of a model.

#include "gil.hpp"
#include "options.hpp"

#include <distilbert/text/tokenizer.hpp>
#include <distilbert/weights/pack.hpp>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

namespace bindings {

/// A model and how many threads one call of it may use.
template <class Model> struct Loaded {
  Model model;
  std::size_t threads;
};

/// from_pretrained(), which is `load` with LoadOptions as keywords, and the properties of every model. What `load`
/// takes besides are keywords, too, named by `more_names`.
template <class Model, class... More, class... Names>
void define_loading(py::class_<Loaded<Model>>& type,
                    Model (*load)(const std::filesystem::path&, const distilbert::LoadOptions&, More...),
                    const Names&... more_names) {
  type.def_static(
      "from_pretrained",
      [load](const std::filesystem::path& directory, const std::optional<std::string>& precision,
             std::optional<Count> threads, const std::optional<std::string>& isa, std::optional<Count> max_length,
             std::optional<int> sum_bits, const std::string& memory, bool check_finite, bool selfcheck,
             const std::string& invalid_utf8, bool encode_special_tokens, const std::decay_t<More>&... more) {
        check_directory("directory", directory);
        const auto options = load_options(precision, threads, max_length, sum_bits, memory, check_finite, selfcheck,
                                          invalid_utf8, encode_special_tokens);
        IsaChange isa_change(isa);
        const GilRelease release;
        Loaded<Model> loaded{load(directory, options, more...), options.threads};
        isa_change.keep();
        return loaded;
      },
      py::arg("directory"), py::arg("precision") = py::none(), py::arg("threads") = py::none(),
      py::arg("isa") = py::none(), py::arg("max_length") = py::none(), py::kw_only(), py::arg("sum_bits") = py::none(),
      py::arg("memory") = "map", py::arg("check_finite") = false, py::arg("selfcheck") = false,
      py::arg("invalid_utf8") = "refuse", py::arg("encode_special_tokens") = false, more_names...);
  type.def_property_readonly("max_length", [](const Loaded<Model>& self) { return self.model.max_length(); });
  type.def_property_readonly("precision", [](const Loaded<Model>& self) {
    return std::string(distilbert::precision_name(self.model.precision()));
  });
  type.def_property_readonly("threads", [](const Loaded<Model>& self) { return self.threads; });
  type.def_property_readonly("memory_bound", [](const Loaded<Model>& self) { return self.model.memory_bound(); });
  type.def_property_readonly(
      "tokenizer", [](const Loaded<Model>& self) -> const distilbert::Tokenizer& { return self.model.tokenizer(); },
      py::return_value_policy::reference_internal);
}

} // namespace bindings
