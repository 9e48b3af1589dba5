#pragma once
// One conversion: what is asked for, and what the report tells, which is the models on either side of the rounding and
// their answers.

#include <distilbert/config.hpp>
#include <distilbert/load_options.hpp>
#include <distilbert/weights/packed_model.hpp>
#include <distilbert/weights/probe.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace convert {

/// How weights become int8: each to the nearest step, or by what enters the layers (calibrated_rounding.hpp).
enum class Rounding { calibrated, nearest };

struct Options {
  std::filesystem::path in, out;
  distilbert::Precision precision = distilbert::Precision::int8;
  int sum_bits = 32;
  Rounding rounding = Rounding::calibrated; // of int8; another precision has one way
  std::vector<std::string> labels;          // empty: those of config.json
  std::string probe = "One of the best films of the year: funny, moving and beautifully acted.";
  bool force = false;
};

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
  bool calibrated;                       // any layer, see CalibratedRounding
  std::string probe_text;
  distilbert::Probe exact_answer, answer;
};

} // namespace convert
