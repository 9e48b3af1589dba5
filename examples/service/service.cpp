#include "service.hpp"

#include "api_key.hpp"
#include "http/detail.hpp"
#include "inference/redis_cache.hpp"
#include "observe/log.hpp"
#include "observe/trace.hpp"
#include "routes/openai.hpp"
#include "routes/routes.hpp"

#include "../common/format.hpp"

#include <distilbert/kernels/dispatch.hpp>
#include <distilbert/version.hpp>
#include <distilbert/weights/pack.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

namespace service {

namespace {

double milliseconds(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

std::shared_ptr<const Engine> load_engine(const ServiceOptions& options) {
  if (!options.isa.empty())
    distilbert::set_isa(options.isa);
  return Engine::load(options.model, options.load);
}

std::string name_of(const ServiceOptions& options) {
  if (!options.model_name.empty())
    return options.model_name;
  const std::filesystem::path whole = std::filesystem::absolute(options.model).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

Response not_loaded() {
  return {503, "application/json", {{"Retry-After", "1"}}, R"({"detail":"The model is not loaded yet"})"};
}

/// In the form of the route's protocol, where that has one.
Response unauthorized(const Request& request) {
  constexpr const char* words = "The API key is missing or wrong";
  Response response = request.path.ends_with("/v1/embeddings") || request.path.ends_with("/classify")
                          ? openai_error({Problem::Kind::invalid, words})
                          : detail(401, words);
  response.status = 401;
  response.fields.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

/// The cache that replicas share, if there is one.
std::unique_ptr<RedisCache> open_redis(const ServiceOptions& options, const Engine& engine, Metrics& metrics) {
  if (!options.redis)
    return nullptr;
  RedisOptions redis;
  redis.url = *options.redis;
  redis.fingerprint = engine.fingerprint();
  redis.ttl = std::chrono::ceil<std::chrono::seconds>(options.redis_ttl);
  redis.budget = options.redis_budget;
  redis.metrics = &metrics;
  redis.log = [](bool up, std::string_view why) {
    if (up)
      log(LogLevel::info, "Redis is back");
    else
      log(LogLevel::warning, "Redis is left alone", {{"why", why}});
  };
  return std::make_unique<RedisCache>(std::move(redis));
}

void show_redis(const RedisStats& stats, Metrics& metrics) {
  metrics.sample("distilbert_redis_up", "1: Redis is asked; 0: it failed, and is left alone for a moment",
                 [&stats] { return stats.breaker == RedisStats::Breaker::closed; });
  const auto total = [&](const char* name, const char* help, const std::atomic<std::uint64_t>& count) {
    metrics.sample_total(name, help, [&count] { return static_cast<double>(count); });
  };
  total("distilbert_redis_connects_total", "Connections made to Redis", stats.connects);
  total("distilbert_redis_timeouts_total", "Look-ups that used up their budget", stats.timeouts);
  total("distilbert_redis_bad_values_total", "Values found not to be valid, and deleted", stats.bad_values);
  total("distilbert_redis_stored_total", "Answers stored in Redis", stats.stored);
  total("distilbert_redis_dropped_total", "Answers that were not stored", stats.dropped);
}

InferenceOptions inference_options(const ServiceOptions& options, RemoteCache* remote, Metrics& metrics) {
  InferenceOptions inference = options.inference;
  inference.remote = remote;
  inference.metrics = &metrics;
  return inference;
}

} // namespace

struct Service::Model {
  Model(const ServiceOptions& options, Metrics& metrics)
      : engine(load_engine(options)), redis(open_redis(options, *engine, metrics)), context{inference, metrics},
        router(options.root_path), inference(engine, inference_options(options, redis.get(), metrics)) {
    context.model_name = name_of(options);
    context.max_client_batch_size = std::min(options.max_client_batch_size, options.inference.queue_texts);
    context.max_bulk_texts = std::min(options.max_bulk_texts, options.inference.queue_texts);
    context.max_concurrent_requests = options.max_concurrent_requests;
    context.max_batch_tokens = options.inference.batch_tokens;
    context.request_timeout = options.request_timeout;
    context.page = options.page;
    context.api_key = !options.api_key.empty();
    context.neutral_below = options.neutral_below;
    add_probe_routes(router, context);
    add_seed_routes(router, context);
    add_tei_routes(router, context);
    add_open_inference_routes(router, context);
    add_openai_routes(router, context);
    add_page_routes(router, context);
  }

  std::shared_ptr<const Engine> engine;
  std::unique_ptr<RedisCache> redis;
  Context context;
  Router router;
  Inference inference; // its end answers what waits, which takes all of the above
};

/// A request between its arrival and its answer.
struct Service::Exchange {
  explicit Exchange(const Request& request)
      : trace(request), method(method_label(request.method)), received(request.received) {}

  Trace trace;
  std::string_view method; // as a label
  std::string_view route;  // the pattern
  Clock::time_point received;
};

Service::Service(ServiceOptions options)
    : options_(std::move(options)), request_level_(options_.log_requests ? LogLevel::info : LogLevel::debug),
      starting_(std::make_unique<Router>(options_.root_path)), router_(nullptr) {
  add_probe_routes(*starting_, metrics_, [] { return false; });
}

Service::~Service() = default;

void Service::load(const std::function<void()>& loaded) {
  const auto start = Clock::now();
  auto model = std::make_unique<Model>(options_, metrics_);
  const Engine& engine = *model->engine;
  engine.warm();

  const std::string precision(distilbert::precision_name(engine.precision()));
  const std::string isa(distilbert::isa());
  metrics_.build({{"version", distilbert::version()},
                  {"model", model->context.model_name},
                  {"precision", precision},
                  {"isa", isa}});
  metrics_.sample("distilbert_calls_in_flight", "Calls of the model that are not answered yet",
                  [context = &model->context] { return static_cast<double>(context->calls_in_flight); });
  if (model->redis)
    show_redis(model->redis->stats(), metrics_);
  model_ = std::move(model);
  loaded();
  router_.store(&model_->router, std::memory_order_release);
  log(LogLevel::info, "ready",
      {{"model", model_->context.model_name},
       {"precision", precision},
       {"isa", isa},
       {"load_ms", milliseconds(Clock::now() - start)}});
}

void Service::handle(Request request, Respond respond) {
  const auto exchange = std::make_shared<Exchange>(request);
  Respond finish = [this, exchange, respond = std::move(respond)](Response response) {
    complete(*exchange, response);
    respond(std::move(response));
  };
  if (!authorized(request, options_.api_key))
    return finish(unauthorized(request));
  if (const Router* router = router_.load(std::memory_order_acquire))
    return router->handle(std::move(request), std::move(finish), &exchange->route);
  starting_->handle(
      std::move(request),
      [finish](Response response) { finish(response.status == 404 ? not_loaded() : std::move(response)); },
      &exchange->route);
}

void Service::complete(const Exchange& exchange, Response& response) {
  const auto whole = Clock::now() - exchange.received;
  response.fields.push_back({"traceparent", exchange.trace.parent});
  response.fields.push_back({"X-Request-Id", exchange.trace.request_id});
  response.fields.push_back({"Server-Timing", "total;dur=" + cli::fixed(milliseconds(whole), 3)});
  metrics_.request(exchange.method, exchange.route, response.status, whole);

  if (!response.fault.empty())
    log(LogLevel::error, "fault",
        {{"route", exchange.route},
         {"status", std::int64_t{response.status}},
         {"what", response.fault},
         {"correlation_id", exchange.trace.request_id},
         {"trace_id", exchange.trace.trace_id()}});
  log(request_level_, "request",
      {{"method", exchange.method},
       {"route", exchange.route},
       {"status", std::int64_t{response.status}},
       {"duration_ms", milliseconds(whole)},
       {"correlation_id", exchange.trace.request_id},
       {"trace_id", exchange.trace.trace_id()}});
}

void Service::carrier_answered(std::string_view method, unsigned status) {
  metrics_.request(method, {}, status, std::nullopt);
  log(status == 500 ? LogLevel::error : request_level_, "request",
      {{"method", method_label(method)}, {"route", ""}, {"status", std::int64_t{status}}});
}

void Service::drain() { model_->context.draining = true; }

} // namespace service
