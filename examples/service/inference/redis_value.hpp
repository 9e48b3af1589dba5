#pragma once
// How a row of floats is stored in Redis, so that whatever else is found there is known for what it is.

#include "engine.hpp"

#include "../../common/sha256.hpp"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace service {

/// The key in Redis of a row of the model with this fingerprint: "distilbert:1:" and 64 hexadecimal digits. The 1 is
/// the version of the stored form: versions do not see each other's values. Nothing of a text can be read off it.
inline std::string redis_key(std::string_view fingerprint, std::string_view key) {
  cli::Sha256 hash;
  hash.update(fingerprint);
  hash.update(std::string_view("\0", 1));
  hash.update(key);
  return "distilbert:1:" + hash.finish();
}

/// A stored value: one byte of version, 1; three bytes of zero; the number of floats, 32 bits; a checksum, 64 bits; the
/// floats. All numbers are little-endian.
///
/// The checksum is the first 8 bytes of SHA-256 over the key in Redis, the 8 bytes before the checksum, and the floats.
/// With the key in it, another key's value does not pass; and unlike 32 bits of CRC, 64 of SHA-256 leave nothing to
/// chance over the life of a cache, at a cost (2 us for 3 KiB) that disappears behind the network's. It finds
/// accidents; who may write to Redis can write valid values.
class RedisValue {
public:
  static constexpr std::size_t header_size = 16;

  static constexpr std::size_t size(std::size_t floats) { return header_size + floats * sizeof(float); }

  static std::string encode(std::string_view redis_key, const Row& row) {
    std::string value(size(row.size()), '\0');
    value[0] = 1;
    store(static_cast<std::uint32_t>(row.size()), &value[4]);
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::uint32_t bits;
      std::memcpy(&bits, &row[i], sizeof bits);
      store(bits, &value[size(i)]);
    }
    store(checksum(redis_key, value), &value[8]);
    return value;
  }

  /// The row; nothing unless the value is whole, of this version and key, and all floats are finite.
  static std::optional<Row> decode(std::string_view redis_key, std::string_view value) {
    constexpr std::string_view version("\1\0\0\0", 4);
    if (value.size() < header_size || value.substr(0, 4) != version || (value.size() - header_size) % sizeof(float))
      return std::nullopt;
    const std::size_t count = (value.size() - header_size) / sizeof(float);
    if (load<std::uint32_t>(&value[4]) != count || load<std::uint64_t>(&value[8]) != checksum(redis_key, value))
      return std::nullopt;
    Row row(count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto bits = load<std::uint32_t>(value.data() + size(i));
      std::memcpy(&row[i], &bits, sizeof bits);
      if (!std::isfinite(row[i]))
        return std::nullopt;
    }
    return row;
  }

private:
  template <typename T> static void store(T number, char* bytes) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
      bytes[i] = static_cast<char>(number >> (8 * i) & 0xFF);
  }

  template <typename T> static T load(const char* bytes) {
    T number = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      number |= static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    return number;
  }

  static std::uint64_t checksum(std::string_view redis_key, std::string_view value) {
    cli::Sha256 hash;
    hash.update(redis_key);
    hash.update(value.substr(0, 8));
    hash.update(value.substr(header_size));
    const std::string digits = hash.finish();
    std::uint64_t sum = 0;
    std::from_chars(digits.data(), digits.data() + 16, sum, 16);
    return sum;
  }
};

} // namespace service
