#pragma once
// Options as Python gives them, in words, and as the library takes them.

#include <distilbert/error.hpp>
#include <distilbert/load_options.hpp>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <pybind11/pybind11.h>

namespace bindings {

namespace py = pybind11;

/// A number from Python that counts something. pybind11 itself would refuse a negative one with all arguments of the
/// call, texts included, in its message.
struct Count {
  std::size_t value = 0;
  operator std::size_t() const { return value; }
};

/// Throws TypeError for what is no int, ErrorCode::invalid_argument for one that is negative or too large.
Count count_of(py::handle number);

/// The option that a word stands for. Throws ErrorCode::invalid_argument for any but `words`.
template <class Option>
Option option_of(const char* name, const std::string& word, const std::vector<std::pair<const char*, Option>>& words) {
  std::string known;
  for (const auto& [text, option] : words) {
    if (word == text)
      return option;
    known += std::string(known.empty() ? "" : ", ") + '"' + text + '"';
  }
  throw distilbert::Error(distilbert::ErrorCode::invalid_argument,
                          std::string(name) + " is \"" + word + "\", possible are " + known);
}

/// Throws ErrorCode::file_not_found for an empty path, which would stand for the working directory: it comes from a
/// variable that is not set.
void check_directory(const char* name, const std::filesystem::path& directory);

distilbert::Precision precision_of(const std::string& word);
distilbert::InvalidUtf8 invalid_utf8_of(const std::string& word);

/// LoadOptions of from_pretrained()'s keywords. threads becomes the number that the model will really use. Ctrl-C ends
/// a call of the main thread between two batches.
distilbert::LoadOptions load_options(const std::optional<std::string>& precision, std::optional<std::size_t> threads,
                                     std::optional<std::size_t> max_length, std::optional<int> sum_bits,
                                     const std::string& memory, bool check_finite, bool selfcheck,
                                     const std::string& invalid_utf8, bool encode_special_tokens);

/// The instruction set of the whole process, if there is to be another: as before again unless keep() is called.
class IsaChange {
public:
  explicit IsaChange(const std::optional<std::string>& isa);
  IsaChange(const IsaChange&) = delete;
  IsaChange& operator=(const IsaChange&) = delete;
  ~IsaChange();

  void keep() { before_.reset(); }

private:
  std::optional<std::string> before_;
};

/// What holds for the whole process: isa(), set_isa(), available_isas(), set_threads().
void bind_settings(py::module_& module);

} // namespace bindings

namespace pybind11::detail {

template <> struct type_caster<bindings::Count> {
  PYBIND11_TYPE_CASTER(bindings::Count, const_name("int"));

  bool load(handle number, bool) {
    value = bindings::count_of(number);
    return true;
  }
};

} // namespace pybind11::detail
