#pragma once
// One connection to Redis that never blocks; somebody else polls.

#include "redis_address.hpp"
#include "redis_protocol.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace service {

/// Not thread-safe.
class RedisConnection {
public:
  /// No reply may have more bytes than `max_reply_bytes`.
  explicit RedisConnection(std::size_t max_reply_bytes) : max_reply_bytes_(max_reply_bytes) {}
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;
  ~RedisConnection() { close(); }

  /// Begins to connect, which ends when the descriptor can be written to; false if it failed at once. Closes an older
  /// connection.
  bool connect(const RedisAddress& address);
  /// Whether connecting ended well.
  bool connected() const;
  void close();

  int descriptor() const { return descriptor_; } // -1: closed
  bool wants_to_write() const { return written_ < output_.size(); }

  /// Adds to what flush() writes.
  void send(std::string_view command) { output_ += command; }
  /// Writes what the socket takes; false if the connection is lost.
  bool flush();
  /// Reads once, not more than 64 KiB; false if the connection is lost.
  bool read();

  /// The next reply of those read; null if there is none.
  std::unique_ptr<RedisReply> next() { return reader_ ? reader_->next() : nullptr; }
  /// What came is no reply of Redis; nothing more can be read.
  bool broken() const { return reader_ && reader_->broken(); }

private:
  std::size_t max_reply_bytes_;
  int descriptor_ = -1;
  std::string output_;
  std::size_t written_ = 0; // of output_
  std::optional<RedisReplyReader> reader_;
};

} // namespace service
