#pragma once
// Ctrl-C as a polite request: what is under way is finished and written, then the program ends.

#include <cerrno>
#include <csignal>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace cli {

namespace detail {
inline volatile std::sig_atomic_t interrupt_seen = 0;
inline int interrupt_pipe[2] = {-1, -1}; // has something to read once interrupt_seen is set
} // namespace detail

inline bool interrupted() { return detail::interrupt_seen != 0; }

/// Waits until the descriptor has something to read, its end or an error included; false after an interruption, which
/// cannot slip in between looking and waiting as it could with a read.
inline bool wait_for_input(int descriptor) {
  pollfd waited[] = {{descriptor, POLLIN, 0}, {detail::interrupt_pipe[0], POLLIN, 0}};
  while (!interrupted()) {
    if (::poll(waited, 2, -1) >= 0)
      return !interrupted();
    if (errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "cannot wait for input");
  }
  return false;
}

/// From now on the first SIGINT only sets interrupted() and ends wait_for_input(); a second one kills as usual. A
/// reader that goes away is an error of write() instead of a signal.
inline void handle_signals() {
  if (::pipe2(detail::interrupt_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe");
  struct sigaction interrupt {};
  interrupt.sa_handler = [](int) {
    const int error = errno;
    detail::interrupt_seen = 1;
    [[maybe_unused]] const ssize_t written = ::write(detail::interrupt_pipe[1], "", 1);
    errno = error;
  };
  interrupt.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &interrupt, nullptr);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
}

} // namespace cli
