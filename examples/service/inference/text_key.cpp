#include "text_key.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace service {

namespace {

constexpr char with_types = 2;

} // namespace

std::optional<TextKey> TextKey::of(Output output, const distilbert::Encoding& text) {
  if (!text.type_ids.empty() && text.type_ids.size() != text.ids.size())
    return std::nullopt;
  const bool types = std::any_of(text.type_ids.begin(), text.type_ids.end(), [](std::int32_t id) { return id != 0; });
  const std::size_t part = text.ids.size() * sizeof(std::int32_t);
  std::string bytes;
  bytes.reserve(1 + (types ? 2 : 1) * part);
  bytes += static_cast<char>(static_cast<char>(output) | (types ? with_types : 0));
  bytes.append(reinterpret_cast<const char*>(text.ids.data()), part);
  if (types)
    bytes.append(reinterpret_cast<const char*>(text.type_ids.data()), part);
  return TextKey(std::move(bytes));
}

std::size_t TextKey::tokens() const {
  return (bytes_.size() - 1) / sizeof(std::int32_t) / (bytes_[0] & with_types ? 2 : 1);
}

distilbert::Encoding TextKey::text() const {
  distilbert::Encoding text;
  text.ids.resize(tokens());
  text.type_ids.resize(tokens());
  const std::size_t part = tokens() * sizeof(std::int32_t);
  if (part == 0)
    return text;
  std::memcpy(text.ids.data(), bytes_.data() + 1, part);
  if (bytes_[0] & with_types)
    std::memcpy(text.type_ids.data(), bytes_.data() + 1 + part, part);
  return text;
}

} // namespace service
