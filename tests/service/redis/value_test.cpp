// The stored form: what was stored comes back to the bit, and nothing else passes.

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <string>

#include "service/inference/redis_value.hpp"

using namespace service;

namespace {

constexpr const char* key = "distilbert:1:a";

/// A value with a checksum that is right whatever the floats are.
std::string encode(const Row& row) { return RedisValue::encode(key, row); }

bool same_bits(const Row& a, const Row& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

} // namespace

TEST_CASE("a key tells models, keys and the border between them apart, and is always as long") {
  const std::string one = redis_key("model", "text");
  CHECK(one.starts_with("distilbert:1:"));
  CHECK(one.size() == 13 + 64);
  CHECK(one.find_first_not_of("0123456789abcdef", 13) == std::string::npos);
  CHECK(one == redis_key("model", "text"));
  CHECK(one != redis_key("model2", "text"));
  CHECK(one != redis_key("mode", "ltext"));
  CHECK(one != redis_key("model", "text "));
  CHECK(one != redis_key("model", std::string("text\0", 5)));
  // SHA-256 of "a", 0, "b" by another implementation (Python's hashlib)
  CHECK(redis_key("a", "b") == "distilbert:1:59b271ae1bbcb1d31d41929817f4b16fb439eb4f31520b5ad1d5ce98920a7138");
}

TEST_CASE("every finite float survives, to the bit") {
  using limits = std::numeric_limits<float>;
  const Row row{0.0F, -0.0F, 1.5F, -3.25F, limits::denorm_min(), limits::max(), limits::lowest(), limits::min()};
  const auto back = RedisValue::decode(key, encode(row));
  REQUIRE(back);
  CHECK(same_bits(*back, row));
  CHECK(same_bits(RedisValue::decode(key, encode({})).value(), {}));
}

TEST_CASE("the stored form is what the manual says") {
  const std::string value = encode({1.0F, -2.0F});
  CHECK(value.size() == RedisValue::size(2));
  CHECK(value.substr(0, 8) == std::string("\1\0\0\0\2\0\0\0", 8));
  CHECK(value.substr(16) == std::string("\0\0\x80\x3F\0\0\0\xC0", 8));
  // By hashlib: sha256(b"distilbert:1:a" + value[:8] + value[16:]).digest()[:8], the bytes in reverse
  CHECK(value.substr(8, 8) == std::string("\xE6\x74\x3C\x59\x04\x87\x96\x8A", 8));
}

TEST_CASE("no change of a byte passes") {
  const std::string value = encode({1.0F, 2.0F, 3.0F});
  for (std::size_t i = 0; i < value.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = value;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      CAPTURE(i);
      CHECK_FALSE(RedisValue::decode(key, changed));
    }
}

TEST_CASE("neither a part nor more passes") {
  const std::string value = encode({1.0F, 2.0F, 3.0F});
  for (std::size_t size = 0; size < value.size(); ++size)
    CHECK_FALSE(RedisValue::decode(key, value.substr(0, size)));
  CHECK_FALSE(RedisValue::decode(key, value + '\0'));
  CHECK_FALSE(RedisValue::decode(key, value + std::string(4, '\0')));
}

TEST_CASE("another key's value does not pass") { CHECK_FALSE(RedisValue::decode("distilbert:1:b", encode({1.0F}))); }

TEST_CASE("floats that are not finite do not pass, though the checksum is theirs") {
  using limits = std::numeric_limits<float>;
  for (const float bad : {limits::quiet_NaN(), limits::infinity(), -limits::infinity()})
    CHECK_FALSE(RedisValue::decode(key, encode({1.0F, bad})));
}
