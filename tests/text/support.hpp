#pragma once
// What the tests of this folder share.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <distilbert/aligned_buffer.hpp>
#include <distilbert/error.hpp>
#include <distilbert/shared_bytes.hpp>
#include <distilbert/text/offsets.hpp>

namespace support {

/// The code and the message of the Error that `action` throws; none if it does not.
struct Thrown {
  std::optional<distilbert::ErrorCode> code;
  std::string message;

  bool mentions(std::string_view text) const { return message.find(text) != std::string::npos; }
};

template <class Action> Thrown thrown_by(Action&& action) {
  try {
    action();
  } catch (const distilbert::Error& e) {
    return {e.code(), e.what()};
  }
  return {};
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The vocabulary of the default model, that of bert-base-uncased.
inline std::filesystem::path model_directory() { return std::filesystem::path(DISTILBERT_SOURCE_DIR) / "models/sst2"; }

/// [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, then `more` from 5 on.
inline std::string small_vocabulary(const std::vector<std::string>& more) {
  std::string lines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (const std::string& token : more)
    lines += token + "\n";
  return lines;
}

inline std::string repeated(std::string_view piece, std::size_t bytes) {
  std::string text;
  text.reserve(bytes + piece.size());
  while (text.size() < bytes)
    text += piece;
  return text;
}

/// The bytes at a place of their own, aligned as in a mapped file.
inline distilbert::SharedBytes placed(std::string_view bytes) {
  const auto buffer = std::make_shared<distilbert::AlignedBuffer>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), buffer->data());
  return {buffer, {reinterpret_cast<const char*>(buffer->data()), bytes.size()}};
}

using Ids = std::vector<std::int32_t>;
using Spans = std::vector<distilbert::Span>;

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
  void write(const std::string& name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
  }

private:
  std::filesystem::path path_;
};

} // namespace support
