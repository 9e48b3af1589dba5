#pragma once
// The thread that keeps the connection of a RedisCache.

#include "redis_breaker.hpp"
#include "redis_cache.hpp"
#include "redis_connection.hpp"

#include <cstddef>
#include <chrono>
#include <atomic>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace service {

/// The public methods are thread-safe; everything else belongs to the thread.
class RedisCache::Worker {
public:
  Worker(const RedisOptions& options, RedisStats& stats);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  /// The keys are those in Redis.
  void get(std::vector<std::string> keys, Found found);
  void put(std::string command);
  void count_errors(std::size_t rows);

private:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Lookup {
    std::vector<std::string> keys;
    std::vector<std::shared_ptr<const Row>> rows; // of the keys that Redis has answered
    Found found;
    TimePoint deadline;
    std::size_t failed = 0; // of the rows: those of which the answer said nothing
    bool retried = false;   // was sent on a connection that was lost
  };

  enum class Link { down, resolving, connecting, greeting, up };

  /// A command whose reply is due.
  struct Sent {
    enum class Command { greeting, get, put } command;
    std::string_view name = {};            // of a greeting's command
    std::size_t bytes = 0;                 // of a put
    TimePoint deadline = TimePoint::max(); // of a put; a lookup and a greeting have theirs elsewhere
  };

  void run();
  bool take_work();
  void step(TimePoint now);
  void wait(TimePoint now);
  TimePoint next_event(TimePoint now) const;

  void expire(TimePoint now);
  bool should_connect(TimePoint now) const;
  void start_connecting(TimePoint now);
  void connect_to_next(TimePoint now);
  void greet(TimePoint now);
  void send_commands(TimePoint now);

  void on_readable(TimePoint now);
  /// False if that cannot be the reply to what was sent.
  bool on_reply(RedisReply& reply, TimePoint now);
  bool on_row(RedisReply& reply, TimePoint now);
  void on_stored(const RedisReply& reply, TimePoint now);
  void send_put(std::string_view command, TimePoint now);

  /// Puts the link down. Lookups on it are tried once more, if so told; returns whether some were given up.
  bool disconnect(bool retry);
  void lost(TimePoint now);
  void fail_link(TimePoint now, std::string_view why);
  void count_failure(TimePoint now, std::string_view why);
  void finish_front();
  void finish_all();
  void drop_puts();
  /// Makes known that the breaker has opened or closed, if it has.
  void tell_breaker(std::string_view why);

  const RedisOptions& options_;
  RedisStats& stats_;
  std::shared_ptr<const RedisWake> wake_ = std::make_shared<RedisWake>();

  std::mutex mutex_; // of the next four
  std::deque<Lookup> new_lookups_;
  std::deque<std::string> new_puts_;
  bool rung_ = false;
  bool stop_ = false;
  std::atomic<std::size_t> put_bytes_{0}; // of new_puts_ and puts_

  std::deque<Lookup> lookups_; // the oldest first, and so are the deadlines
  std::size_t asked_ = 0;      // of lookups_: the first ones are sent
  std::deque<std::string> puts_;
  TimePoint puts_from_{}; // until then no row is stored, as Redis refused one

  Link link_ = Link::down;
  bool known_ = false; // it was up once: until then it is tried without being needed, so that a wrong address is told
  RedisBreaker breaker_;
  RedisConnection connection_;
  TimePoint link_deadline_{}; // while connecting or greeting
  std::future<std::vector<RedisAddress>> resolution_;
  std::vector<RedisAddress> addresses_; // kept as long as they work
  std::size_t next_address_ = 0;
  std::deque<Sent> sent_;
  std::size_t sent_put_bytes_ = 0;

  std::thread thread_; // the last member: it uses the others
};

} // namespace service
