// Any bytes as what a Redis server says: no crash, bounded memory, the same replies however the bytes are cut, and no
// row but from a value that is exactly what was stored.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "../../examples/service/inference/redis_protocol.hpp"
#include "../../examples/service/inference/redis_value.hpp"

using namespace service;

namespace {

constexpr std::size_t limit = 256;
constexpr std::string_view key = "distilbert:1:k";

void require(bool holds) {
  if (!holds)
    std::abort();
}

std::vector<RedisReply> read(std::string_view bytes, std::size_t piece) {
  RedisReplyReader reader(limit);
  std::vector<RedisReply> replies;
  for (std::size_t i = 0; i < bytes.size(); i += piece) {
    reader.feed(bytes.substr(i, piece));
    while (const auto reply = reader.next()) {
      require(reply->text.size() <= limit + piece);
      replies.push_back(*reply);
    }
  }
  return replies;
}

void check_value(std::string_view value) {
  if (const auto row = RedisValue::decode(key, value))
    require(RedisValue::encode(key, *row) == value);
}

/// The bytes as floats, as far as they are finite, are stored and read back.
void check_row(std::string_view bytes) {
  Row row(bytes.size() / sizeof(float));
  bool finite = true;
  for (std::size_t i = 0; i < row.size(); ++i) {
    std::memcpy(&row[i], bytes.data() + i * sizeof(float), sizeof(float));
    finite = finite && std::isfinite(row[i]);
  }
  const std::string value = RedisValue::encode(key, row);
  const auto back = RedisValue::decode(key, value);
  require(back.has_value() == finite);
  check_value(value);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1)
    return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<RedisReply> whole = read(bytes, bytes.size() + 1);
  const std::vector<RedisReply> pieces = read(bytes, data[0] % 32 + 1);
  require(pieces.size() <= whole.size()); // fewer if one that is too long came in pieces
  for (std::size_t i = 0; i < pieces.size(); ++i)
    require(pieces[i].type == whole[i].type && pieces[i].text == whole[i].text);
  for (const RedisReply& reply : whole)
    check_value(reply.text);
  check_row(bytes);
  return 0;
}
