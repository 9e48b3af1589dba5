// Nothing is left undescribed, and nothing is described that is not there, whatever the model is for.

#include "../fake_engine.hpp"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

namespace {

std::string pattern_of(std::string_view path) {
  std::string pattern;
  for (std::size_t i = 0; i < path.size(); ++i) {
    pattern += path[i];
    if (path[i] == '{') {
      i = path.find('}', i);
      pattern += '}';
    }
  }
  return pattern;
}

std::set<std::string> described(const std::string& openapi) {
  std::set<std::string> routes;
  simdjson::dom::parser parser;
  for (const auto path : simdjson::dom::object(parser.parse(openapi)["paths"]))
    for (const auto member : simdjson::dom::object(path.value)) {
      std::string method(member.key);
      std::transform(method.begin(), method.end(), method.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      if (method != "PARAMETERS")
        CHECK_MESSAGE(routes.insert(method + ' ' + pattern_of(path.key)).second, path.key);
    }
  return routes;
}

void add_all_routes(service::Router& router, service::Context& context) {
  service::add_seed_routes(router, context);
  service::add_tei_routes(router, context);
  service::add_open_inference_routes(router, context);
  service::add_openai_routes(router, context);
  service::add_probe_routes(router, context);
  service::add_page_routes(router, context);
}

} // namespace

TEST_CASE("the routes of every task are those that are described") {
  for (const service::Task task : {service::Task::classifier, service::Task::reranker, service::Task::embedder}) {
    CAPTURE(static_cast<int>(task));
    service::test::FakeService service(task);
    add_all_routes(service.router, service.context);
    const service::Response openapi = service.get("/openapi.json");
    REQUIRE(openapi.status == 200);
    const std::set<std::string> found = described(openapi.body);
    const std::vector<std::string> routes = service.router.routes();
    for (const std::string& route : routes)
      CHECK_MESSAGE(found.count(route) == 1, "not described: " << route);
    CHECK(found.size() == std::set<std::string>(routes.begin(), routes.end()).size());
    CHECK(service.get("/api-doc/openapi.json").body == openapi.body);
  }
}

TEST_CASE("/predict is described as the model's task has it") {
  for (const service::Task task : {service::Task::classifier, service::Task::reranker}) {
    service::test::FakeService service(task);
    add_all_routes(service.router, service.context);
    const std::string openapi = service.get("/openapi.json").body;
    simdjson::dom::parser parser;
    const simdjson::dom::element request =
        parser.parse(openapi).at_pointer("/paths/~1predict/post/requestBody/content/application~1json/schema");
    const std::string schema = simdjson::minify(request);
    CHECK((schema.find("TextRequest") != schema.npos) == (task == service::Task::classifier));
    CHECK(schema.find("TeiPredictRequest") != schema.npos);
  }
}

TEST_CASE("the page gives way to a root path and to --no-page") {
  service::test::FakeService service(service::Task::classifier);
  service::add_page_routes(service.router, service.context);
  CHECK(service.get("/").status == 200);

  service::test::FakeService without(service::Task::classifier);
  without.context.page = false;
  service::add_page_routes(without.router, without.context);
  CHECK(without.get("/").status == 404);
  CHECK(without.get("/").body == R"({"detail":"Not Found"})");
  CHECK(without.get("/docs").status == 200);

  service::test::FakeService behind(service::Task::classifier);
  behind.router = service::Router("/project");
  service::add_page_routes(behind.router, behind.context);
  CHECK(behind.get("/").status == 404);
  CHECK(behind.get("/project/").status == 404);
  for (const char* path : {"/docs", "/redoc", "/assets/style.css", "/openapi.json"}) {
    CHECK(behind.get(path).status == 200);
    CHECK(behind.get("/project" + std::string(path)).body == behind.get(path).body);
  }
  CHECK(behind.get("/project/openapi.json").body.find(R"("servers":[{"url":"/project"}])") != std::string::npos);
}
