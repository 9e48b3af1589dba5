#pragma once
// A pool of threads for the loops of one model: they spin briefly for the next loop, then sleep.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#include "per_process.hpp"

namespace distilbert {

/// Thread-safe. A loop that comes while another runs is run by its caller alone, which is right when callers are many.
/// Callers that say so (ThreadPool::Caller) get only the threads that they leave each other, so that no more compute
/// than the pool has.
/// A forked child starts threads of its own; the loops of the parent's other threads do not go on there. (A body must
/// not fork and go on with its loop in the child.)
class ThreadPool {
public:
  /// `threads` counts the caller; the others are started by the first loop that needs them.
  explicit ThreadPool(std::size_t threads) : threads_(threads ? threads : 1) {}

  std::size_t threads() const { return threads_; }

  /// Calls body(i) for every i in [0, count), each once, on any thread and in any order, and returns when all are
  /// done. If bodies throw, those not yet begun are left out and the exception of the lowest i is thrown here.
  template <class Body> void parallel_for(std::size_t count, const Body& body) {
    if (count > 1 && threads_ > 1 && crew_.get().run(threads_, count, body))
      return;
    for (std::size_t i = 0; i < count; ++i)
      body(i);
  }

  /// One of the threads that use the pool: for as long as this lives, also between two of its loops. The pool outlives
  /// it. Without it a thread counts while its loop runs with others.
  class Caller;

private:
  /// The threads of one process and the loop that they run.
  class Crew {
  public:
    Crew() = default;
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    ~Crew() {
      stop_ = true;
      wake(wake_, workers_asleep_);
      for (std::thread& worker : workers_)
        worker.join();
    }

    /// Runs the loop, unless another runs: whether it did. Lowers `threads` to as many as the system gives.
    template <class Body> bool run(std::atomic<std::size_t>& threads, std::size_t count, const Body& body) {
      const std::size_t callers = std::max<std::size_t>(callers_, 1);
      if (callers >= threads || busy_.exchange(true))
        return false;
      const Release release{busy_};
      start_workers(threads);
      helpers_ = threads - std::min<std::size_t>(callers, threads);
      body_ = [](const void* b, std::size_t i) { (*static_cast<const Body*>(b))(i); };
      context_ = &body;
      count_ = count;
      next_ = 0;
      error_ = nullptr;
      open_loop();
      work();
      close_loop();
      if (const std::exception_ptr error = std::exchange(error_, nullptr)) // which may hold what holds the pool
        std::rethrow_exception(error);
      return true;
    }

  private:
    struct Release {
      std::atomic<bool>& busy;
      ~Release() { busy = false; }
    };

    static constexpr int spins = 2000; // about 20 to 100 microseconds

    static void pause() {
#if defined(__x86_64__) || defined(__i386__)
      _mm_pause();
#elif defined(__aarch64__)
      asm volatile("yield");
#endif
    }

    /// Spins for a while, then sleeps until the condition holds. `asleep` counts the sleepers: whoever makes the
    /// condition true looks at it afterwards, and only then needs the mutex.
    template <class Condition>
    void wait_for(const Condition& condition, std::condition_variable& signal, std::atomic<std::size_t>& asleep) {
      for (int i = 0; i < spins; ++i) {
        if (condition())
          return;
        pause();
      }
      std::unique_lock<std::mutex> lock(mutex_);
      ++asleep;
      signal.wait(lock, condition);
      --asleep;
    }

    void wake(std::condition_variable& signal, std::atomic<std::size_t>& asleep) {
      if (asleep == 0)
        return;
      const std::lock_guard<std::mutex> lock(mutex_);
      signal.notify_all();
    }

    // loop_ holds the number of the loop, whether it is open, and how many workers are inside. A worker that comes when
    // the loop is closed stays outside, so that nobody ever waits for one that has only just woken up.
    static constexpr std::uint64_t one_loop = std::uint64_t{1} << 32, is_open = std::uint64_t{1} << 31;
    static constexpr std::uint64_t workers_inside = is_open - 1;

    void open_loop() {
      loop_ = (loop_ | (one_loop - 1)) + 1 + is_open;
      wake(wake_, workers_asleep_);
    }

    void close_loop() {
      loop_ &= ~is_open;
      wait_for([this] { return (loop_ & workers_inside) == 0; }, done_, callers_asleep_);
    }

    /// Whether this worker may take part in a loop that it has not `seen` yet; it is then inside.
    bool enter_loop(std::uint64_t& seen) {
      std::uint64_t loop = loop_;
      while ((loop & is_open) && loop / one_loop != seen && (loop & workers_inside) < helpers_)
        if (loop_.compare_exchange_weak(loop, loop + 1)) {
          seen = loop / one_loop;
          return true;
        }
      return false;
    }

    void leave_loop() {
      if (((--loop_) & (is_open | workers_inside)) == 0)
        wake(done_, callers_asleep_);
    }

    void start_workers(std::atomic<std::size_t>& threads) {
      while (workers_.size() + 1 < threads) {
        try {
          workers_.emplace_back([this] { serve(); });
        } catch (const std::system_error&) { // the system gives no more threads: go on with those there are
          threads = workers_.size() + 1;
        }
      }
    }

    void serve() {
      for (std::uint64_t seen = 0;;) {
        bool inside = false;
        wait_for([&] { return stop_ || (inside = enter_loop(seen)); }, wake_, workers_asleep_);
        if (!inside)
          return;
        work();
        leave_loop();
      }
    }

    void work() {
      for (std::size_t i; (i = next_.fetch_add(1)) < count_;) {
        try {
          body_(context_, i);
        } catch (...) {
          const std::lock_guard<std::mutex> lock(mutex_);
          if (!error_ || i < error_at_) {
            error_ = std::current_exception();
            error_at_ = i;
          }
          next_ = count_;
        }
      }
    }

    friend Caller;

    std::atomic<std::size_t> callers_{0};
    std::atomic<bool> busy_{false}; // a loop has the crew
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::vector<std::thread> workers_;
    std::atomic<std::uint64_t> loop_{0};
    std::atomic<std::size_t> helpers_{0}; // workers that the loop may have
    std::atomic<std::size_t> workers_asleep_{0}, callers_asleep_{0};
    std::atomic<bool> stop_{false};

    // the loop that runs; written while no worker is inside
    void (*body_)(const void*, std::size_t) = nullptr;
    const void* context_ = nullptr;
    std::size_t count_ = 0;
    std::atomic<std::size_t> next_{0};
    std::exception_ptr error_;
    std::size_t error_at_ = 0;
  };

  std::atomic<std::size_t> threads_;
  PerProcess<Crew> crew_;
};

class ThreadPool::Caller {
public:
  explicit Caller(ThreadPool& pool) : crew_(pool.crew_.get()) { ++crew_.callers_; }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  ~Caller() { --crew_.callers_; }

private:
  Crew& crew_;
};

} // namespace distilbert
