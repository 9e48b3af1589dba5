#pragma once
// What Prometheus expects to hear of any process, read from /proc.

#include <prometheus/metric_family.h>

#include <vector>

namespace service {

/// process_cpu_seconds_total, process_start_time_seconds, process_resident_memory_bytes, process_virtual_memory_bytes,
/// process_open_fds, process_max_fds, process_threads. What cannot be read is left out.
std::vector<prometheus::MetricFamily> process_metrics();

} // namespace service
