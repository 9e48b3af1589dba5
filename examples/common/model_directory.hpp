#pragma once
// Which model a program uses when the user names none.

#include <distilbert/error.hpp>

#include <filesystem>
#include <string>
#include <system_error>

namespace cli {

/// The model installed with the program (../share/distilbert/models/sst2 beside its bin/), else the one of the source
/// tree that it was built from. Throws distilbert::Error if there is neither.
inline std::filesystem::path default_model_directory() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path candidates[] = {program.parent_path().parent_path() / "share/distilbert/models/sst2",
                                 DISTILBERT_SOURCE_MODEL};
  for (const fs::path& candidate : candidates)
    if (fs::exists(candidate / "vocab.txt", error))
      return candidate;
  throw distilbert::Error(distilbert::ErrorCode::file_not_found, "no model in " + candidates[0].string() + " nor in " +
                                                                     candidates[1].string() +
                                                                     "; give one with --model DIR or DISTILBERT_MODEL");
}

} // namespace cli
