#pragma once
// One conversion from its input to what the report tells: the models on either side of the rounding and their answers.

#include <distilbert/config.hpp>
#include <distilbert/weights/packed_model.hpp>
#include <distilbert/weights/probe.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace convert {

/// What a model.safetensors holds.
struct FileSummary {
  std::size_t tensors;
  std::uint64_t bytes;
};

struct Conversion {
  distilbert::DistilBertConfig config; // of the source
  std::string source_sha256;
  FileSummary source, converted;
  distilbert::PackedModel exact, packed; // in fp32, and in the precision asked for
  std::string probe_text;
  distilbert::Probe exact_answer, answer;
};

} // namespace convert
