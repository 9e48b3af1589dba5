#pragma once
// The command line of distilbert-convert.

#include "conversion.hpp"

namespace convert {

/// Reads the command line. Ends the program with status 0 after --help and --version, and with 2, a sentence on
/// standard error, for a command line that makes no sense.
Options read_options(int argc, char** argv);

} // namespace convert
