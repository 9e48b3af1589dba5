#pragma once
// What Triton's "statistics" extension tells of a model.

#include "../inference/inference.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace service {

/// Counts the calls of the Open Inference Protocol. Thread-safe.
class ModelStatistics {
public:
  using Duration = std::chrono::nanoseconds;

  /// A call that was answered: `input` is the time to read and encode its texts, `output` that to write its answer.
  void succeeded(const Answer& answer, Duration whole, Duration input, Duration output);
  void failed(Duration whole);

  /// The body of GET /v2/models/M/stats.
  std::string json(const std::string& name, const std::string& version) const;

private:
  struct Sum {
    std::uint64_t count = 0;
    Duration time{0};

    void add(std::uint64_t more, Duration duration) {
      count += more;
      time += duration;
    }
  };

  mutable std::mutex mutex_;
  std::uint64_t texts_ = 0, executions_ = 0, last_ = 0; // last_: milliseconds since 1970
  Sum success_, fail_, queue_, input_, infer_, output_, hit_, miss_;
};

} // namespace service
