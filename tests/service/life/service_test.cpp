// The edge without HTTP: before the model is there, with it, and while it is to end.

#include <service/observe/log.hpp>
#include <service/observe/trace.hpp>
#include <service/service.hpp>

#include <distilbert/error.hpp>

#include <doctest/doctest.h>

#include <future>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

using service::Field;
using service::Request;
using service::Response;
using service::Service;
using service::ServiceOptions;

namespace {

ServiceOptions sst2() {
  ServiceOptions options;
  options.model = DISTILBERT_SOURCE_DIR "/models/sst2";
  return options;
}

Response ask(Service& service, const char* method, const char* path, std::vector<Field> fields = {},
             const char* body = "") {
  Request request;
  request.method = method;
  request.path = path;
  request.fields = std::move(fields);
  request.body = body;
  std::promise<Response> promise;
  service.handle(std::move(request), [&](Response response) { promise.set_value(std::move(response)); });
  return promise.get_future().get();
}

Response predict(Service& service, std::vector<Field> fields = {}) {
  return ask(service, "POST", "/bulk-predict", std::move(fields), R"({"text":["a fine film"]})");
}

std::string field(const Response& response, const std::string& name) {
  for (const Field& field : response.fields)
    if (field.name == name)
      return field.value;
  return {};
}

} // namespace

TEST_CASE("before the model is loaded, probes answer and all else may come again") {
  Service service(sst2());
  CHECK(ask(service, "GET", "/livez").status == 200);
  CHECK(ask(service, "GET", "/readyz").status == 503);
  CHECK(ask(service, "GET", "/healthz").status == 503);
  const Response metrics = ask(service, "GET", "/metrics");
  CHECK(metrics.status == 200);
  CHECK(metrics.content_type == "text/plain; version=0.0.4; charset=utf-8");
  for (const char* path : {"/bulk-predict", "/embed", "/nowhere"}) {
    const Response response = ask(service, "POST", path);
    CHECK(response.status == 503);
    CHECK(field(response, "Retry-After") == "1");
  }
  CHECK(metrics.body.find("distilbert_build_info") == std::string::npos);
}

TEST_CASE("with the model it is ready, until it is told to end; even then it answers") {
  Service service(sst2());
  service.load();
  CHECK(ask(service, "GET", "/readyz").status == 200);
  CHECK(predict(service).status == 200);
  CHECK(ask(service, "GET", "/nowhere").status == 404);
  service.drain();
  CHECK(ask(service, "GET", "/readyz").status == 503);
  CHECK(ask(service, "GET", "/healthz").status == 503);
  CHECK(ask(service, "GET", "/livez").status == 200);
  CHECK(ask(service, "GET", "/metrics").status == 200);
  CHECK(predict(service).status == 200);
}

TEST_CASE("requests that come while the model is loaded are answered one way or the other") {
  Service service(sst2());
  std::thread loader([&] { service.load(); });
  unsigned status = 0;
  do {
    status = predict(service).status;
    CHECK((status == 200 || status == 503));
  } while (status != 200);
  loader.join();
}

TEST_CASE("a model that is not there") {
  ServiceOptions options = sst2();
  options.model = "nowhere";
  Service service(options);
  CHECK_THROWS_AS(service.load(), distilbert::Error);
  CHECK(ask(service, "GET", "/livez").status == 200);
  CHECK(predict(service).status == 503);
}

TEST_CASE("ids and times in every answer") {
  Service service(sst2());
  const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  for (const char* path : {"/livez", "/nowhere"}) {
    const Response kept = ask(service, "GET", path, {{"traceparent", parent}, {"x-request-id", "abc"}});
    CHECK(field(kept, "traceparent") == parent);
    CHECK(field(kept, "X-Request-Id") == "abc");
    CHECK(field(kept, "Server-Timing").rfind("total;dur=", 0) == 0);
    const Response made = ask(service, "GET", path);
    CHECK(service::valid_traceparent(field(made, "traceparent")));
    CHECK(service::valid_request_id(field(made, "X-Request-Id")));
  }
}

TEST_CASE("a service that ends answers what still waits") {
  std::promise<Response> short_one, long_one;
  {
    Service service(sst2());
    service.load();
    const auto send = [&](std::size_t texts, std::promise<Response>& promise) {
      Request request;
      request.method = "POST";
      request.path = "/bulk-predict";
      for (std::size_t i = 0; i < texts; ++i)
        request.body += (i == 0 ? R"({"text":["film )" : R"(","film )") + std::to_string(texts + i);
      request.body += "\"]}";
      service.handle(std::move(request), [&](Response response) { promise.set_value(std::move(response)); });
    };
    send(1, short_one);
    send(500, long_one);
  }
  const unsigned status = short_one.get_future().get().status;
  CHECK((status == 200 || status == 503));
  CHECK(long_one.get_future().get().status == 503);
}

TEST_CASE("the model needs the key, probes do not") {
  ServiceOptions options = sst2();
  options.api_key = "secret";
  Service service(options);
  service.load();
  const Response refused = predict(service);
  CHECK(refused.status == 401);
  CHECK(field(refused, "WWW-Authenticate") == "Bearer");
  CHECK(refused.body == R"({"detail":"The API key is missing or wrong"})");
  for (const char* path : {"/v1/embeddings", "/classify"}) {
    const Response of_openai = ask(service, "POST", path);
    CHECK(of_openai.status == 401);
    CHECK(field(of_openai, "WWW-Authenticate") == "Bearer");
    CHECK(of_openai.body.rfind(R"({"error":{"message":"The API key is missing or wrong",)", 0) == 0);
  }
  CHECK(predict(service, {{"authorization", "Bearer other"}}).status == 401);
  CHECK(predict(service, {{"authorization", "Bearer secret"}}).status == 200);
  CHECK(predict(service, {{"x-api-key", "secret"}}).status == 200);
  CHECK(ask(service, "GET", "/readyz").status == 200);
  CHECK(ask(service, "GET", "/metrics").status == 200);
}

TEST_CASE("requests are counted by pattern, with and without the root path") {
  ServiceOptions options = sst2();
  options.root_path = "/project";
  Service service(options);
  service.load();
  for (const char* path : {"/livez", "/project/livez"})
    CHECK(ask(service, "GET", path).status == 200);
  ask(service, "GET", "/nowhere/1");
  ask(service, "GET", "/nowhere/2");
  const std::string text = service.metrics().exposition();
  CHECK(text.find(R"(distilbert_http_requests_total{method="GET",route="/livez",status="200"} 2)") != text.npos);
  CHECK(text.find(R"(distilbert_http_requests_total{method="GET",route="none",status="404"} 2)") != text.npos);
  CHECK(text.find(R"(model="sst2")") != text.npos);
}

TEST_CASE("a call for more texts than may ever wait is too large, not too early") {
  ServiceOptions options = sst2();
  options.max_bulk_texts = 3;
  const auto status = [&](const char* path, const char* body) {
    Service service(options);
    service.load();
    return ask(service, "POST", path, {}, body).status;
  };
  CHECK(status("/bulk-predict", R"({"text":["a","b","c"]})") == 200);
  CHECK(status("/bulk-predict", R"({"text":["a","b","c","d"]})") == 413);
  options.inference.queue_texts = 2;
  CHECK(status("/bulk-predict", R"({"text":["a","b"]})") == 200);
  CHECK(status("/bulk-predict", R"({"text":["a","b","c"]})") == 413);
  CHECK(status("/predict", R"({"inputs":[["a"],["b"],["c"]]})") == 422);
}

TEST_CASE("the name of the model is that of its directory, or the one given") {
  for (const auto& [directory, name, expected] : {std::tuple{"/models/sst2/", "", "sst2"},
                                                  {"/models/sst2/../sst2/.", "", "sst2"},
                                                  {"/models/sst2", "mine", "mine"}}) {
    ServiceOptions options;
    options.model = std::string(DISTILBERT_SOURCE_DIR) + directory;
    options.model_name = name;
    Service service(options);
    service.load();
    const std::string text = service.metrics().exposition();
    CHECK(text.find("model=\"" + std::string(expected) + '"') != text.npos);
  }
}
