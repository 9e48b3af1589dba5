#include "metrics.hpp"

#include "process_metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <sstream>
#include <tuple>
#include <utility>

namespace service {

namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using Buckets = Histogram::BucketBoundaries;

Buckets geometric(double first, double factor, std::size_t count) {
  Buckets buckets;
  for (double bound = first; buckets.size() < count; bound *= factor)
    buckets.push_back(bound);
  return buckets;
}

const Buckets te_seconds = geometric(15e-6, 1.5, 35);
const Buckets request_seconds = {.0002, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30};
const Buckets powers_of_two = geometric(1, 2, 15);

double seconds(Metrics::Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// The registry with a shorter way to name what it shall hold.
class Catalogue {
public:
  template <class Metric> Family<Metric>& family(const std::string& name, const std::string& help) {
    if constexpr (std::is_same_v<Metric, Counter>)
      return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
    else if constexpr (std::is_same_v<Metric, Gauge>)
      return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
    else
      return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }
  Counter& counter(const std::string& name, const std::string& help) { return family<Counter>(name, help).Add({}); }
  Gauge& gauge(const std::string& name, const std::string& help) { return family<Gauge>(name, help).Add({}); }
  Histogram& histogram(const std::string& name, const std::string& help, const Buckets& buckets) {
    return family<Histogram>(name, help).Add({}, buckets);
  }

  prometheus::Registry registry;
};

/// One counter for each of a few words; any other word is not counted.
class Counters {
public:
  Counters(Family<Counter>& family, const char* label, std::initializer_list<const char*> words, Labels more = {}) {
    for (const char* word : words) {
      more[label] = word;
      counters_.emplace_back(word, &family.Add(more));
    }
  }
  void add(std::string_view word, double count) const {
    for (const auto& [own, counter] : counters_)
      if (own == word)
        return counter->Increment(count);
  }

private:
  std::vector<std::pair<std::string_view, Counter*>> counters_;
};

/// The parts of a call's time, as TEI tells them.
struct Times {
  Times(Catalogue& catalogue, const std::string& prefix, const std::string& what)
      : whole(catalogue.histogram(prefix + "_duration", what + ": seconds in all", te_seconds)),
        tokenization(
            catalogue.histogram(prefix + "_tokenization_duration", what + ": seconds of tokenization", te_seconds)),
        queue(catalogue.histogram(prefix + "_queue_duration", what + ": seconds in the queue", te_seconds)),
        inference(catalogue.histogram(prefix + "_inference_duration", what + ": seconds of the model", te_seconds)) {}

  void observe(double all, double tokenizing, double queued, double computed) {
    whole.Observe(all);
    tokenization.Observe(tokenizing);
    queue.Observe(queued);
    inference.Observe(computed);
  }

  Histogram &whole, &tokenization, &queue, &inference;
};

/// TEI's counts of one task.
struct TaskMetrics {
  TaskMetrics(Catalogue& catalogue, const std::string& prefix, const std::string& what)
      : count(catalogue.counter(prefix + "_count", what + ": texts")),
        success(catalogue.counter(prefix + "_success", what + ": texts answered")), times(catalogue, prefix, what) {}

  Counter &count, &success;
  Times times;
};

} // namespace

class Metrics::Impl {
public:
  Catalogue catalogue;

  Counters te_count{catalogue.family<Counter>("te_request_count", "Calls"), "method", {"single", "batch"}};
  Counters te_success{catalogue.family<Counter>("te_request_success", "Calls answered"), "method", {"single", "batch"}};
  Counters te_failure{catalogue.family<Counter>("te_request_failure", "Calls not answered, by reason"),
                      "err",
                      {"batch_size", "validation", "tokenization", "overloaded", "inference", "model_type", "dropped"}};
  Times te_request{catalogue, "te_request", "Calls"};
  Histogram& te_input_length =
      catalogue.histogram("te_request_input_length", "Tokens of a text, the mean of its call", powers_of_two);
  TaskMetrics te_embed{catalogue, "te_embed", "Embeddings"};
  TaskMetrics te_predict{catalogue, "te_predict", "Classifications"};
  Gauge& te_queue = catalogue.gauge("te_queue_size", "Texts that wait");
  Histogram& te_batch_size = catalogue.histogram("te_batch_next_size", "Texts of a batch", powers_of_two);
  Histogram& te_batch_tokens = catalogue.histogram("te_batch_next_tokens", "Tokens of a batch", powers_of_two);

  Counter& texts = catalogue.counter("distilbert_texts_total", "Texts answered");
  Counter& tokens = catalogue.counter("distilbert_tokens_total", "Tokens of the texts answered");
  Histogram& queue_seconds =
      catalogue.histogram("distilbert_queue_seconds", "How long a text waited for a worker", request_seconds);
  Histogram& batch_seconds =
      catalogue.histogram("distilbert_batch_seconds", "How long the model took for a batch", request_seconds);
  Family<Counter>& cache_texts =
      catalogue.family<Counter>("distilbert_cache_texts_total", "Texts looked up in the cache, by tier and result");
  Counters memory_cache{cache_texts, "result", {"hit", "joined", "miss"}, {{"tier", "memory"}}};
  Counters redis_cache{cache_texts, "result", {"hit", "miss", "error"}, {{"tier", "redis"}}};

  Family<Counter>& requests =
      catalogue.family<Counter>("distilbert_http_requests_total", "Requests answered, by route, method and status");
  Family<Histogram>& durations =
      catalogue.family<Histogram>("distilbert_http_request_seconds", "How long an answer took, by route");
  using Series = std::tuple<std::string, std::string, unsigned>; // method, route, status
  using SeriesView = std::tuple<std::string_view, std::string_view, unsigned>;
  struct Less {
    using is_transparent = void;
    template <class A, class B> bool operator()(const A& a, const B& b) const { return SeriesView(a) < SeriesView(b); }
  };
  struct RequestMetrics {
    Counter& count;
    Histogram& duration;
  };
  std::shared_mutex routes_mutex;
  std::map<Series, RequestMetrics, Less> routes;

  struct Sample {
    std::string name, help;
    std::function<double()> value;
    prometheus::MetricType type;
  };
  std::mutex samples_mutex;
  std::vector<Sample> samples;

  RequestMetrics& request(std::string_view method, std::string_view route, unsigned status) {
    const SeriesView series(method, route, status);
    {
      const std::shared_lock lock(routes_mutex);
      if (const auto known = routes.find(series); known != routes.end())
        return known->second;
    }
    const std::string name(route.empty() ? "none" : route);
    const std::unique_lock lock(routes_mutex);
    const RequestMetrics metrics{
        requests.Add({{"method", std::string(method)}, {"route", name}, {"status", std::to_string(status)}}),
        durations.Add({{"route", name}}, request_seconds)};
    return routes.emplace(Series(method, route, status), metrics).first->second;
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

std::string_view method_label(std::string_view method) {
  static constexpr std::string_view methods[] = {"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"};
  const auto known = std::find(std::begin(methods), std::end(methods), method);
  return known != std::end(methods) ? *known : "other";
}

void Metrics::request(std::string_view method, std::string_view route, unsigned status, std::optional<Duration> whole) {
  Impl::RequestMetrics& metrics = impl_->request(method_label(method), route, status);
  metrics.count.Increment();
  if (whole)
    metrics.duration.Observe(seconds(*whole));
}

void Metrics::call(std::string_view kind, std::size_t texts, std::size_t tokens, std::string_view failure,
                   Duration whole, Duration tokenization, Duration queue, Duration inference) {
  const char* method = texts == 1 ? "single" : "batch";
  const double count = static_cast<double>(texts);
  TaskMetrics& task = kind == "embed" ? impl_->te_embed : impl_->te_predict;
  impl_->te_count.add(method, 1);
  task.count.Increment(count);
  if (!failure.empty())
    return impl_->te_failure.add(failure, 1);

  impl_->te_success.add(method, 1);
  impl_->te_request.observe(seconds(whole), seconds(tokenization), seconds(queue), seconds(inference));
  if (texts > 0)
    impl_->te_input_length.Observe(static_cast<double>(tokens) / count);
  task.success.Increment(count);
  task.times.observe(seconds(whole), seconds(tokenization), seconds(queue), seconds(inference));
  impl_->texts.Increment(count);
  impl_->tokens.Increment(static_cast<double>(tokens));
}

void Metrics::batch(std::size_t texts, std::size_t tokens, Duration computed) {
  impl_->te_batch_size.Observe(static_cast<double>(texts));
  impl_->te_batch_tokens.Observe(static_cast<double>(tokens));
  impl_->batch_seconds.Observe(seconds(computed));
}

void Metrics::cache(std::string_view tier, std::string_view result, std::size_t texts) {
  (tier == "redis" ? impl_->redis_cache : impl_->memory_cache).add(result, static_cast<double>(texts));
}

void Metrics::waited(Duration queued) { impl_->queue_seconds.Observe(seconds(queued)); }

void Metrics::queue(std::size_t texts) { impl_->te_queue.Set(static_cast<double>(texts)); }

void Metrics::build(const std::map<std::string, std::string>& labels) {
  impl_->catalogue.family<Gauge>("distilbert_build_info", "What is served, and by what; always 1").Add(labels).Set(1);
}

void Metrics::sample(const std::string& name, const std::string& help, std::function<double()> value) {
  const std::lock_guard lock(impl_->samples_mutex);
  impl_->samples.push_back({name, help, std::move(value), prometheus::MetricType::Gauge});
}

void Metrics::sample_total(const std::string& name, const std::string& help, std::function<double()> value) {
  const std::lock_guard lock(impl_->samples_mutex);
  impl_->samples.push_back({name, help, std::move(value), prometheus::MetricType::Counter});
}

std::string Metrics::exposition() const {
  std::vector<prometheus::MetricFamily> families = impl_->catalogue.registry.Collect();
  {
    const std::lock_guard lock(impl_->samples_mutex);
    for (const Impl::Sample& sample : impl_->samples) {
      prometheus::ClientMetric metric;
      (sample.type == prometheus::MetricType::Gauge ? metric.gauge.value : metric.counter.value) = sample.value();
      families.push_back({sample.name, sample.help, sample.type, {std::move(metric)}});
    }
  }
  for (prometheus::MetricFamily& family : process_metrics())
    families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

} // namespace service
