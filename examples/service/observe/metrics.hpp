#pragma once
// What the service counts, for Prometheus.

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace service {

/// Counters and histograms with fixed sets of labels. Thread-safe; every method takes well under a microsecond.
class Metrics {
public:
  using Duration = std::chrono::nanoseconds;

  /// One request answered. `route` is the pattern of the route, never the path.
  void request(std::string_view route, unsigned status, Duration whole);
  /// One call of the model's routes ("embed", "predict", ...) with so many texts; `failure` is one of TEI's words
  /// ("validation", "overloaded", ...) or empty.
  void call(std::string_view kind, std::size_t texts, std::size_t tokens, std::string_view failure, Duration whole,
            Duration tokenization, Duration queue, Duration inference);
  /// One batch that a worker ran.
  void batch(std::size_t texts, std::size_t tokens, Duration computed);
  /// Texts looked up in a tier of the cache ("memory", "redis"): result is "hit", "miss" or "error".
  void cache(std::string_view tier, std::string_view result, std::size_t texts = 1);
  /// Texts that wait now.
  void queue(std::size_t texts);

  /// The text exposition format, version 0.0.4.
  std::string exposition() const;
};

} // namespace service
