#pragma once
// The command line of distilbert-convert.

#include <distilbert/load_options.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace convert {

struct Options {
  std::filesystem::path in, out;
  distilbert::Precision precision = distilbert::Precision::int8;
  int sum_bits = 32;
  std::vector<std::string> labels; // empty: those of config.json
  std::string probe = "One of the best films of the year: funny, moving and beautifully acted.";
  bool force = false;
};

/// Reads the command line. Ends the program with status 0 after --help and --version, and with 2, a sentence on
/// standard error, for a command line that makes no sense.
Options read_options(int argc, char** argv);

} // namespace convert
