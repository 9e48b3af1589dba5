#pragma once
// All parts of the service put together, whatever carries its requests: a server, an event of AWS Lambda, a test.

#include "http/message.hpp"
#include "http/router.hpp"
#include "inference/inference.hpp"
#include "inference/redis_url.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"

#include <distilbert/load_options.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace service {

struct ServiceOptions {
  std::filesystem::path model;
  std::string model_name;       // what clients call it; empty: the name of its directory
  std::string isa;              // empty: the library's choice
  distilbert::LoadOptions load; // `selfcheck` is the service's own affair
  InferenceOptions inference;
  std::optional<RedisUrl> redis; // of a cache shared with other replicas
  std::chrono::milliseconds redis_ttl{86'400'000};
  std::chrono::milliseconds redis_budget{10};
  std::string root_path; // "/project": the routes are found there, too
  std::string api_key;   // empty: everybody may use the model
  // Texts of a call, where the protocol has a limit of its own and where it has none; a call for more than may wait
  // would never be answered, and is refused for that, too.
  std::size_t max_client_batch_size = 32;
  std::size_t max_bulk_texts = 4096;
  std::size_t max_concurrent_requests = 512;
  std::chrono::milliseconds request_timeout{30'000};
  float neutral_below = 0; // see Context
  bool page = true;
  bool log_requests = false; // at level info instead of debug
};

/// A model with its routes, cache, metrics and probes. Answers from its construction on; until load() has returned,
/// everything but the probes gets a 503 with Retry-After. Each answer carries the request's traceparent, its
/// X-Request-Id and a Server-Timing; each is counted and logged, by the pattern of its route, never by its path.
class Service {
public:
  explicit Service(ServiceOptions options);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  /// What still waits is answered with a 503. No handle() may be under way.
  ~Service();

  /// Loads the model, lets it reproduce the answer stored with it, if there is one, runs it once as requests will, and
  /// is ready; just before, it calls `loaded`. Once; while others call handle(). Errors: distilbert::Error.
  void load(const std::function<void()>& loaded = [] {});

  /// Answers a request, now or later. Thread-safe.
  void handle(Request request, Respond respond);

  /// Counts and logs an answer that the carrier gave without asking handle(). Thread-safe.
  void carrier_answered(std::string_view method, unsigned status);

  /// From now on it is not ready, but still answers. After load().
  void drain();

  /// For what the carrier has to tell.
  Metrics& metrics() { return metrics_; }

private:
  struct Model;
  struct Exchange;

  void complete(const Exchange& exchange, Response& response);

  ServiceOptions options_;
  LogLevel request_level_;
  Metrics metrics_;
  std::unique_ptr<Router> starting_;
  std::unique_ptr<Model> model_;
  std::atomic<const Router*> router_{nullptr};
};

} // namespace service
