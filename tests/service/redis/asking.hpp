#pragma once
// A cache under test, and whoever asks it.

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "service/inference/redis_cache.hpp"

using namespace service;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// What belongs to a key, and to no other.
inline Row row_of(const std::string& key) {
  Row row;
  for (const char byte : key)
    row.push_back(static_cast<float>(byte) / 3);
  row.push_back(static_cast<float>(std::hash<std::string>()(key) % 100'000) / 7);
  return row;
}

inline std::vector<std::string> numbered_keys(const std::string& name, int count) {
  std::vector<std::string> keys;
  for (int i = 0; i < count; ++i)
    keys.push_back(name + std::to_string(i));
  return keys;
}

/// For a server in good order: the budget never runs out, however busy the machine is.
inline RedisOptions patient(const RedisUrl& url) {
  RedisOptions options;
  options.url = url;
  options.fingerprint = "model";
  options.budget = 2s;
  options.pause = 200ms;
  return options;
}

inline RedisUrl at_socket(const std::string& path) {
  RedisUrl url;
  url.path = path;
  return url;
}

inline RedisUrl at_port(std::uint16_t port) {
  RedisUrl url;
  url.host = "127.0.0.1";
  url.port = port;
  return url;
}

/// A RedisCache whose every answer is checked: one for each call, in time, and each row the right one or none.
class Asker {
public:
  explicit Asker(const RedisOptions& options)
      : cache_(std::make_unique<RedisCache>(options)), budget_(options.budget) {}
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  ~Asker() {
    cache_.reset();
    CHECK(answers_ == calls_);
  }

  /// How many of the rows were found. May take `slack` longer than the budget.
  std::size_t get(const std::vector<std::string>& keys, std::chrono::milliseconds slack = 500ms) {
    const auto promise = std::make_shared<std::promise<std::vector<std::shared_ptr<const Row>>>>();
    auto future = promise->get_future();
    const auto start = Clock::now();
    ++calls_;
    cache_->get(keys, [this, promise](std::vector<std::shared_ptr<const Row>> rows) {
      ++answers_;
      promise->set_value(std::move(rows));
    });
    REQUIRE(future.wait_for(budget_ + slack) == std::future_status::ready);
    took = Clock::now() - start;
    const auto rows = future.get();
    REQUIRE(rows.size() == keys.size());
    std::size_t found = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      found += rows[i] != nullptr;
      CHECK((rows[i] == nullptr || *rows[i] == row_of(keys[i])));
    }
    return found;
  }
  bool has(const std::string& key) { return get({key}) == 1; }

  void put(const std::string& key) { cache_->put(key, std::make_shared<const Row>(row_of(key))); }

  /// Puts a row and waits until it is found, as it must be within `limit`.
  void put_and_get(const std::string& key, std::chrono::milliseconds limit = 5s) {
    const auto end = Clock::now() + limit;
    do {
      put(key);
      if (has(key))
        return;
      std::this_thread::sleep_for(5ms);
    } while (Clock::now() < end);
    FAIL("not stored in time");
  }

  /// Asks until the row is found, as it must be within `limit`.
  void wait_for(const std::string& key, std::chrono::milliseconds limit = 2s) {
    const auto end = Clock::now() + limit;
    while (!has(key)) {
      REQUIRE(Clock::now() < end);
      std::this_thread::sleep_for(5ms);
    }
  }

  /// Asks until Redis is left alone.
  void wait_for_open() {
    for (int i = 0; i < 100 && !open(); ++i)
      get({"any"});
    REQUIRE(open());
  }

  bool open() const { return stats().breaker == RedisStats::Breaker::open; }
  const RedisStats& stats() const { return cache_->stats(); }
  RedisCache& cache() { return *cache_; }

  Clock::duration took{}; // of the last get()

private:
  std::atomic<int> calls_{0}, answers_{0};
  std::unique_ptr<RedisCache> cache_;
  std::chrono::milliseconds budget_;
};
