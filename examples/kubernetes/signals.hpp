#pragma once
// The signals that end the server, as an event to wait for.

#include <csignal>
#include <cstdlib>

#include <unistd.h>

/// SIGTERM and SIGINT wait until they are asked for; SIGHUP and SIGPIPE are ignored. One for the process, made while it
/// has one thread: the others inherit what it sets.
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
  }

  /// Waits for the first signal, and returns it; a further one ends the process at once.
  int wait() {
    int signal = 0;
    sigwait(&ending_, &signal);
    pthread_sigmask(SIG_UNBLOCK, &ending_, nullptr);
    return signal;
  }

private:
  sigset_t ending_;
};
