#include "process_metrics.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

namespace service {

namespace {

/// Fields of /proc/self/stat by their number in proc(5). The name of the program, which may hold anything, comes
/// before.
struct Stat {
  std::vector<double> values;
  static constexpr std::size_t first = 4, user = 14, system = 15, threads = 20, start = 22, virtual_bytes = 23,
                               pages = 24;

  Stat() {
    std::ifstream file("/proc/self/stat");
    std::string line{std::istreambuf_iterator<char>(file), {}};
    std::istringstream rest(line.substr(std::min(line.rfind(')') + 1, line.size())));
    std::string state;
    rest >> state;
    for (double value; values.size() <= pages - first && rest >> value;)
      values.push_back(value);
  }
  bool whole() const { return values.size() > pages - first; }
  double operator[](std::size_t field) const { return values[field - first]; }
};

/// When the machine started, in seconds since 1970; 0 if unknown.
double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("btime ", 0) == 0)
      return std::stod(line.substr(6));
  return 0;
}

double open_files() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end;
       entry.increment(error))
    ++count;
  return count;
}

void add(std::vector<prometheus::MetricFamily>& families, const char* name, const char* help,
         prometheus::MetricType type, double value) {
  prometheus::ClientMetric metric;
  metric.counter.value = metric.gauge.value = value;
  families.push_back({name, help, type, {std::move(metric)}});
}

} // namespace

std::vector<prometheus::MetricFamily> process_metrics() {
  using prometheus::MetricType;
  static const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  static const double page = static_cast<double>(sysconf(_SC_PAGESIZE));
  static const double boot = boot_time();

  std::vector<prometheus::MetricFamily> families;
  if (const Stat stat; stat.whole()) {
    add(families, "process_cpu_seconds_total", "CPU time used, in user and system mode", MetricType::Counter,
        (stat[Stat::user] + stat[Stat::system]) / ticks);
    add(families, "process_start_time_seconds", "When the process started, in seconds since 1970", MetricType::Gauge,
        boot + stat[Stat::start] / ticks);
    add(families, "process_resident_memory_bytes", "Memory in RAM", MetricType::Gauge, stat[Stat::pages] * page);
    add(families, "process_virtual_memory_bytes", "Address space", MetricType::Gauge, stat[Stat::virtual_bytes]);
    add(families, "process_threads", "Threads", MetricType::Gauge, stat[Stat::threads]);
  }
  add(families, "process_open_fds", "Open file descriptors", MetricType::Gauge, open_files());
  if (rlimit limit{}; getrlimit(RLIMIT_NOFILE, &limit) == 0)
    add(families, "process_max_fds", "Most file descriptors that may be open", MetricType::Gauge,
        static_cast<double>(limit.rlim_cur));
  return families;
}

} // namespace service
