// The description of the interface, put together.

#include "../../../examples/service/openapi/assemble.hpp"
#include "../../../examples/service/page/resource.hpp"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::string_view first = R"({
  "paths": {
    "/a": {"get": {"operationId": "get_a", "responses": {"200": {"$ref": "#/components/responses/R"}}},
           "post": {"operationId": "post_a", "responses": {}}},
    "/m/{model}:predict": {"parameters": [{"name": "model"}], "post": {"operationId": "m"}},
    "/m/{model}/v/{version}": {"parameters": [{"name": "model"}], "get": {"operationId": "v"}}},
  "components": {
    "schemas": {"Deep": {"type": "string"}, "S": {"items": {"$ref": "#/components/schemas/Deep"}},
                "Unused": {"$ref": "#/components/schemas/Unused"}},
    "responses": {"R": {"content": {"$ref": "#/components/schemas/S"}}},
    "securitySchemes": {"Key": {"type": "http"}}}})";
constexpr std::string_view second = R"({
  "paths": {"/a": {"put": {"operationId": "put_a"}}, "/b": {"get": {"x": "\u00e9\"", "n": [1, -2.5, 0.5]}}},
  "components": {"schemas": {"Deep": {"type": "string"}}}})";

simdjson::dom::element read(simdjson::dom::parser& parser, const std::string& json) { return parser.parse(json); }

std::string assemble(const std::vector<std::string_view>& families, std::vector<std::string> routes,
                     std::string root_path = {}) {
  return service::assemble_openapi(families, {"1.2.3", std::move(root_path), std::move(routes)});
}

std::string at(const std::string& json, std::string_view pointer) {
  simdjson::dom::parser parser;
  simdjson::dom::element found;
  return read(parser, json).at_pointer(pointer).get(found) == simdjson::SUCCESS ? std::string(simdjson::minify(found))
                                                                                : "-";
}

} // namespace

TEST_CASE("families are merged") {
  const std::string all = assemble({first, second}, {"GET /a", "POST /a", "PUT /a", "GET /b"}, "/project");
  CHECK(at(all, "/openapi") == "\"3.1.0\"");
  CHECK(at(all, "/info/version") == "\"1.2.3\"");
  CHECK(at(all, "/servers") == R"([{"url":"/project"}])");
  CHECK(at(all, "/paths/~1a/get/operationId") == "\"get_a\"");
  CHECK(at(all, "/paths/~1a/post/operationId") == "\"post_a\"");
  CHECK(at(all, "/paths/~1a/put/operationId") == "\"put_a\"");
  CHECK(at(all, "/paths/~1b/get") == "{\"x\":\"\xc3\xa9\\\"\",\"n\":[1,-2.5,0.5]}");
}

TEST_CASE("a key that is asked for") {
  service::OpenApiOptions options{"1.2.3", {}, {"GET /a", "POST /a"}, true};
  const std::string with = service::assemble_openapi({first, second}, options);
  CHECK(at(with, "/components/securitySchemes/header/name") == "\"X-API-Key\"");
  CHECK(at(with, "/paths/~1a/post/security") == R"([{"bearer":[]},{"header":[]}])");
  CHECK(at(with, "/paths/~1a/post/operationId") == "\"post_a\"");
  CHECK(at(with, "/paths/~1a/post/responses/401") == R"({"$ref":"#/components/responses/Unauthorized"})");
  CHECK(at(with, "/components/responses/Unauthorized/description") == "\"The API key is missing or wrong\"");
  CHECK(at(with, "/paths/~1a/get/security") == "-");
  options.api_key = false;
  const std::string without = service::assemble_openapi({first, second}, options);
  CHECK(at(without, "/paths/~1a/post/security") == "-");
  CHECK(at(without, "/components/securitySchemes/bearer") == "-");
}

TEST_CASE("only what there is to describe is described") {
  const std::string some = assemble({first, second}, {"GET /a", "POST /m/{}:predict"});
  CHECK(at(some, "/servers") == R"([{"url":"/"}])");
  CHECK(at(some, "/paths/~1a/post") == "-");
  CHECK(at(some, "/paths/~1b") == "-");
  CHECK(at(some, "/paths/~1m~1{model}:predict/parameters") == R"([{"name":"model"}])");
  CHECK(at(some, "/paths/~1m~1{model}~1v~1{version}") == "-");
  CHECK(at(some, "/components/schemas/Deep") == R"({"type":"string"})"); // by a response and another schema
  CHECK(at(some, "/components/schemas/Unused") == "-");
  CHECK(at(some, "/components/securitySchemes/Key") == R"({"type":"http"})");
  CHECK(at(assemble({first}, {}), "/paths") == "{}");
  CHECK(at(assemble({first}, {"GET /m/{}/v/{}"}), "/components/schemas") == "-");
}

TEST_CASE("what cannot be merged is refused") {
  CHECK_THROWS_AS(assemble({first, first.substr(1)}, {}), std::invalid_argument);
  CHECK_THROWS_AS(assemble({"[]"}, {}), std::invalid_argument);
  CHECK_THROWS_AS(assemble({R"({"paths": {}})"}, {}), std::invalid_argument);
  CHECK_THROWS_WITH_AS(assemble({second, R"({"paths": {"/a": {"put": {}}}, "components": {}})"}, {}),
                       "two families describe /a put", std::invalid_argument);
  CHECK_THROWS_WITH_AS(assemble({second, R"({"paths": {}, "components": {"schemas": {"Deep": {}}}})"}, {}),
                       "two families describe component schemas/Deep", std::invalid_argument);
  CHECK_THROWS_WITH_AS(
      assemble({R"({"paths": {"/a": {"get": {"$ref": "#/components/schemas/No"}}}, "components": {}})"}, {"GET /a"}),
      "no family describes schemas/No", std::invalid_argument);
}

TEST_CASE("the families of this program fit together") {
  for (const std::string_view other : {"openapi/classifier.json", "openapi/reranker.json"}) {
    std::vector<std::string_view> families;
    for (const auto& resource : service::resources())
      if (resource.name.substr(0, 8) == "openapi/" && resource.name != other)
        families.push_back(resource.bytes);
    CHECK(families.size() >= 1);
    CHECK_NOTHROW(assemble(families, {}));
  }
}
