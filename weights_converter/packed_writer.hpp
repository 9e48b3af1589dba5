#pragma once
// A packed model as a safetensors file: tensors in order of use, each at a multiple of 64 bytes.

#include "../examples/common/json_text.hpp"
#include "environment.hpp"
#include "staged_files.hpp"

#include <distilbert/weights/packed_model.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace convert {

/// All tensors of the file in order of use, none of which is copied. `vocabulary`: Vocabulary::packed(), empty if there
/// is none.
inline std::vector<distilbert::TensorView> tensors_of(const distilbert::PackedModel& model,
                                                      std::string_view vocabulary) {
  using namespace distilbert;
  std::vector<TensorView> tensors;
  if (!vocabulary.empty())
    tensors.push_back({packed_vocabulary,
                       Dtype::u8,
                       {vocabulary.size()},
                       reinterpret_cast<const unsigned char*>(vocabulary.data()),
                       vocabulary.size()});
  for (const PackedLayer& layer : model.layers())
    tensors.insert(tensors.end(), layer.tensors.begin(), layer.tensors.end());
  return tensors;
}

/// The eight bytes of length and the JSON, padded with spaces so that the tensors' bytes, which follow, are aligned.
inline std::string packed_header(const std::vector<distilbert::TensorView>& tensors,
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
  for (const TensorView& tensor : tensors) {
    json += ",\"" + tensor.name + "\":{\"dtype\":\"" + info(tensor.dtype).name + "\",\"shape\":";
    cli::append_json_array(json, tensor.shape);
    json += ",\"data_offsets\":[" + std::to_string(offset) + ',' + std::to_string(offset + tensor.bytes) + "]}";
    offset += tensor.bytes;
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

/// Returns the number of bytes of all tensors.
inline std::size_t write_packed(const distilbert::PackedModel& model, std::string_view vocabulary,
                                const std::map<std::string, std::string>& metadata, StagedFile& file,
                                Environment& environment) {
  const std::vector<distilbert::TensorView> tensors = tensors_of(model, vocabulary);
  file.write(packed_header(tensors, metadata));
  std::size_t total = 0, done = 0;
  for (const auto& tensor : tensors)
    total += tensor.bytes;
  constexpr std::size_t block = std::size_t{1} << 20;
  for (const auto& tensor : tensors) {
    const std::string_view bytes(reinterpret_cast<const char*>(tensor.data), tensor.bytes);
    for (std::size_t at = 0; at < bytes.size(); at += block) {
      environment.progress("written", done + at, total);
      file.write(bytes.substr(at, block));
    }
    done += bytes.size();
  }
  return total;
}

} // namespace convert
