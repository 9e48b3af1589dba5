#include <service/fake_engine.hpp>

#include <doctest/doctest.h>
#include <simdjson.h>

#include <string>
#include <string_view>

using namespace service;
using namespace service::test;

namespace {

struct Service : FakeService {
  explicit Service(Task task = Task::classifier) : FakeService(task) { add_open_inference_routes(router, context); }
};

std::string error_of(const Response& response) {
  simdjson::dom::parser parser;
  return std::string(std::string_view(parser.parse(response.body)["error"]));
}

} // namespace

TEST_CASE("instances become predictions") {
  Service service;
  const Response response =
      service.post("/v1/models/sst2:predict", R"({"instances":["good",{"text":"bad","text_pair":"bad"}],"more":1})");
  REQUIRE(response.status == 200);
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(response.body);
  CHECK(std::string_view(root["predictions"].at(0)["label"]) == "POSITIVE");
  CHECK(double(root["predictions"].at(0)["score"]) == doctest::Approx(0.880797));
  CHECK(double(root["predictions"].at(0)["probabilities"].at(0)) == doctest::Approx(0.119203));
  CHECK(std::string_view(root["predictions"].at(1)["label"]) == "NEGATIVE");
  CHECK(double(root["predictions"].at(1)["score"]) == doctest::Approx(0.982014)); // of both texts
}

TEST_CASE("an embedder's vectors, a reranker's scores") {
  Service embedder(Task::embedder);
  CHECK(embedder.post("/v1/models/sst2:predict", R"({"instances":["good good good film film film film"]})").body ==
        R"({"predictions":[[0.6,0.0,0.8,0.0]]})");
  Service reranker(Task::reranker);
  CHECK(reranker.post("/v1/models/sst2:predict", R"({"instances":[{"text":"good","text_pair":"a"}]})").body ==
        R"({"predictions":[0.5]})");
}

TEST_CASE("errors") {
  Service service;
  const auto status = [&](const std::string& body) {
    const Response response = service.post("/v1/models/sst2:predict", body);
    CHECK(error_of(response) != "");
    return response.status;
  };
  for (const std::string bad :
       {"", "[]", "{}", R"({"instances":"a"})", R"({"instances":[]})", R"({"instances":[1]})",
        R"({"instances":[{"txt":"a"}]})", R"({"instances":[{"text":"a","label":1}]})", R"({"instances":[{"text":7}]})"})
    CHECK(status(bad) == 400);
  CHECK(service.post("/v1/models/other:predict", R"({"instances":["a"]})").status == 404);
  service.context.max_bulk_texts = 1;
  CHECK(status(R"({"instances":["a","a"]})") == 400);
}
