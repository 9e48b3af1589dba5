#pragma once
// What a row depends on, as bytes: the key of every cache, and the form in which texts wait.

#include "engine.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace service {

/// Output, token ids and type ids of a text. Equal keys have equal rows, to the last bit; the hash only finds them.
class TextKey {
public:
  /// Nothing if the text has neither one type id for each token nor none at all.
  static std::optional<TextKey> of(Output output, const distilbert::Encoding& text);

  const std::string& bytes() const { return bytes_; }
  std::size_t hash() const { return hash_; }
  bool operator==(const TextKey& other) const { return hash_ == other.hash_ && bytes_ == other.bytes_; }

  Output output() const { return static_cast<Output>(bytes_[0] & 1); }
  std::size_t tokens() const;
  /// The ids and type ids that the key was made of; the rest of an encoding no model looks at.
  distilbert::Encoding text() const;

private:
  explicit TextKey(std::string bytes) : bytes_(std::move(bytes)), hash_(std::hash<std::string>()(bytes_)) {}

  std::string bytes_; // Output, and 2 if type ids follow the ids; then those as they lie in memory
  std::size_t hash_;
};

/// Hash and equality of keys that lie elsewhere, for tables that point to them.
struct SameKey {
  std::size_t operator()(const TextKey* key) const noexcept { return key->hash(); }
  bool operator()(const TextKey* a, const TextKey* b) const noexcept { return *a == *b; }
};

} // namespace service
