#pragma once
// Reader of the safetensors format: 8 bytes of header length N (little-endian), N bytes of JSON that name each tensor's
// type, shape and place, and the tensors' bytes end to end. The whole header is checked before any tensor can be seen.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <simdjson.h>

#include "../error.hpp"
#include "../quote.hpp"
#include "../mapped_file.hpp"
#include "tensor_view.hpp"

namespace distilbert {

/// The tensors of one safetensors file. Immutable, safe from many threads at once; copies share the bytes.
///
/// The verdict on every file is that of the reference implementation (`safetensors` 0.8.0), error by error:
///   HeaderTooSmall               header_too_small       fewer than 8 bytes
///   HeaderTooLarge               header_too_large       N > 100,000,000
///   InvalidHeaderLength          invalid_header_length  8 + N > file size
///   InvalidHeader                invalid_header_utf8
///   InvalidHeaderDeserialization invalid_header_json    not JSON, or a key, type or number that does not belong there
///   InvalidOffset                invalid_offset         tensors overlap, leave a hole or run backwards
///   ValidationOverflow           size_overflow          count or bits of a tensor exceed 64 bits
///   MisalignedSlice              misaligned_tensor      F4 or F6 elements that do not fill whole bytes
///   TensorInvalidInfo            tensor_size_mismatch   shape and type do not give the tensor's bytes
///   MetadataIncompleteBuffer     incomplete_buffer      the last tensor does not end where the file ends
/// It is stricter where the reference is lax: a name that occurs twice is duplicate_tensor (names are compared
/// unescaped), and invalid_header_json are a tensor described by an array, a type given as an object, and under a key
/// that the format does not know an integer of more than 64 bits or a value of more than 1 MiB. Names are keys, never
/// paths.
class SafeTensors {
public:
  /// Opens and checks a file. Errors: MappedFile::open's, the ones above, out_of_memory.
  static SafeTensors open(const std::filesystem::path& path, Memory memory = Memory::map);

  /// Checks `size` bytes that lie elsewhere. `owner`, if given, is held for as long as the tensors are; without it the
  /// caller keeps the bytes alive. No byte outside [data, data + size) is touched.
  static SafeTensors parse(const unsigned char* data, std::size_t size, std::shared_ptr<const void> owner = nullptr);

  /// The tensor of that name, or null. The pointer is good until this object is assigned to or destroyed.
  const TensorView* find(std::string_view name) const;
  /// All tensors, sorted by name.
  const std::vector<TensorView>& tensors() const noexcept { return tensors_; }
  /// The `__metadata__` of the header; empty if there is none.
  const std::map<std::string, std::string, std::less<>>& metadata() const noexcept { return metadata_; }
  /// Keeps the tensors' bytes alive when a view outlives this object.
  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }

private:
  std::vector<TensorView> tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
  std::shared_ptr<const void> owner_;
};

namespace detail {

inline constexpr std::uint64_t max_safetensors_header = 100'000'000;

[[noreturn]] inline void throw_header_error(const std::string& detail) {
  throw Error(ErrorCode::invalid_header_json, detail);
}

inline void check_json(simdjson::error_code error) {
  if (error == simdjson::MEMALLOC)
    throw std::bad_alloc();
  if (error != simdjson::SUCCESS)
    throw_header_error(simdjson::error_message(error));
}

template <class T> T value_of(simdjson::simdjson_result<T> result) {
  T value{};
  check_json(std::move(result).get(value));
  return value;
}

/// A tensor as the header describes it; begin and end count from the first byte after the header.
struct TensorEntry {
  TensorView view;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Turns the JSON of a header into entries, in one forward pass that allocates only for what the header holds.
class HeaderReader {
public:
  std::vector<TensorEntry> tensors;
  std::map<std::string, std::string, std::less<>> metadata;

  void read(std::string_view json) {
    if (json.substr(0, 3) == "\xEF\xBB\xBF") // newer versions of simdjson would skip it
      throw_header_error("it starts with a byte order mark");
    std::string padded;
    padded.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    padded.append(json).append(simdjson::SIMDJSON_PADDING, ' ');

    simdjson::ondemand::parser parser;
    auto document = value_of(parser.iterate(padded.data(), json.size(), padded.size()));
    bool has_metadata = false;
    for (auto member : value_of(document.get_object())) {
      auto field = value_of(std::move(member));
      const std::string_view key = value_of(field.unescaped_key());
      if (key == "__metadata__") {
        once(has_metadata, key);
        read_metadata(field.value());
      } else {
        tensors.emplace_back();
        tensors.back().view.name = key;
        read_tensor(field.value(), tensors.back());
      }
    }
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
      throw_header_error("something follows the closing brace");
  }

private:
  using Value = simdjson::ondemand::value;

  static void once(bool& seen, std::string_view key) {
    if (seen)
      throw_header_error(std::string(key) + " is given twice");
    seen = true;
  }

  void read_metadata(Value value) {
    if (value_of(value.is_null()))
      return;
    for (auto member : value_of(value.get_object())) {
      auto field = value_of(std::move(member));
      const std::string key(value_of(field.unescaped_key()));
      metadata.insert_or_assign(key, std::string(value_of(field.value().get_string())));
    }
  }

  void read_tensor(Value value, TensorEntry& tensor) {
    bool has_dtype = false, has_shape = false, has_offsets = false;
    for (auto member : value_of(value.get_object())) {
      auto field = value_of(std::move(member));
      const std::string_view key = value_of(field.unescaped_key());
      if (key == "dtype") {
        once(has_dtype, key);
        tensor.view.dtype = read_dtype(field.value());
      } else if (key == "shape") {
        once(has_shape, key);
        tensor.view.shape = read_numbers(field.value());
      } else if (key == "data_offsets") {
        once(has_offsets, key);
        const auto offsets = read_numbers(field.value());
        if (offsets.size() != 2)
          throw_header_error("data_offsets of " + quote(tensor.view.name) + ": two numbers expected, " +
                             std::to_string(offsets.size()) + " found");
        tensor.begin = offsets[0];
        tensor.end = offsets[1];
      } else {
        check_unknown(field.value());
      }
    }
    if (!has_dtype || !has_shape || !has_offsets)
      throw_header_error("tensor " + quote(tensor.view.name) + ": dtype, shape and data_offsets expected");
  }

  static Dtype read_dtype(Value value) {
    const std::string_view name = value_of(value.get_string());
    for (std::size_t i = 0; i < dtypes.size(); ++i)
      if (name == dtypes[i].name)
        return static_cast<Dtype>(i);
    throw_header_error("there is no dtype " + quote(name));
  }

  static std::vector<std::size_t> read_numbers(Value value) {
    std::vector<std::size_t> numbers;
    for (auto item : value_of(value.get_array()))
      numbers.push_back(value_of(value_of(std::move(item)).get_uint64()));
    return numbers;
  }

  /// On-Demand skips a value without looking inside; the DOM parser looks.
  void check_unknown(Value value) {
    if (unknown_.capacity() == 0)
      check_json(unknown_.allocate(64, max_unknown_depth));
    const std::string_view json = value_of(simdjson::to_json_string(value));
    if (json.size() > max_unknown_bytes)
      throw_header_error("an unknown key has a value of " + std::to_string(json.size()) + " bytes");
    simdjson::dom::element ignored;
    check_json(unknown_.parse(json.data(), json.size(), false).get(ignored));
  }

  static constexpr std::size_t max_unknown_depth = 125;                  // with the two objects around it 127
  static constexpr std::size_t max_unknown_bytes = std::size_t{1} << 20; // the DOM takes up to 20 times as much memory
  simdjson::dom::parser unknown_;
};

/// a * b; false if it exceeds 64 bits.
inline bool multiply(std::uint64_t& a, std::uint64_t b) {
  if (b != 0 && a > UINT64_MAX / b)
    return false;
  a *= b;
  return true;
}

/// Checks that type, shape and place agree.
inline void check_size(const TensorEntry& tensor) {
  const DtypeInfo& dtype = info(tensor.view.dtype);
  const auto fail = [&](ErrorCode code, const std::string& found) {
    throw Error(code, quote(tensor.view.name) + ", " + dtype.name + " " + shape_text(tensor.view.shape) + found);
  };
  std::uint64_t bits = 1;
  for (const std::size_t extent : tensor.view.shape)
    if (!multiply(bits, extent))
      fail(ErrorCode::size_overflow, "");
  if (!multiply(bits, dtype.bits))
    fail(ErrorCode::size_overflow, "");
  if (bits % 8 != 0)
    fail(ErrorCode::misaligned_tensor, ": " + std::to_string(bits) + " bits");
  if (bits / 8 != tensor.end - tensor.begin)
    fail(ErrorCode::tensor_size_mismatch,
         ": " + std::to_string(bits / 8) + " bytes expected, " + std::to_string(tensor.end - tensor.begin) + " found");
}

/// Checks that the tensors tile the `size` bytes after the header.
inline void check_layout(const std::vector<TensorEntry>& tensors, std::uint64_t size) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(tensors[a].begin, tensors[a].end, a) < std::tuple(tensors[b].begin, tensors[b].end, b);
  });
  std::uint64_t covered = 0;
  for (const std::size_t i : order) {
    const TensorEntry& tensor = tensors[i];
    if (tensor.begin != covered || tensor.end < tensor.begin)
      throw Error(ErrorCode::invalid_offset, quote(tensor.view.name) + " at [" + std::to_string(tensor.begin) + ", " +
                                                 std::to_string(tensor.end) + "], where the tensors before it end at " +
                                                 std::to_string(covered));
    check_size(tensor);
    covered = tensor.end;
  }
  if (covered != size)
    throw Error(ErrorCode::incomplete_buffer,
                std::to_string(covered) + " bytes of tensors expected, " + std::to_string(size) + " found");
}

/// What a file that is no safetensors file at all most likely is.
inline std::string hint(std::string_view file) {
  constexpr std::pair<std::string_view, const char*> formats[] = {
      {"version https://git-lfs", "a Git LFS pointer: fetch the file itself with git lfs pull"},
      {"PK\x03\x04", "a zip archive, perhaps a PyTorch checkpoint: save it as safetensors"},
      {"\x80\x02", "a Python pickle, perhaps a PyTorch checkpoint: save it as safetensors"},
      {"GGUF", "a GGUF file: this library reads safetensors"},
      {"\x89HDF", "an HDF5 file: this library reads safetensors"},
      {"\x1F\x8B", "compressed by gzip: unpack it first"},
      {"<", "a page of HTML or XML, perhaps an error page saved by a download"},
      {"{", "JSON without the 8 bytes of header length"},
  };
  for (const auto& [magic, meaning] : formats)
    if (file.substr(0, magic.size()) == magic)
      return std::string("; it looks like ") + meaning;
  return "";
}

/// The JSON of the header.
inline std::string_view header_json(std::string_view file) {
  if (file.size() < 8)
    throw Error(ErrorCode::header_too_small, std::to_string(file.size()) + " bytes" + hint(file));
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;)
    length = length << 8 | static_cast<unsigned char>(file[i]);
  if (length > max_safetensors_header)
    throw Error(ErrorCode::header_too_large, "the first 8 bytes say " + std::to_string(length) + hint(file));
  if (length > file.size() - 8)
    throw Error(ErrorCode::invalid_header_length, "the first 8 bytes say " + std::to_string(length) + ", " +
                                                      std::to_string(file.size() - 8) + " bytes follow" + hint(file));
  const std::string_view json = file.substr(8, length);
  if (!simdjson::validate_utf8(json.data(), json.size()))
    throw Error(ErrorCode::invalid_header_utf8, "");
  return json;
}

} // namespace detail

inline SafeTensors SafeTensors::open(const std::filesystem::path& path, Memory memory) {
  const MappedFile file = MappedFile::open(path, memory);
  try {
    return parse(file.data(), file.size(), file.owner());
  } catch (const Error& e) {
    rethrow_within(path.string(), e);
  }
}

inline SafeTensors SafeTensors::parse(const unsigned char* data, std::size_t size, std::shared_ptr<const void> owner) {
  static_assert(sizeof(std::size_t) == 8, "offsets of the format are 64 bits wide");
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  const std::string_view json = detail::header_json(file);
  try {
    detail::HeaderReader header;
    header.read(json);
    auto& entries = header.tensors;
    const auto by_name = [](const auto& a, const auto& b) { return a.view.name < b.view.name; };
    const auto same_name = [](const auto& a, const auto& b) { return a.view.name == b.view.name; };
    std::sort(entries.begin(), entries.end(), by_name);
    const auto twin = std::adjacent_find(entries.begin(), entries.end(), same_name);
    if (twin != entries.end())
      throw Error(ErrorCode::duplicate_tensor, detail::quote(twin->view.name));
    detail::check_layout(entries, size - 8 - json.size());

    SafeTensors result;
    result.owner_ = std::move(owner);
    result.metadata_ = std::move(header.metadata);
    result.tensors_.reserve(entries.size());
    for (auto& entry : entries) {
      entry.view.data = data + 8 + json.size() + entry.begin;
      entry.view.bytes = entry.end - entry.begin;
      result.tensors_.push_back(std::move(entry.view));
    }
    return result;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::out_of_memory, "a header of " + std::to_string(json.size()) + " bytes");
  }
}

inline const TensorView* SafeTensors::find(std::string_view name) const {
  const auto found = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                      [](const TensorView& tensor, std::string_view key) { return tensor.name < key; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

} // namespace distilbert
