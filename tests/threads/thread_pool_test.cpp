#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <distilbert/threads/thread_pool.hpp>

using distilbert::ThreadPool;

TEST_CASE("every index once, for any count and any number of threads") {
  for (const std::size_t threads : {0u, 1u, 2u, 3u, 8u}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == std::max<std::size_t>(threads, 1));
    for (const std::size_t count : {0u, 1u, 2u, 7u, 1000u}) {
      std::vector<std::atomic<int>> calls(count);
      pool.parallel_for(count, [&](std::size_t i) { ++calls[i]; });
      for (const auto& c : calls)
        REQUIRE(c == 1);
    }
  }
}

TEST_CASE("the loops really run on several threads, and none is started before the first") {
  ThreadPool pool(2);
  std::atomic<int> met{0};
  std::mutex mutex;
  std::set<std::thread::id> ids;
  pool.parallel_for(2, [&](std::size_t) { // each body waits for the other: one thread alone would never end
    ++met;
    while (met < 2)
      std::this_thread::yield();
    const std::lock_guard<std::mutex> lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  CHECK(ids.size() == 2);
}

namespace {

/// The most threads that run bodies of one loop at the same time.
std::size_t most_at_once(ThreadPool& pool) {
  std::mutex mutex;
  std::size_t now = 0, most = 0;
  pool.parallel_for(200, [&](std::size_t) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      most = std::max(most, ++now);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    const std::lock_guard<std::mutex> lock(mutex);
    --now;
  });
  return most;
}

/// Runs a loop of so many bodies, each of which waits for the others.
bool meet(ThreadPool& pool, std::size_t threads) {
  std::atomic<std::size_t> met{0};
  pool.parallel_for(threads, [&](std::size_t) {
    ++met;
    while (met < threads)
      std::this_thread::yield();
  });
  return met == threads;
}

} // namespace

TEST_CASE("callers leave each other their threads") {
  ThreadPool pool(3);
  CHECK(meet(pool, 3));
  const ThreadPool::Caller first(pool);
  CHECK(meet(pool, 3));
  {
    const ThreadPool::Caller second(pool);
    CHECK(meet(pool, 2));
    CHECK(most_at_once(pool) <= 2);
    const ThreadPool::Caller third(pool), fourth(pool);
    CHECK(most_at_once(pool) == 1);
  }
  CHECK(meet(pool, 3));
}

TEST_CASE("thousands of short loops, with pauses long enough for the workers to sleep") {
  ThreadPool pool(3);
  std::atomic<std::size_t> sum{0};
  for (int round = 0; round < 5000; ++round) {
    pool.parallel_for(5, [&](std::size_t i) { sum += i; });
    if (round % 500 == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(sum == 5000 * 10);
}

TEST_CASE("an exception arrives at the caller, the lowest index first, and the pool goes on") {
  ThreadPool pool(2);
  for (int round = 0; round < 200; ++round) {
    CHECK_THROWS_WITH_AS(pool.parallel_for(2,
                                           [](std::size_t i) {
                                             if (i == 1)
                                               std::this_thread::yield();
                                             throw std::runtime_error(std::to_string(i));
                                           }),
                         "0", std::runtime_error);
    std::atomic<int> done{0};
    pool.parallel_for(10, [&](std::size_t) { ++done; });
    REQUIRE(done == 10);
  }
}

TEST_CASE("loops inside loops and loops from many threads end, each complete") {
  ThreadPool pool(2);
  std::atomic<int> inner{0};
  pool.parallel_for(4, [&](std::size_t) { pool.parallel_for(3, [&](std::size_t) { ++inner; }); });
  CHECK(inner == 12);
  std::vector<std::thread> callers;
  std::atomic<int> all{0};
  for (int c = 0; c < 8; ++c)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round)
        pool.parallel_for(7, [&](std::size_t) { ++all; });
    });
  for (auto& caller : callers)
    caller.join();
  CHECK(all == 8 * 200 * 7);
}

TEST_CASE("a pool that never ran, or has just run, can be destroyed at once") {
  for (int round = 0; round < 300; ++round) {
    ThreadPool pool(2);
    if (round % 2)
      pool.parallel_for(2, [](std::size_t) {});
  }
}
