#pragma once
// File descriptors for as many connections as are allowed.

#include <algorithm>
#include <cstddef>

#include <sys/resource.h>

/// Raises the soft limit of the process to the descriptors that so many connections need, with those who wait to be
/// told that they are too many, and what else is open; where the hard limit is lower, to that. Returns how many
/// connections there is room for, at most `connections`.
inline std::size_t make_room_for(std::size_t connections) {
  const rlim_t others = connections / 8 + 128, wanted = connections + others;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
    return connections;
  rlimit raised = limit;
  raised.rlim_cur = std::min(wanted, limit.rlim_max);
  const rlim_t now = ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
  return now > others ? std::min<std::size_t>(now - others, connections) : now / 2;
}
