#pragma once
// When to leave a server alone.

#include <algorithm>
#include <chrono>

namespace service {

/// A circuit breaker: opens after `limit` failures in a row, and then lets one attempt through in each `pause`. What
/// passes that is on trial: the next failure opens it again. Not thread-safe.
class RedisBreaker {
public:
  using TimePoint = std::chrono::steady_clock::time_point;

  RedisBreaker(unsigned limit, std::chrono::milliseconds pause) : limit_(limit), pause_(pause) {}

  bool open() const { return open_; }
  /// When the next attempt may begin, while open.
  TimePoint next_attempt() const { return next_attempt_; }

  /// The server did its work.
  void succeeded() { failures_ = 0; }

  /// An attempt passed.
  void close() {
    if (open_)
      failures_ = limit_ - 1;
    open_ = false;
  }

  void failed(TimePoint now) {
    failures_ = std::min(failures_ + 1, limit_);
    open_ = open_ || failures_ == limit_;
    next_attempt_ = now + pause_;
  }

private:
  unsigned limit_;
  std::chrono::milliseconds pause_;
  unsigned failures_ = 0;
  bool open_ = false;
  TimePoint next_attempt_{};
};

} // namespace service
