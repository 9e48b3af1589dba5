#pragma once
// How many CPUs this process may really use: affinity mask and control-group quota, not what the machine has.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

#include "../error.hpp"
#include "../quote.hpp"

namespace distilbert {

namespace detail {

/// CPUs that a cgroup v2 "cpu.max" or the v1 pair "quota period" grants, rounded up; 0 for no limit or no such line.
inline std::size_t cpus_of_quota(const std::string& line) {
  std::istringstream in(line);
  long long quota = 0, period = 0;
  if (!(in >> quota >> period) || quota <= 0 || period <= 0)
    return 0; // "max 100000" fails the first read
  return static_cast<std::size_t>((quota - 1) / period + 1);
}

inline std::string first_line(const std::string& path) {
  std::string line;
  std::ifstream in(path);
  std::getline(in, line);
  return line;
}

/// Path of this process in the hierarchy of a controller: the line "N:<controllers>:<path>" of /proc/self/cgroup.
/// v2 has an empty list of controllers.
inline std::string cgroup_path(std::istream& self, const std::string& controller) {
  for (std::string line; std::getline(self, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controller.empty() ? controllers == ",," : controllers.find("," + controller + ",") != std::string::npos)
      return line.substr(second + 1);
  }
  return "/";
}

/// Smallest quota of the group at `path` and of all groups above it; 0 for none.
template <class ReadQuota> std::size_t cpus_of_cgroup(std::string path, const ReadQuota& read_quota) {
  std::size_t least = 0;
  for (;;) {
    const std::size_t here = cpus_of_quota(read_quota(path == "/" ? "" : path));
    if (here && (!least || here < least))
      least = here;
    const std::size_t slash = path.rfind('/');
    if (path.size() <= 1 || slash == std::string::npos)
      return least;
    path.erase(std::max<std::size_t>(slash, 1));
  }
}

inline std::size_t cgroup_cpus() {
  std::ifstream v2_self("/proc/self/cgroup"), v1_self("/proc/self/cgroup");
  const std::size_t v2 = cpus_of_cgroup(cgroup_path(v2_self, ""), [](const std::string& group) {
    return first_line("/sys/fs/cgroup" + group + "/cpu.max");
  });
  const std::size_t v1 = cpus_of_cgroup(cgroup_path(v1_self, "cpu"), [](const std::string& group) {
    const std::string folder = "/sys/fs/cgroup/cpu" + group;
    return first_line(folder + "/cpu.cfs_quota_us") + " " + first_line(folder + "/cpu.cfs_period_us");
  });
  return v2 && v1 ? std::min(v2, v1) : std::max(v2, v1);
}

} // namespace detail

/// CPUs in the affinity mask, bounded by the control group's quota (rounded up); at least 1. Reads the files anew at
/// each call, because a container's quota can change.
inline std::size_t usable_cpus() {
  std::size_t cpus = std::thread::hardware_concurrency();
#if defined(__linux__)
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) == 0)
    cpus = static_cast<std::size_t>(CPU_COUNT(&mask));
  const std::size_t quota = detail::cgroup_cpus();
  if (quota)
    cpus = std::min(cpus, quota);
#endif
  return std::max<std::size_t>(cpus, 1);
}

/// The number of threads that one call may use: `asked`, else DISTILBERT_THREADS, else usable_cpus(); 0 and an empty
/// variable do not ask. Errors: ErrorCode::invalid_argument for more than 1,024, or a variable that is no number.
inline std::size_t thread_count(std::size_t asked) {
  constexpr std::size_t most = 1024;
  const char* variable = std::getenv("DISTILBERT_THREADS");
  if (asked == 0 && variable != nullptr) {
    const std::string_view text = variable;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), asked);
    if (!text.empty() && (error != std::errc() || end != text.data() + text.size()))
      throw Error(ErrorCode::invalid_argument,
                  "DISTILBERT_THREADS: a number of threads expected, " + detail::quote(text) + " found");
  }
  if (asked > most)
    throw Error(ErrorCode::invalid_argument,
                std::to_string(asked) + " threads, at most " + std::to_string(most) + " are possible");
  return asked ? asked : usable_cpus();
}

} // namespace distilbert
