#pragma once
// State of one process: locks, threads and what they guard are made anew in a forked child.
//
// What the whole library promises rests on it. A process may call fork() from any thread, whatever its other threads do
// with the library meanwhile. The child may use at once every object that was complete: call it from any number of
// threads, with threads of its own in the pool and the same bits as result, destroy it, fork again. The parent goes on
// undisturbed. What the other threads held in that moment, and what lay ready for them, is lost memory in the child; it
// shares the pages with the parent until one of the two writes there.
// Not promised: a fork within a body that runs in ThreadPool::parallel_for (the child may then only exec or _exit);
// processes made around fork(), by a bare clone() or _Fork(); a C library whose malloc is of no use in the child of a
// process with threads, which those of Linux and macOS are not.

#include <atomic>
#include <cstdint>
#include <memory>

#include <pthread.h>

namespace distilbert {

namespace detail {

/// The forks from the process that loaded this code down to this one.
inline std::atomic<std::uint64_t> forks{0};

inline void count_fork() { forks.fetch_add(1, std::memory_order_relaxed); }

// When the code is loaded, not at first use: another thread's first use may be under way in the moment of a fork.
inline const int forks_are_counted = pthread_atfork(nullptr, nullptr, count_fork);

} // namespace detail

/// A T for the threads of one process. Thread-safe, without a lock, as far as finding it goes; what T does is its own
/// affair. In a forked child the T of the parent is left as it is, never used and never destroyed: its mutex may be
/// held, its threads do not exist.
template <class T> class PerProcess {
public:
  PerProcess() = default;
  PerProcess(const PerProcess&) = delete;
  PerProcess& operator=(const PerProcess&) = delete;

  ~PerProcess() {
    if (own_.load()->is_ours())
      delete own_.load();
  }

  /// The T of this process, the same until the PerProcess ends; the child's first call makes it, and may throw what
  /// that throws.
  T& get() {
    Own* own = own_.load(std::memory_order_acquire);
    if (!own->is_ours()) {
      auto fresh = std::make_unique<Own>();
      if (own_.compare_exchange_strong(own, fresh.get(), std::memory_order_acq_rel))
        own = fresh.release(); // else another thread was first, and own is what it made
    }
    return own->state;
  }

private:
  struct Own {
    bool is_ours() const { return made_after == detail::forks.load(std::memory_order_relaxed); }

    T state;
    const std::uint64_t made_after = detail::forks.load(std::memory_order_relaxed);
  };

  std::atomic<Own*> own_{new Own};
};

} // namespace distilbert
