// Tokenizer and Encoding.

#include "arrays.hpp"
#include "bind.hpp"
#include "options.hpp"
#include "pickling.hpp"
#include "texts.hpp"

#include <distilbert/text/tokenizer.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

namespace bindings {

namespace {

using distilbert::EncodeOptions;
using distilbert::Encoding;
using distilbert::Span;
using distilbert::Tokenizer;

/// Python counts code points.
EncodeOptions encode_options(std::optional<std::size_t> max_length, std::size_t stride, const std::string& truncation,
                             const std::optional<std::string>& side, bool add_special_tokens) {
  using distilbert::Side;
  using distilbert::TruncationStrategy;
  EncodeOptions options;
  options.add_special_tokens = add_special_tokens;
  options.max_length = max_length.value_or(0);
  options.truncation = option_of<TruncationStrategy>("truncation", truncation,
                                                     {{"longest_first", TruncationStrategy::longest_first},
                                                      {"only_first", TruncationStrategy::only_first},
                                                      {"only_second", TruncationStrategy::only_second}});
  if (side)
    options.truncation_side = option_of<Side>("side", *side, {{"right", Side::right}, {"left", Side::left}});
  options.stride = stride;
  options.offset_unit = distilbert::OffsetUnit::code_points;
  return options;
}

/// A text, or a pair of them.
struct Input {
  Texts texts;

  explicit Input(py::handle text, const py::object& pair, std::size_t index) {
    texts.add(text, index);
    if (!pair.is_none())
      texts.add(pair, index);
  }
  /// An item of a list: a str, or a tuple of two.
  static Input of_item(const py::object& item, std::size_t index) {
    if (!py::isinstance<py::tuple>(item))
      return Input(item, py::none(), index);
    const py::tuple both = item;
    if (both.size() != 2)
      throw py::type_error("text " + std::to_string(index) + ": a pair of texts has two, found are " +
                           std::to_string(both.size()));
    return Input(both[0], both[1], index);
  }

  template <class Action> auto with_texts(const Action& action) const {
    return without_gil([&] {
      const auto& views = texts.values();
      return views.size() == 1 ? action(views[0]) : action(views[0], views[1]);
    });
  }
};

py::object encode(const Tokenizer& self, const py::object& text, const py::object& pair,
                  std::optional<Count> max_length, const std::string& truncation,
                  const std::optional<std::string>& side, bool add_special_tokens) {
  const EncodeOptions options = encode_options(max_length, 0, truncation, side, add_special_tokens);
  const auto encode_one = [&](const Input& input) {
    return input.with_texts([&](const auto... texts) { return self.encode(texts..., options); });
  };
  if (py::isinstance<py::str>(text))
    return py::cast(encode_one(Input(text, pair, 0)));
  if (!pair.is_none())
    throw py::type_error("pair has a meaning with one text; pairs in a list are tuples");
  py::list encodings;
  for (Items items(text); !items.empty(); items.pop()) {
    const std::size_t index = encodings.size();
    try {
      encodings.append(py::cast(encode_one(Input::of_item(items.front(), index))));
    } catch (const distilbert::Error& error) {
      distilbert::rethrow_within("text " + std::to_string(index), error);
    }
    if (index % 1024 == 0)
      check_signals();
  }
  return encodings;
}

std::vector<Encoding> encode_windows(const Tokenizer& self, const py::object& text, const py::object& pair,
                                     Count max_length, Count stride, const std::string& truncation,
                                     const std::optional<std::string>& side, bool add_special_tokens) {
  const EncodeOptions options = encode_options(max_length, stride, truncation, side, add_special_tokens);
  return Input(text, pair, 0).with_texts([&](const auto... texts) { return self.encode_windows(texts..., options); });
}

std::string decode(const Tokenizer& self, const py::object& ids, bool skip_special_tokens) {
  TokenIds list;
  list.add(ids, 0);
  return self.decode(list.values().front(), skip_special_tokens);
}

/// The property of that name: a view of one vector of the encoding.
template <class T> void define_view(py::class_<Encoding>& type, const char* name, std::vector<T> Encoding::*member) {
  type.def_property_readonly(name,
                             [member](py::object self) { return view(self.cast<const Encoding&>().*member, self); });
}

void bind_encoding(py::module_& module) {
  py::class_<Encoding> type(module, "Encoding");
  define_view(type, "ids", &Encoding::ids);
  define_view(type, "type_ids", &Encoding::type_ids);
  type.def_property_readonly("offsets",
                             [](py::object self) { return view_of_spans(self.cast<const Encoding&>().offsets, self); });
  define_view(type, "word_ids", &Encoding::word_ids);
  define_view(type, "sequence_ids", &Encoding::sequence_ids);
  define_view(type, "special_tokens_mask", &Encoding::special_tokens_mask);
  type.def_readonly("truncated", &Encoding::truncated);
  type.def("__len__", &Encoding::size);
  type.def("__repr__", [](const Encoding& self) -> std::string {
    return py::str("Encoding({} tokens, truncated={})").format(self.size(), self.truncated);
  });
  using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
  using State = std::tuple<std::vector<std::int32_t>, std::vector<std::int32_t>, Pairs, std::vector<std::int32_t>,
                           std::vector<std::int32_t>, std::vector<std::uint8_t>, bool>;
  define_pickling(
      type,
      [](const Encoding& self) {
        Pairs pairs;
        for (const Span span : self.offsets)
          pairs.emplace_back(span.begin, span.end);
        return State(self.ids, self.type_ids, pairs, self.word_ids, self.sequence_ids, self.special_tokens_mask,
                     self.truncated);
      },
      [](State state) {
        auto& [ids, type_ids, pairs, word_ids, sequence_ids, special_tokens_mask, truncated] = state;
        std::vector<Span> offsets;
        for (const auto& [begin, end] : pairs)
          offsets.push_back({begin, end});
        return Encoding{std::move(ids),
                        std::move(type_ids),
                        std::move(offsets),
                        std::move(word_ids),
                        std::move(sequence_ids),
                        std::move(special_tokens_mask),
                        truncated};
      });
}

} // namespace

void bind_tokenizer(py::module_& module) {
  bind_encoding(module);
  py::class_<Tokenizer>(module, "Tokenizer")
      .def_static(
          "from_pretrained",
          [](const std::filesystem::path& directory, const std::string& invalid_utf8, bool encode_special_tokens) {
            check_directory("directory", directory);
            distilbert::TokenizerOptions options;
            options.invalid_utf8 = invalid_utf8_of(invalid_utf8);
            options.encode_special_tokens = encode_special_tokens;
            return without_gil([&] { return Tokenizer::from_pretrained(directory, options); });
          },
          py::arg("directory"), py::kw_only(), py::arg("invalid_utf8") = "refuse",
          py::arg("encode_special_tokens") = false)
      .def("encode", &encode, py::arg("text"), py::arg("pair") = py::none(), py::kw_only(),
           py::arg("max_length") = py::none(), py::arg("truncation") = "longest_first", py::arg("side") = py::none(),
           py::arg("add_special_tokens") = true)
      .def("encode_windows", &encode_windows, py::arg("text"), py::arg("pair") = py::none(), py::kw_only(),
           py::arg("max_length"), py::arg("stride") = 0, py::arg("truncation") = "longest_first",
           py::arg("side") = py::none(), py::arg("add_special_tokens") = true)
      .def("decode", &decode, py::arg("ids"), py::kw_only(), py::arg("skip_special_tokens") = true)
      .def(
          "token", [](const Tokenizer& self, std::int32_t id) { return std::string(self.token(id)); }, py::arg("id"))
      .def(
          "id", [](const Tokenizer& self, const std::string& token) { return self.id(token); }, py::arg("token"))
      .def_property_readonly("vocabulary_size", &Tokenizer::vocabulary_size)
      .def_property_readonly("model_max_length", [](const Tokenizer& self) { return self.config().model_max_length; })
      .def_property_readonly("unk_id", &Tokenizer::unk_id)
      .def_property_readonly("cls_id", &Tokenizer::cls_id)
      .def_property_readonly("sep_id", &Tokenizer::sep_id)
      .def_property_readonly("pad_id", &Tokenizer::pad_id)
      .def_property_readonly("mask_id", &Tokenizer::mask_id);
}

} // namespace bindings
