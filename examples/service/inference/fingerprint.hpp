#pragma once
// What a model's answers depend on, in one number.

#include <distilbert/load_options.hpp>

#include <cstddef>
#include <filesystem>
#include <string>

namespace service {

/// SHA-256, in lower-case hexadecimal digits, of the contents of all files that a model directory may consist of, the
/// precision, max_length, the options that change how texts become ids, and the version of the library. Where the
/// directory lies, and when its files were written, does not matter. Neither does the CPU: in fp32 and int8, levels
/// with fused multiply-add give the same bits, others bits that differ by rounding. Reads in small blocks, about a
/// second for each 1.5 GB. Errors: std::runtime_error if a file cannot be read, distilbert::Error if modules.json
/// cannot.
std::string fingerprint_of(const std::filesystem::path& directory, const distilbert::LoadOptions& options,
                           distilbert::Precision precision, std::size_t max_length);

} // namespace service
