#pragma once
// The signals that end the server, as an event to wait for.

#include <atomic>
#include <csignal>
#include <thread>

#include <unistd.h>

/// SIGTERM and SIGINT end the process at once, with 0, until hold() has been called; from then on they wait until they
/// are asked for. SIGHUP and SIGPIPE are ignored. One for the process, which it must outlive, made while there is one
/// thread: the others inherit what it sets.
class Signals {
public:
  Signals() {
    sigemptyset(&ending_);
    struct sigaction now {};
    now.sa_handler = [](int signal) { _exit(128 + signal); }; // of its own, as process 1 ignores what has none
    for (const int signal : {SIGTERM, SIGINT}) {
      sigaddset(&ending_, signal);
      sigaction(signal, &now, nullptr);
    }
    pthread_sigmask(SIG_BLOCK, &ending_, nullptr);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGHUP, &ignore, nullptr);
    sigaction(SIGPIPE, &ignore, nullptr);
    std::thread([this] {
      int signal = 0;
      sigwait(&ending_, &signal);
      if (!held_)
        _exit(0);
      first_ = signal;
      first_.notify_one();
    }).detach();
  }

  /// There is something now that must not be broken off.
  void hold() { held_ = true; }

  /// Waits for the first signal, and returns it; a further one ends the process at once. After hold().
  int wait() {
    first_.wait(0);
    pthread_sigmask(SIG_UNBLOCK, &ending_, nullptr);
    return first_;
  }

private:
  sigset_t ending_;
  std::atomic<bool> held_{false};
  std::atomic<int> first_{0};
};
