#pragma once
// A packed model as a safetensors file: tensors in order of use, the first one at a multiple of 64 bytes.

#include "../examples/common/json_text.hpp"
#include "progress.hpp"
#include "staged_files.hpp"

#include <distilbert/weights/packed_model.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace convert {

/// The eight bytes of length and the JSON, padded with spaces so that the tensors' bytes, which follow, are aligned.
inline std::string packed_header(const distilbert::PackedModel& model,
                                 const std::map<std::string, std::string>& metadata) {
  using namespace distilbert;
  std::string json = "{\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    json += json.back() == '{' ? "" : ",";
    cli::append_json_string(json, key);
    json += ':';
    cli::append_json_string(json, value);
  }
  json += '}';
  std::size_t offset = 0;
  for (const PackedLayer& layer : model.layers()) {
    for (const TensorView& tensor : layer.tensors) {
      json += ",\"" + tensor.name + "\":{\"dtype\":\"" + info(tensor.dtype).name + "\",\"shape\":";
      cli::append_json_array(json, tensor.shape);
      json += ",\"data_offsets\":[" + std::to_string(offset) + ',' + std::to_string(offset + tensor.bytes) + "]}";
      offset += tensor.bytes;
    }
  }
  json += '}';
  std::uint64_t length = json.size() + 8;
  length = (length + packed_alignment - 1) / packed_alignment * packed_alignment - 8;
  json.resize(length, ' ');
  std::string header;
  for (unsigned byte = 0; byte < 8; ++byte)
    header += static_cast<char>(length >> (8 * byte) & 0xff);
  return header + json;
}

inline void write_packed(const distilbert::PackedModel& model, const std::map<std::string, std::string>& metadata,
                         StagedFile& file) {
  file.write(packed_header(model, metadata));
  std::size_t total = 0, done = 0;
  for (const auto& layer : model.layers())
    for (const auto& tensor : layer.tensors)
      total += tensor.bytes;
  Progress progress("MB written", total);
  constexpr std::size_t block = std::size_t{1} << 20;
  for (const auto& layer : model.layers()) {
    for (const auto& tensor : layer.tensors) {
      const std::string_view bytes(reinterpret_cast<const char*>(tensor.data), tensor.bytes);
      for (std::size_t at = 0; at < bytes.size(); at += block) {
        progress(done + at);
        file.write(bytes.substr(at, block));
      }
      done += bytes.size();
    }
  }
}

} // namespace convert
