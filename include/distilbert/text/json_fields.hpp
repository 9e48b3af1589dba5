#pragma once
// Reading the JSON files beside a model: fields of expected types, errors that name file and field.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <simdjson.h>

#include "../error.hpp"
#include "../quote.hpp"
#include "../mapped_file.hpp" // MappedFile

namespace distilbert::detail {

[[noreturn]] inline void throw_invalid_tokenizer_file(const std::string& detail) {
  throw Error(ErrorCode::invalid_tokenizer_file, detail);
}

/// A JSON object whose fields have expected types. Missing fields and null are the same; a field given twice counts the
/// last time. `path` leads to the object in messages; `code` is that of all errors.
class JsonFields {
public:
  using Element = simdjson::dom::element;

  JsonFields(Element element, std::string path, ErrorCode code = ErrorCode::invalid_tokenizer_file)
      : path_(std::move(path)), code_(code) {
    if (element.get(object_) != simdjson::SUCCESS)
      throw Error(code_, (path_.empty() ? "the whole" : path_) + " must be an object");
  }

  const simdjson::dom::object& object() const { return object_; }
  std::string path_of(std::string_view key) const {
    const bool plain =
        key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == key.npos;
    return path_ + (path_.empty() ? "" : ".") + (plain ? std::string(key) : quote(key));
  }

  std::optional<Element> find(std::string_view key) const {
    std::optional<Element> found;
    for (const auto& field : object_)
      if (field.key == key)
        found = field.value;
    return found && !found->is_null() ? found : std::nullopt;
  }

  std::optional<bool> boolean(std::string_view key) const { return get<bool>(key, "true or false"); }
  std::optional<std::uint64_t> number(std::string_view key) const {
    return get<std::uint64_t>(key, "a whole number that is not negative");
  }
  std::optional<double> real(std::string_view key) const { return get<double>(key, "a number"); }
  std::optional<std::string> string(std::string_view key) const {
    const auto text = get<std::string_view>(key, "a string");
    return text ? std::optional<std::string>(*text) : std::nullopt;
  }
  std::optional<simdjson::dom::array> array(std::string_view key) const {
    return get<simdjson::dom::array>(key, "an array");
  }
  std::optional<JsonFields> fields(std::string_view key) const {
    const auto found = find(key);
    return found ? std::optional<JsonFields>(JsonFields(*found, path_of(key), code_)) : std::nullopt;
  }

  template <class T> T require(std::optional<T> value, std::string_view key) const {
    if (!value)
      throw Error(code_, path_of(key) + " is missing");
    return *std::move(value);
  }

private:
  template <class T> std::optional<T> get(std::string_view key, const char* expected) const {
    const auto found = find(key);
    T value{};
    if (!found)
      return std::nullopt;
    if (found->get(value) != simdjson::SUCCESS)
      throw Error(code_, path_of(key) + " must be " + expected);
    return value;
  }

  simdjson::dom::object object_;
  std::string path_;
  ErrorCode code_;
};

/// Python writes transformers' "no limit" as the integer 1000000000000000019884624838656; simdjson has no integers
/// above 64 bits. Returns the document with ".0" behind all that may be too long.
inline std::string long_integers_as_reals(std::string_view json) {
  std::string result;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size();) {
    const std::size_t length = in_string ? 0 : std::min(json.find_first_not_of("+-.0123456789Ee", i), json.size()) - i;
    if (length != 0) {
      const std::string_view number = json.substr(i, length);
      result += number;
      if (length > 18 && number.find_first_of(".Ee") == std::string_view::npos)
        result += ".0";
      i += length;
      continue;
    }
    if (json[i] == '\\' && i + 1 < json.size())
      result += json[i++];
    else if (json[i] == '"')
      in_string = !in_string;
    result += json[i++];
  }
  return result;
}

/// Parses `json` and hands its root to read(element); errors name the file.
template <class Read>
void parse_json(const std::filesystem::path& path, std::string_view json, ErrorCode code, Read&& read) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  try {
    if (json.empty())
      throw Error(code, "it is empty");
    if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS)
      if (const auto error = parser.parse(long_integers_as_reals(json)).get(root))
        throw Error(code, simdjson::error_message(error));
    read(root);
  } catch (const Error& e) {
    rethrow_within(path.string(), e);
  }
}

/// The same of an object, the fields of which go to read(fields).
template <class Read>
void read_json(const std::filesystem::path& path, std::string_view json, Read&& read,
               ErrorCode code = ErrorCode::invalid_tokenizer_file) {
  parse_json(path, json, code, [&](simdjson::dom::element root) { read(JsonFields(root, "", code)); });
}

/// Where it cannot be told, too: opening the file will say why.
inline bool is_present(const std::filesystem::path& path) {
  std::error_code unknown;
  return std::filesystem::exists(path, unknown) || unknown;
}

inline std::optional<MappedFile> open_if_present(const std::filesystem::path& path, std::uint64_t max_bytes,
                                                 Memory memory = Memory::copy) {
  return is_present(path) ? std::optional(MappedFile::open(path, memory, max_bytes)) : std::nullopt;
}

/// Reads `path` if there is such a file, and returns whether there is.
template <class Read>
bool read_json_if_present(const std::filesystem::path& path, std::uint64_t max_bytes, Read&& read,
                          ErrorCode code = ErrorCode::invalid_tokenizer_file) {
  const std::optional<MappedFile> file = open_if_present(path, max_bytes);
  if (file)
    read_json(path, file->text(), read, code);
  return file.has_value();
}

} // namespace distilbert::detail
