// The common way of a call: admission, media types, failures, header fields, and what the protocols make of a problem.

#include "service/fake_engine.hpp"
#include "service/routes/calls.hpp"
#include "service/routes/scores.hpp"

#include <doctest/doctest.h>

#include <future>
#include <limits>
#include <mutex>
#include <string>
#include <thread>

using namespace service;
using namespace service::test;

namespace {

using Kind = Problem::Kind;

/// The body is the text; the answer is its first logit.
Writer read_plain(Call& call) {
  if (!call.request.body.empty())
    call.add(call.request.body);
  return [](const Answer& answer) {
    return Response{200, "text/plain", {}, answer.rows.empty() ? "none" : std::to_string(answer.rows[0]->front())};
  };
}

/// Computes when it is allowed to, and fails as it is told.
class SlowEngine : public FakeEngine {
public:
  SlowEngine() : FakeEngine(Task::classifier) {}

  std::vector<Row> run(Output output, const std::vector<distilbert::Encoding>& texts) const override {
    const std::lock_guard<std::mutex> lock(gate);
    if (fails)
      throw std::runtime_error("secret words");
    return FakeEngine::run(output, texts);
  }

  mutable std::mutex gate;
  bool fails = false;
};

struct Plain : FakeService {
  explicit Plain(std::shared_ptr<const Engine> engine = std::make_shared<const FakeEngine>(Task::classifier))
      : FakeService(std::move(engine)) {
    router.add("POST", "/", model_route(context, "predict", fastapi_error, read_plain));
    router.add("POST", "/any", model_route(context, "predict", fastapi_error, read_plain, true));
  }
};

} // namespace

TEST_CASE("a call from request to response") {
  Plain service;
  const Response response = service.post("/", "good film");
  CHECK(response.status == 200);
  CHECK(response.body == "-1.000000");
  CHECK(field(response, "x-compute-tokens") == "4");
  CHECK(field(response, "x-compute-characters") == "9");
  CHECK(service.post("/", "").body == "none"); // without asking the model
  CHECK(service.context.calls_in_flight == 0);
}

TEST_CASE("too many calls at once: 429 with the body unread, and room again afterwards") {
  auto engine = std::make_shared<SlowEngine>();
  Plain service(engine);
  service.context.max_concurrent_requests = 2;
  std::vector<std::future<Response>> waiting;
  {
    const std::lock_guard<std::mutex> closed(engine->gate);
    for (int i = 0; i < 2; ++i)
      waiting.push_back(std::async(std::launch::async, [&] { return service.post("/", "good"); }));
    while (service.context.calls_in_flight < 2)
      std::this_thread::yield();
    const Response response = service.post("/", "\xFF"); // would be a 422
    CHECK(response.status == 429);
    CHECK(field(response, "Retry-After") == "1");
    CHECK(response.body == R"({"detail":"Model is overloaded"})");
  }
  for (auto& response : waiting)
    CHECK(response.get().status == 200);
  CHECK(service.context.calls_in_flight == 0);
  CHECK(service.post("/", "good").status == 200);
}

TEST_CASE("told to end: still answers") {
  Plain service;
  service.context.draining = true;
  CHECK(service.post("/", "good").status == 200);
}

TEST_CASE("media types") {
  Plain service;
  const auto status = [&](const char* path, const char* name, const char* value) {
    return service.post(path, "good", {{name, value}}).status;
  };
  for (const char* type : {"application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json", ""})
    CHECK_MESSAGE(status("/", "content-type", type) == 200, type);
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", "+json"}) {
    CHECK_MESSAGE(status("/", "content-type", type) == 415, type);
    CHECK_MESSAGE(status("/any", "content-type", type) == 200, type);
  }
  CHECK(status("/", "content-encoding", "gzip") == 415);
  CHECK(status("/any", "content-encoding", "gzip") == 415);
  CHECK(status("/", "content-encoding", "identity") == 200);
}

TEST_CASE("a model that fails says nothing of the reason's words in a way that breaks the reply") {
  auto engine = std::make_shared<SlowEngine>();
  engine->fails = true;
  Plain service(engine);
  const Response response = service.post("/", "good");
  CHECK(response.status == 500);
  CHECK(response.body.rfind("{\"detail\":\"", 0) == 0);
  CHECK(response.fault == "the model's run failed");
  CHECK(service.context.calls_in_flight == 0);
}

TEST_CASE("a text that is no UTF-8, a reader that fails") {
  Plain service;
  CHECK(service.post("/", "good \xC0\xAF").status == 422);
  service.router.add("POST", "/throws", model_route(service.context, "predict", tei_error, [](Call&) -> Writer {
                       throw std::runtime_error("whatever");
                     }));
  const Response response = service.post("/throws", "x");
  CHECK(response.status == 424);
  CHECK(response.body == R"({"error":"Internal Server Error","error_type":"Backend"})");
  CHECK(response.fault == "whatever");
  service.router.add("POST", "/writes",
                     model_route(service.context, "predict", fastapi_error, [](Call& call) -> Writer {
                       call.add("good");
                       return [](const Answer&) -> Response { throw Problem(Kind::model, "inference_error"); };
                     }));
  const Response failed = service.post("/writes", "x");
  CHECK(failed.status == 500);
  CHECK(failed.fault == "inference_error");
  service.router.add("POST", "/no-memory", model_route(service.context, "predict", fastapi_error, [](Call&) -> Writer {
                       throw std::bad_alloc();
                     }));
  CHECK(service.post("/no-memory", "x").fault == "out of memory");
  CHECK(service.post("/", "good").fault.empty());
  CHECK(service.post("/", "\xFF").fault.empty()); // that is the client's
  CHECK(service.context.calls_in_flight == 0);
}

TEST_CASE("scores: softmax, sigmoid, none; never NaN") {
  distilbert::DistilBertConfig config;
  config.id2label = {"a", "b", "c"};
  const auto softmax = scores_of(config, {1, 2, 3});
  CHECK(softmax[2] == doctest::Approx(0.66524096));
  CHECK(ranking_of(softmax) == std::vector<std::size_t>{2, 1, 0});
  CHECK(ranking_of({0.5f, 0.5f}) == std::vector<std::size_t>{0, 1});
  config.problem_type = distilbert::ProblemType::multi_label_classification;
  CHECK(scores_of(config, {0, 0, 100})[2] == doctest::Approx(1));
  CHECK(scores_of(config, {0, 0, 100})[0] == doctest::Approx(0.5));
  config.problem_type = distilbert::ProblemType::regression;
  CHECK(scores_of(config, {7, 8, 9}) == std::vector<float>{7, 8, 9});
  config.problem_type.reset();
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    CHECK_THROWS_AS(scores_of(config, {bad, bad, bad}), Problem);
}

TEST_CASE("the statuses of each problem, and none of the text") {
  struct Case {
    Kind kind;
    unsigned fastapi, tei, function;
    const char* type;
  };
  for (const Case& c : {Case{Kind::not_json, 422, 400, 400, "Validation"},
                        {Kind::unreadable, 400, 400, 400, "Validation"},
                        {Kind::media_type, 415, 415, 415, "Validation"},
                        {Kind::invalid, 422, 422, 400, "Validation"},
                        {Kind::empty, 422, 400, 400, "Empty"},
                        {Kind::batch_size, 413, 422, 413, "Validation"},
                        {Kind::model_type, 424, 424, 424, "Backend"},
                        {Kind::overloaded, 429, 429, 429, "Overloaded"},
                        {Kind::draining, 503, 503, 503, "Unhealthy"},
                        {Kind::timeout, 503, 503, 503, "Overloaded"},
                        {Kind::gone, 499, 499, 499, "Overloaded"},
                        {Kind::model, 500, 424, 500, "Backend"},
                        {Kind::internal, 500, 424, 500, "Backend"}}) {
    const Problem problem(c.kind, "why");
    CHECK(fastapi_error(problem).status == c.fastapi);
    CHECK(tei_error(problem).status == c.tei);
    CHECK(lambda_error(problem).status == c.function);
    CHECK(tei_error(problem).body.find("\"error_type\":\"" + std::string(c.type) + '"') != std::string::npos);
  }
}
