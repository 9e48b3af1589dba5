#pragma once
// What a conversion asks of the program around it: to show how far it is, to stop it, and to hash.

#include <cstddef>
#include <string>
#include <string_view>

namespace convert {

class Environment {
public:
  virtual ~Environment() = default;

  /// So many bytes of a phase ("hashed", "calibrated", "packed", "written") are done. Called often; what it throws ends
  /// the conversion.
  virtual void progress(std::string_view phase, std::size_t done, std::size_t total) = 0;

  /// SHA-256 of the parts that hash() was given, one after the other, in lower-case hexadecimal digits.
  virtual void hash(std::string_view part) = 0;
  virtual std::string sha256() = 0;
};

} // namespace convert
