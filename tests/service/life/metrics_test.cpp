#include <service/observe/metrics.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using service::Metrics;

namespace {

/// Value of a series, as it stands in the text; empty if there is none.
std::string value(const Metrics& metrics, const std::string& series) {
  std::istringstream text(metrics.exposition());
  for (std::string line; std::getline(text, line);)
    if (line.rfind(series + ' ', 0) == 0)
      return line.substr(series.size() + 1);
  return {};
}

std::size_t lines(const Metrics& metrics) {
  const std::string text = metrics.exposition();
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

} // namespace

TEST_CASE("requests are counted by route, method and status") {
  Metrics metrics;
  metrics.request("POST", "/predict", 200, 3ms);
  metrics.request("POST", "/predict", 200, 4ms);
  metrics.request("POST", "/predict", 422, 1ms);
  metrics.request("GET", "", 404, 1ms);
  CHECK(value(metrics, R"(distilbert_http_requests_total{method="POST",route="/predict",status="200"})") == "2");
  CHECK(value(metrics, R"(distilbert_http_requests_total{method="POST",route="/predict",status="422"})") == "1");
  CHECK(value(metrics, R"(distilbert_http_requests_total{method="GET",route="none",status="404"})") == "1");
  CHECK(value(metrics, R"(distilbert_http_request_seconds_count{route="/predict"})") == "3");
  CHECK(value(metrics, R"(distilbert_http_request_seconds_bucket{route="/predict",le="0.0025"})") == "1");
}

TEST_CASE("a request without a known beginning is counted, but has no duration") {
  Metrics metrics;
  metrics.request("", "", 408, std::nullopt);
  CHECK(value(metrics, R"(distilbert_http_requests_total{method="other",route="none",status="408"})") == "1");
  CHECK(value(metrics, R"(distilbert_http_request_seconds_count{route="none"})") == "0");
}

TEST_CASE("clients cannot add series") {
  Metrics metrics;
  metrics.request("X", "", 405, 1ms);
  const std::size_t before = lines(metrics);
  for (int i = 0; i < 1000; ++i) {
    metrics.request("X" + std::to_string(i), "", 405, 1ms);
    metrics.call("predict", 1, 5, "failure" + std::to_string(i), 1ms, 0ms, 0ms, 0ms);
    metrics.cache("memory", "result" + std::to_string(i));
  }
  CHECK(lines(metrics) == before);
  CHECK(value(metrics, R"(distilbert_http_requests_total{method="other",route="none",status="405"})") == "1001");
}

TEST_CASE("calls are counted under TEI's names and ours") {
  Metrics metrics;
  metrics.call("predict", 1, 9, "", 5ms, 1ms, 2ms, 3ms);
  metrics.call("embed", 4, 40, "", 5ms, 1ms, 2ms, 3ms);
  metrics.call("predict", 2, 20, "", 5ms, 1ms, 2ms, 3ms);
  metrics.call("predict", 3, 0, "overloaded", 1ms, 0ms, 0ms, 0ms);
  CHECK(value(metrics, R"(te_request_count{method="single"})") == "1");
  CHECK(value(metrics, R"(te_request_count{method="batch"})") == "3");
  CHECK(value(metrics, R"(te_request_success{method="batch"})") == "2");
  CHECK(value(metrics, R"(te_request_failure{err="overloaded"})") == "1");
  CHECK(value(metrics, R"(te_request_failure{err="validation"})") == "0");
  CHECK(value(metrics, "te_request_duration_count") == "3");
  CHECK(value(metrics, "te_request_queue_duration_sum") == "0.006");
  CHECK(value(metrics, "te_request_input_length_sum") == "29");
  CHECK(value(metrics, "te_predict_count") == "6");
  CHECK(value(metrics, "te_predict_success") == "3");
  CHECK(value(metrics, "te_embed_success") == "4");
  CHECK(value(metrics, "te_embed_inference_duration_sum") == "0.003");
  CHECK(value(metrics, "distilbert_texts_total") == "7");
  CHECK(value(metrics, "distilbert_tokens_total") == "69");
  CHECK(value(metrics, "distilbert_queue_seconds_count") == "0"); // of texts, not of calls
}

TEST_CASE("queue, batches, cache") {
  Metrics metrics;
  metrics.queue(17);
  metrics.waited(40ms);
  metrics.batch(3, 100, 2ms);
  metrics.cache("memory", "hit", 5);
  metrics.cache("redis", "error");
  CHECK(value(metrics, "te_queue_size") == "17");
  CHECK(value(metrics, "distilbert_queue_seconds_sum") == "0.04");
  CHECK(value(metrics, "te_batch_next_size_sum") == "3");
  CHECK(value(metrics, "te_batch_next_tokens_sum") == "100");
  CHECK(value(metrics, "distilbert_batch_seconds_sum") == "0.002");
  CHECK(value(metrics, R"(distilbert_cache_texts_total{result="hit",tier="memory"})") == "5");
  CHECK(value(metrics, R"(distilbert_cache_texts_total{result="error",tier="redis"})") == "1");
  CHECK(value(metrics, R"(distilbert_cache_texts_total{result="miss",tier="redis"})") == "0");
  CHECK(value(metrics, R"(distilbert_cache_texts_total{result="joined",tier="memory"})") == "0");
}

TEST_CASE("what is served, sampled gauges, the process") {
  Metrics metrics;
  metrics.build({{"version", "1.2.3"}, {"model", "a \"b\"\n\\"}});
  double connections = 3;
  metrics.sample("distilbert_http_connections", "Open connections", [&] { return connections; });
  CHECK(value(metrics, R"(distilbert_build_info{model="a \"b\"\n\\",version="1.2.3"})") == "1");
  CHECK(value(metrics, "distilbert_http_connections") == "3");
  connections = 4;
  CHECK(value(metrics, "distilbert_http_connections") == "4");

  const auto number = [&](const char* series) { return std::stod("0" + value(metrics, series)); };
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(number("process_start_time_seconds") > now - 3600);
  CHECK(number("process_start_time_seconds") < now + 60);
  CHECK(number("process_resident_memory_bytes") > 1e6);
  CHECK(number("process_open_fds") >= 3);
  CHECK(number("process_max_fds") >= number("process_open_fds"));
  CHECK(number("process_threads") >= 1);
}

TEST_CASE("sampled counters") {
  Metrics metrics;
  metrics.sample_total("distilbert_redis_connects_total", "Connections", [] { return 7.0; });
  CHECK(value(metrics, "distilbert_redis_connects_total") == "7");
  CHECK(value(metrics, "# TYPE distilbert_redis_connects_total") == "counter");
}

TEST_CASE("many threads count together, while others look") {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i)
    threads.emplace_back([&metrics, i] {
      for (unsigned j = 0; j < 500; ++j) {
        metrics.request("GET", j % 2 == 0 ? "/a" : "/b", 200 + i, 1ms);
        metrics.call("predict", 1, 8, "", 1ms, 1ms, 1ms, 1ms);
        metrics.batch(1, 8, 1ms);
        metrics.cache("memory", "miss");
        metrics.queue(j);
        if (j % 100 == 0)
          CHECK_FALSE(metrics.exposition().empty());
      }
    });
  for (std::thread& thread : threads)
    thread.join();
  CHECK(value(metrics, "te_predict_count") == "2000");
  CHECK(value(metrics, R"(distilbert_http_request_seconds_count{route="/a"})") == "1000");
  CHECK(value(metrics, R"(distilbert_http_requests_total{method="GET",route="/b",status="203"})") == "250");
  CHECK(value(metrics, R"(distilbert_cache_texts_total{result="miss",tier="memory"})") == "2000");
}
