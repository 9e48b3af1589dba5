#pragma once
// What the tests of this folder share: temporary directories, files, safetensors files made by hand, errors as values.

#include <distilbert/error.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace support {

/// A directory of its own, removed with all that is in it.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "distilbert-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
      throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(const std::string& name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }

private:
  std::filesystem::path path_;
};

/// The Error that a call throws; none if it throws nothing. Any other exception goes through.
template <class Call> std::optional<distilbert::Error> error_of(Call call) {
  try {
    call();
  } catch (const distilbert::Error& e) {
    return e;
  }
  return std::nullopt;
}

/// Its code; none if it throws nothing.
template <class Call> std::optional<distilbert::ErrorCode> code_of(Call call) {
  const auto error = error_of(call);
  return error ? std::optional(error->code()) : std::nullopt;
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// 8 bytes of length, the header, the data.
inline std::string safetensors_file(std::string_view header, std::string_view data = {}) {
  const std::uint64_t length = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file.append(header).append(data);
}

/// A tensor to be written.
struct StoredTensor {
  std::string name;
  std::string dtype;
  std::vector<std::size_t> shape;
  std::string bytes;
};

/// A file of these tensors, in this order. Names must need no escapes.
inline std::string safetensors_file(const std::vector<StoredTensor>& tensors) {
  std::string header = "{", data;
  for (const StoredTensor& tensor : tensors) {
    std::string shape;
    for (const std::size_t extent : tensor.shape)
      shape.append(shape.empty() ? "" : ",").append(std::to_string(extent));
    header.append(header.size() > 1 ? ",\"" : "\"").append(tensor.name).append("\":{\"dtype\":\"");
    header.append(tensor.dtype).append("\",\"shape\":[").append(shape).append("],\"data_offsets\":[");
    header.append(std::to_string(data.size())).append(",");
    data += tensor.bytes;
    header.append(std::to_string(data.size())).append("]}");
  }
  return safetensors_file(header + "}", data);
}

/// The bytes of numbers, as they lie in memory.
template <class T> std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty())
    std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

} // namespace support

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SUPPORT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SUPPORT_SANITIZED 1
#endif
#endif
