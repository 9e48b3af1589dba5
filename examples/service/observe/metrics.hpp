#pragma once
// What the service counts, for Prometheus.

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace service {

/// The method as metrics and log name it: clients may invent methods, but no series, and write nothing into a log.
std::string_view method_label(std::string_view method);

/// Counters and histograms under Text Embeddings Inference's names ("te_...") and ours ("distilbert_..."), and what
/// Prometheus expects of a process ("process_..."). The sets of labels are fixed: whatever clients send, no series is
/// added but those of the routes. Thread-safe; every method but exposition() takes well under a microsecond.
class Metrics {
public:
  using Duration = std::chrono::nanoseconds;

  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics();

  /// One request answered. `route` is the pattern of the route, never the path; empty if no route matched. `whole`:
  /// how long that took; none where nobody knows when the request began.
  void request(std::string_view method, std::string_view route, unsigned status, std::optional<Duration> whole);
  /// One call of the model's routes, "embed" or "predict", with so many texts; `failure` is one of TEI's words
  /// ("batch_size", "validation", "tokenization", "overloaded", "inference", "model_type", "dropped") or empty.
  void call(std::string_view kind, std::size_t texts, std::size_t tokens, std::string_view failure, Duration whole,
            Duration tokenization, Duration queue, Duration inference);
  /// One batch that a worker ran.
  void batch(std::size_t texts, std::size_t tokens, Duration computed);
  /// Texts looked up in a tier of the cache: result is "hit", "miss", of "memory" also "joined" (somebody waits for the
  /// same text already), and of "redis" also "error".
  void cache(std::string_view tier, std::string_view result, std::size_t texts = 1);
  /// One text has waited so long for a worker, or until nobody waited for it any more.
  void waited(Duration queued);
  /// Texts that wait now.
  void queue(std::size_t texts);

  /// What is served and by what: labels of the gauge distilbert_build_info. At most once.
  void build(const std::map<std::string, std::string>& labels);
  /// A gauge whose value is asked for at each exposition(), on the thread that calls it.
  void sample(const std::string& name, const std::string& help, std::function<double()> value);
  /// The same for a counter, whose name ends in "_total".
  void sample_total(const std::string& name, const std::string& help, std::function<double()> value);

  /// The text exposition format, version 0.0.4.
  std::string exposition() const;
  static constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace service
