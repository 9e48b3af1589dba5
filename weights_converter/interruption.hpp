#pragma once
// SIGINT and SIGTERM as an exception, so that an interrupted conversion cleans up after itself like a failed one.

#include <csignal>
#include <exception>

namespace convert {

/// Thrown where a conversion notices that it is to stop.
struct Interrupted : std::exception {
  explicit Interrupted(int s) : signal(s) {}
  const char* what() const noexcept override { return "interrupted"; }

  int signal;
};

namespace detail {
inline volatile std::sig_atomic_t caught_signal = 0;
}

/// From now on SIGINT and SIGTERM only take note of themselves, unless the parent has them ignored.
inline void catch_interruptions() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { detail::caught_signal = signal; };
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction inherited {};
    sigaction(signal, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN)
      sigaction(signal, &action, nullptr);
  }
}

/// To be called often. Throws Interrupted if one of the signals has come.
inline void stop_if_interrupted() {
  if (detail::caught_signal != 0)
    throw Interrupted(detail::caught_signal);
}

/// Ends the process by the signal, as if it had never been caught; parents tell that from a failure.
inline void die_of(const Interrupted& interruption) {
  std::signal(interruption.signal, SIG_DFL);
  std::raise(interruption.signal);
}

} // namespace convert
