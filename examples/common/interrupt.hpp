#pragma once
// Ctrl-C as a polite request: what is under way is finished and written, then the program ends.

#include <csignal>

namespace cli {

namespace detail {
inline volatile std::sig_atomic_t interrupt_seen = 0;
}

inline bool interrupted() { return detail::interrupt_seen != 0; }

/// From now on the first SIGINT only sets interrupted() and ends a blocking read; a second one kills as usual. A reader
/// that goes away is an error of write() instead of a signal.
inline void handle_signals() {
  struct sigaction interrupt {};
  interrupt.sa_handler = [](int) { detail::interrupt_seen = 1; };
  interrupt.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &interrupt, nullptr);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
}

} // namespace cli
