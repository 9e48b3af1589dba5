#pragma once
// Whole buffers to a file descriptor, past the buffers and locks of stdio and iostream.

#include <cerrno>
#include <string_view>
#include <system_error>

#include <unistd.h>

namespace cli {

/// Writes all of it. Returns false if the reader has gone (EPIPE; the caller must ignore SIGPIPE), throws
/// std::system_error on any other failure.
inline bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written >= 0)
      bytes.remove_prefix(static_cast<std::size_t>(written));
    else if (errno == EPIPE)
      return false;
    else if (errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "cannot write");
  }
  return true;
}

} // namespace cli
