#pragma once
// The cache that replicas share, in a Redis server.

#include "../observe/metrics.hpp"
#include "redis_address.hpp"
#include "redis_url.hpp"
#include "remote_cache.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace service {

struct RedisOptions {
  RedisUrl url;
  std::string fingerprint;                // of the model: rows of different ones never meet
  std::chrono::seconds ttl{86'400};       // how long a row stays; 0: until Redis evicts it
  std::chrono::milliseconds budget{10};   // of a get(), whatever happens
  std::size_t max_row_floats = 500'000;   // a longer row is neither stored nor read
  std::size_t queue_bytes = 8'000'000;    // of rows that wait to be stored; more are dropped
  unsigned failures = 4;                  // in a row until Redis is left alone,
  std::chrono::milliseconds pause{1'000}; // but for an attempt in each pause
  Metrics* metrics = nullptr;             // counts "error" of the tier "redis", if there is one
  // Told when Redis is left alone (`up` is false), and why, and when it is back.
  std::function<void(bool up, std::string_view why)> log = {};
  RedisResolve resolve = resolve_redis; // for a host that is a name
};

/// What became of it all since the start.
struct RedisStats {
  enum class Breaker { closed, open };

  std::atomic<std::uint64_t> hits{0};       // rows found
  std::atomic<std::uint64_t> misses{0};     // rows that are not there
  std::atomic<std::uint64_t> errors{0};     // rows of which Redis did not say in time, or said nothing of use
  std::atomic<std::uint64_t> timeouts{0};   // calls of get() that used up the budget
  std::atomic<std::uint64_t> bad_values{0}; // found, not valid, deleted
  std::atomic<std::uint64_t> stored{0};     // rows
  std::atomic<std::uint64_t> dropped{0};    // rows that were not stored
  std::atomic<std::uint64_t> connects{0};   // times that a connection was made; all but one are reconnects
  std::atomic<Breaker> breaker{Breaker::closed};
};

/// RemoteCache on one connection to Redis, which a thread of its own keeps. No call waits for the network, and the
/// destructor not for a resolver. No error leaves this class: it is a row that is not found. Only hashes and floats
/// leave the process, never a text.
///
/// A get() is a GETRANGE for each key, in one write: it bounds what a value can bring along, and unlike MGET's, the
/// answers are single values, also where a proxy spreads the keys over several servers. A connection that turns out to
/// have been closed since its last use is made anew, once in a call; one that owes an answer for longer than the budget
/// is closed, as what came later would be taken for the answer to something else. While Redis is left alone, get()
/// answers at once. The user of the URL needs the commands GETRANGE, SET, UNLINK, PING and SELECT.
class RedisCache final : public RemoteCache {
public:
  explicit RedisCache(RedisOptions options);
  RedisCache(const RedisCache&) = delete;
  RedisCache& operator=(const RedisCache&) = delete;
  /// Answers what waits with nothing; forgets what is not stored.
  ~RedisCache() override;

  /// `found` is called on the cache's thread, or on the caller's before get() returns; it must not throw, and holds up
  /// all other calls while it runs.
  void get(std::vector<std::string> keys, Found found) override;
  /// Rows with a float that is not finite are not stored.
  void put(std::string key, std::shared_ptr<const Row> row) override;

  const RedisStats& stats() const { return stats_; }

private:
  class Worker;

  const RedisOptions options_;
  RedisStats stats_;
  std::unique_ptr<Worker> worker_;
};

} // namespace service
