#pragma once
// What goes over the wire to Redis and back (RESP 2): hiredis writes and reads it, within bounds.

#include <hiredis/hiredis.h>

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace service {

/// The bytes of a command.
inline std::string redis_command(std::initializer_list<std::string_view> words) {
  std::vector<const char*> starts;
  std::vector<std::size_t> sizes;
  for (const std::string_view word : words) {
    starts.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* bytes = nullptr;
  const int size = redisFormatCommandArgv(&bytes, static_cast<int>(words.size()), starts.data(), sizes.data());
  if (size < 0)
    throw std::bad_alloc();
  const std::unique_ptr<char, decltype(&redisFreeCommand)> owner(bytes, &redisFreeCommand);
  return std::string(bytes, static_cast<std::size_t>(size));
}

struct RedisReply {
  enum class Type { status, error, integer, string, nil };
  Type type;
  std::string text; // of all but nil
};

/// Makes replies of the bytes that a server sends. The commands of the cache are answered by single values: arrays,
/// and whatever else is no such reply, break the reader for good. It holds no more than the bytes of one reply that is
/// not yet whole, `max_bytes` at most, and those fed last.
class RedisReplyReader {
public:
  explicit RedisReplyReader(std::size_t max_bytes) : max_bytes_(max_bytes), reader_(make_reader(), &redisReaderFree) {
    if (reader_ == nullptr)
      throw std::bad_alloc();
  }

  void feed(std::string_view bytes) {
    if (!broken_)
      broken_ = redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK;
  }

  /// Takes the next whole reply; null when there is none, or the reader is broken.
  std::unique_ptr<RedisReply> next() {
    void* reply = nullptr;
    if (!broken_)
      broken_ = redisReaderGetReply(reader_.get(), &reply) != REDIS_OK ||
                (reply == nullptr && reader_->len - reader_->pos > max_bytes_);
    return std::unique_ptr<RedisReply>(static_cast<RedisReply*>(reply));
  }

  bool broken() const { return broken_; }

private:
  static redisReader* make_reader() {
    // hiredis takes a null as lack of memory, and reads no further: that is what bounds it.
    static redisReplyObjectFunctions functions{
        [](const redisReadTask* task, char* text, std::size_t size) -> void* {
          return make(task->type == REDIS_REPLY_STATUS  ? RedisReply::Type::status
                      : task->type == REDIS_REPLY_ERROR ? RedisReply::Type::error
                                                        : RedisReply::Type::string,
                      {text, size});
        },
        [](const redisReadTask*, int) -> void* { return nullptr; },
        [](const redisReadTask*, long long number) -> void* {
          return make(RedisReply::Type::integer, std::to_string(number));
        },
        [](const redisReadTask*) -> void* { return make(RedisReply::Type::nil, {}); },
        [](void* reply) { delete static_cast<RedisReply*>(reply); },
    };
    return redisReaderCreateWithFunctions(&functions);
  }

  static RedisReply* make(RedisReply::Type type, std::string_view text) noexcept {
    try {
      return new RedisReply{type, std::string(text)};
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

  std::size_t max_bytes_;
  std::unique_ptr<redisReader, decltype(&redisReaderFree)> reader_;
  bool broken_ = false;
};

} // namespace service
