#include <service/http/router.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

using namespace service;

namespace {

/// A handler that answers with a name and its arguments.
Handler named(std::string name) {
  return [name = std::move(name)](const std::shared_ptr<const Request>& request, const Respond& respond) {
    std::string body = name;
    for (const std::string& argument : request->arguments)
      body += ' ' + argument;
    respond({200, {}, {}, body + " at " + request->path});
  };
}

Response ask(const Router& router, std::string method, std::string path, std::string query = {}) {
  Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.query = std::move(query);
  std::vector<Response> answers;
  router.handle(std::move(request), [&](Response response) { answers.push_back(std::move(response)); });
  REQUIRE(answers.size() == 1);
  return answers[0];
}

std::string field(const Response& response, std::string_view name) {
  for (const Field& field : response.fields)
    if (field.name == name)
      return field.value;
  return {};
}

} // namespace

TEST_CASE("the most particular pattern wins, in whatever order they were added") {
  const std::vector<std::pair<const char*, const char*>> routes = {{"GET", "/health"},
                                                                   {"POST", "/predict"},
                                                                   {"GET", "/v1/models/{}"},
                                                                   {"POST", "/v1/models/{}:predict"},
                                                                   {"GET", "/v1/models/fixed"},
                                                                   {"GET", "/v2/models/{}/ready"},
                                                                   {"GET", "/v2/models/{}/{}"},
                                                                   {"GET", "/v2/{}/x/ready"},
                                                                   {"GET", "/v2/models/{}/versions/{}/ready"}};
  for (const bool backwards : {false, true}) {
    Router router;
    for (std::size_t i = 0; i < routes.size(); ++i) {
      const auto& [method, pattern] = routes[backwards ? routes.size() - 1 - i : i];
      router.add(method, pattern, named(pattern));
    }
    const auto body = [&](const char* method, const char* path) { return ask(router, method, path).body; };
    CHECK(body("GET", "/health") == "/health at /health");
    CHECK(body("GET", "/v1/models/a") == "/v1/models/{} a at /v1/models/a");
    CHECK(body("GET", "/v1/models/fixed") == "/v1/models/fixed at /v1/models/fixed");
    CHECK(body("POST", "/v1/models/a:predict") == "/v1/models/{}:predict a at /v1/models/a:predict");
    CHECK(body("POST", "/v1/models/a:b:predict") == "/v1/models/{}:predict a:b at /v1/models/a:b:predict");
    CHECK(body("GET", "/v2/models/a/ready") == "/v2/models/{}/ready a at /v2/models/a/ready");
    CHECK(body("GET", "/v2/models/a/stats") == "/v2/models/{}/{} a stats at /v2/models/a/stats");
    CHECK(body("GET", "/v2/models/a/versions/1/ready") ==
          "/v2/models/{}/versions/{}/ready a 1 at /v2/models/a/versions/1/ready");
    for (const char* path :
         {"/", "/v1", "/v1/models", "/v1/models//", "/v1/models/..", "/v1/models/.", "/healthy", "/health/x",
          "//health", "/../health", "/v2/models//ready", "/v2/models/a/b/c", "/HEALTH", "//health/", "/health//"}) {
      CAPTURE(path);
      CHECK(ask(router, "GET", path).status == 404);
    }
    CHECK(ask(router, "GET", std::string("/v1/models/a\0b", 14)).status == 404);
    CHECK(ask(router, "GET", "/v1/models/a\r\nb").status == 404);
    // An empty argument does not fit, so that the wider pattern does.
    CHECK(body("GET", "/v1/models/:predict") == "/v1/models/{} :predict at /v1/models/:predict");
  }
}

TEST_CASE("other methods") {
  Router router;
  router.add("GET", "/a", named("get"));
  router.add("POST", "/a", named("post"));
  router.add("GET", "/m/{}", named("get"));
  router.add("POST", "/m/{}:go", named("go"));
  CHECK(ask(router, "POST", "/a").body == "post at /a");
  for (const char* method : {"PUT", "HEAD", "OPTIONS", "FOO", "get"}) {
    const Response response = ask(router, method, "/a");
    CHECK(response.status == 405);
    CHECK(field(response, "Allow") == "GET, POST");
    CHECK(response.body == R"({"detail":"Method Not Allowed"})");
  }
  CHECK(field(ask(router, "GET", "/m/x:go"), "Allow") == "POST");
  CHECK(ask(router, "FOO", "/b").body == R"({"detail":"Not Found"})");
  CHECK_THROWS_AS(router.add("GET", "/a", named("again")), std::invalid_argument);
  CHECK_THROWS_AS(router.add("GET", "/m/{}", named("again")), std::invalid_argument);
  CHECK(router.routes() == std::vector<std::string>{"GET /a", "POST /a", "GET /m/{}", "POST /m/{}:go"});
}

TEST_CASE("root path, and a slash too many") {
  for (const char* root : {"/project", "/project/"}) {
    Router router(root);
    CHECK(router.root_path() == "/project");
    router.add("GET", "/health", named("health"));
    router.add("GET", "/", named("page"));
    router.add("GET", "/m/{}", named("model"));
    CHECK(ask(router, "GET", "/health").body == "health at /health");
    CHECK(ask(router, "GET", "/project/health").body == "health at /health");
    CHECK(ask(router, "GET", "/project").body == "page at /");
    CHECK(ask(router, "GET", "/project/").body == "page at /");
    CHECK(ask(router, "GET", "/projector/health").status == 404);
    CHECK(ask(router, "GET", "/project/project/health").status == 404);
    const Response response = ask(router, "GET", "/health/", "a=b");
    CHECK(response.status == 307);
    CHECK(field(response, "Location") == "/health?a=b");
    CHECK(field(ask(router, "POST", "/project/health/"), "Location") == "/project/health");
    CHECK(field(ask(router, "GET", "/m/a b%\xc3\xa9/"), "Location") == "/m/a%20b%25%C3%A9");
    CHECK(ask(router, "GET", "/other/").status == 404);
  }
}

TEST_CASE("a route that is not listed is there all the same") {
  Router router;
  router.add("GET", "/a", named("a"));
  router.add("GET", "/b", named("b"), false);
  CHECK(router.routes() == std::vector<std::string>{"GET /a"});
  CHECK(ask(router, "GET", "/b").body == "b at /b");
}

TEST_CASE("a request is answered once, whatever its handler does") {
  Router router;
  router.add("GET", "/throws", [](const auto&, const Respond&) { throw std::runtime_error("no"); });
  router.add("GET", "/throws_number", [](const auto&, const Respond&) { throw 1; });
  router.add("GET", "/memory", [](const auto&, const Respond&) { throw std::bad_alloc(); });
  router.add("GET", "/drops", [](const auto&, const Respond&) {});
  router.add("GET", "/twice", [](const auto&, const Respond& respond) {
    respond({200, {}, {}, "first"});
    respond({200, {}, {}, "second"});
    throw std::runtime_error("third");
  });
  CHECK(ask(router, "GET", "/throws").body == R"({"detail":"Internal Server Error"})");
  CHECK(ask(router, "GET", "/throws_number").status == 500);
  CHECK(ask(router, "GET", "/memory").status == 503);
  CHECK(ask(router, "GET", "/drops").status == 500);
  CHECK(ask(router, "GET", "/twice").body == "first");
  CHECK(ask(router, "GET", "/throws").fault == "no"); // for the log
  CHECK(ask(router, "GET", "/drops").fault == "the handler gave no answer");
  CHECK(ask(router, "GET", "/twice").fault.empty());

  // Held, the answer is owed until the last holder lets go.
  Respond held;
  router.add("GET", "/later", [&](const auto&, const Respond& respond) { held = respond; });
  unsigned status = 0;
  Request request;
  request.method = "GET";
  request.path = "/later";
  router.handle(std::move(request), [&](const Response& response) { status = response.status; });
  CHECK(status == 0);
  held = nullptr;
  CHECK(status == 500);
}

TEST_CASE("who cannot be answered is let go of, and nothing worse happens") {
  Router router;
  Respond held;
  router.add("GET", "/drops", [](const auto&, const Respond&) {});
  router.add("GET", "/answers", [&](const auto&, const Respond& respond) {
    held = respond;
    respond({});
  });
  for (const char* path : {"/drops", "/answers"}) {
    CAPTURE(path);
    const auto client = std::make_shared<int>();
    int answers = 0;
    Request request;
    request.method = "GET";
    request.path = path;
    router.handle(std::move(request), [&answers, client](const Response&) {
      ++answers;
      throw std::bad_alloc();
    });
    CHECK(answers == 1);
    CHECK(client.use_count() == 1);
  }
}
