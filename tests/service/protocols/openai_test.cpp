#include <service/fake_engine.hpp>

#include <doctest/doctest.h>
#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace service;
using namespace service::test;

namespace {

struct Service : FakeService {
  explicit Service(Task task = Task::embedder) : FakeService(task) { add_openai_routes(router, context); }

  Response embed(const std::string& body) {
    return post("/v1/embeddings", body, {{"content-type", "application/json"}});
  }
  Response input(const std::string& value, const std::string& rest = "") {
    return embed(R"({"input":)" + value + rest + "}");
  }
};

/// The embeddings of a response, each as JSON.
std::vector<std::string> embeddings(const Response& response) {
  REQUIRE(response.status == 200);
  simdjson::dom::parser parser;
  std::vector<std::string> all;
  simdjson::dom::element root = parser.parse(response.body);
  for (simdjson::dom::element each : simdjson::dom::array(root["data"])) {
    CHECK(std::string_view(each["object"]) == "embedding");
    CHECK(std::uint64_t(each["index"]) == all.size());
    all.push_back(simdjson::minify(each["embedding"]));
  }
  return all;
}

/// The message of an error, of which all the rest is as OpenAI has it.
std::string message(const Response& response, const std::string& type = "invalid_request_error") {
  simdjson::dom::parser parser;
  simdjson::dom::element error = parser.parse(response.body)["error"];
  CHECK(std::string_view(error["type"]) == type);
  CHECK(error["param"].is_null());
  CHECK(error["code"].is_null());
  return std::string(std::string_view(error["message"]));
}

} // namespace

TEST_CASE("one text: the whole answer") {
  Service service;
  CHECK(service.input(R"("good good good film film film film")", R"(,"model":"sst2")").body ==
        R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.6,0.0,0.8,0.0]}],)"
        R"("model":"sst2","usage":{"prompt_tokens":9,"total_tokens":9}})");
}

TEST_CASE("input: a string, strings, ids, lists of ids") {
  Service service;
  using List = std::vector<std::string>;
  CHECK(embeddings(service.input(R"("good")")) == List{"[1.0,0.0,0.0,0.0]"});
  CHECK(embeddings(service.input(R"(["good","film",""])")) ==
        List{"[1.0,0.0,0.0,0.0]", "[0.0,0.0,1.0,0.0]", "[0.0,0.0,0.0,0.0]"});
  CHECK(embeddings(service.input("[2,7,3]")) == List{"[0.0,0.0,1.0,0.0]"});
  CHECK(embeddings(service.input("[[2,7,3],[6]]")) == List{"[0.0,0.0,1.0,0.0]", "[0.0,1.0,0.0,0.0]"});
  CHECK(service.input("[[2,7,3],[6]]").body.find(R"("usage":{"prompt_tokens":4,"total_tokens":4})") !=
        std::string::npos);
}

TEST_CASE("base64 of little-endian floats") {
  Service service;
  const std::string format = R"(,"encoding_format":"base64")";
  // 0000803f 00000000 00000000 00000000
  CHECK(embeddings(service.input(R"("good")", format)) == std::vector<std::string>{"\"AACAPwAAAAAAAAAAAAAAAA==\""});
  // 3 floats: no padding; 2: one sign
  CHECK(embeddings(service.input(R"("good")", format + R"(,"dimensions":3)")) ==
        std::vector<std::string>{"\"AACAPwAAAAAAAAAA\""});
  CHECK(embeddings(service.input(R"("good")", format + R"(,"dimensions":2)")) ==
        std::vector<std::string>{"\"AACAPwAAAAA=\""});
  CHECK(embeddings(service.input(R"("good")", R"(,"encoding_format":"float")")) ==
        std::vector<std::string>{"[1.0,0.0,0.0,0.0]"});
  CHECK(message(service.input(R"("good")", R"(,"encoding_format":"int8")")) ==
        "`encoding_format`: Input should be 'float' or 'base64'");
}

TEST_CASE("dimensions cut the vector, which then has length 1 again") {
  Service service;
  const std::string text = R"("good good good film film film film a a a a a")";
  CHECK(embeddings(service.input(text, R"(,"dimensions":3)")) == std::vector<std::string>{"[0.6,0.0,0.8]"});
  CHECK(embeddings(service.input(text, R"(,"dimensions":1)")) == std::vector<std::string>{"[1.0]"});
  CHECK(embeddings(service.input(text, R"(,"dimensions":4)")) == embeddings(service.input(text)));
  CHECK(message(service.input(text, R"(,"dimensions":5)")) == "`dimensions`: Input should be less than or equal to 4");
  for (const std::string bad : {"0", "-1", "1.5", "\"2\"", "1e300"})
    CHECK(service.input(text, R"(,"dimensions":)" + bad).status == 400);
}

TEST_CASE("any model name is taken, as long as it is one; null is as good as absent") {
  Service service;
  CHECK(service.input(R"("a")", R"(,"model":"text-embedding-3-small","user":"u")").status == 200);
  CHECK(service.input(R"("a")", R"(,"model":null,"user":null,"dimensions":null,"encoding_format":null)").status == 200);
  CHECK(message(service.input(R"("a")", R"(,"model":7)")) == "`model`: Input should be a valid string");
  CHECK(message(service.input(R"("a")", R"(,"user":[])")) == "`user`: Input should be a valid string");
  CHECK(message(service.input(R"("a")", R"(,"texts":[])")) == "`texts`: Extra inputs are not permitted");
}

TEST_CASE("bad input is 400") {
  Service service;
  CHECK(message(service.embed("{}")) == "`input`: Field required");
  CHECK(message(service.input("[]")) == "`input`: List should have at least 1 item");
  CHECK(message(service.input("7")) == "`input`: Input should be a valid list");
  CHECK(message(service.input("null")) == "`input`: Input should be a valid list");
  CHECK(message(service.input(R"(["a",7])")) == "`input[1]`: Input should be a valid string");
  CHECK(message(service.input(R"([2,"a"])")) == "`input[1]`: Input should be a valid integer");
  CHECK(message(service.input(R"([[2],"a"])")) == "`input[1]`: Input should be a valid list");
  CHECK(message(service.input("[[2],[]]")) == "`input` must not hold a text without token ids");
  CHECK(message(service.input("[2,-3]")) == "`input[1]`: Input should be greater than or equal to 0");
  CHECK(message(service.input("[2,11]")) == "`input` must hold token ids in [0, 11). Given: 11");
  CHECK(message(service.input("[2,4294967299]")) == "`input[1]`: Input should be less than or equal to 2147483647");
  CHECK(message(service.input("[2,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,3]")) ==
        "`input` has 17 token ids, the model reads 16");
  CHECK(service.embed("").status == 400);
  CHECK(service.embed("{").status == 400);
  CHECK(service.embed("[]").status == 400);
}

TEST_CASE("too many texts are 413, too many calls 429, another type of body 415") {
  Service service;
  service.context.max_client_batch_size = 2;
  CHECK(service.input(R"(["a","a"])").status == 200);
  CHECK(service.input(R"(["a","a","a"])").status == 413);
  CHECK(message(service.input("[[2],[2],[2]]")) == "batch size 3 > maximum allowed batch size 2");
  CHECK(service.post("/v1/embeddings", "input=a", {{"content-type", "application/x-www-form-urlencoded"}}).status ==
        415);
  service.context.max_concurrent_requests = 0;
  const Response full = service.input(R"("a")");
  CHECK(full.status == 429);
  CHECK(field(full, "Retry-After") == "1");
  message(full, "rate_limit_error");
}

TEST_CASE("the list of models, for OpenAI's client and KServe's") {
  for (const Task task : {Task::classifier, Task::reranker, Task::embedder}) {
    Service service(task);
    const Response list = service.get("/v1/models");
    CHECK(list.status == 200);
    simdjson::dom::parser parser;
    simdjson::dom::element root = parser.parse(list.body);
    CHECK(std::string_view(root["object"]) == "list");
    CHECK(simdjson::dom::array(root["data"]).size() == 1);
    CHECK(std::string_view(root["data"].at(0)["id"]) == "sst2");
    CHECK(std::string_view(root["data"].at(0)["object"]) == "model");
    CHECK(std::uint64_t(root["data"].at(0)["created"]) > 1'700'000'000);
    CHECK(std::string_view(root["data"].at(0)["owned_by"]) == "distilbert-server");
    CHECK(simdjson::minify(root["models"]) == R"(["sst2"])");
  }
}

TEST_CASE("one model: that it exists, and is ready") {
  Service service(Task::classifier);
  const Response response = service.get("/v1/models/sst2");
  CHECK(response.status == 200);
  CHECK(response.body.find(R"({"id":"sst2","object":"model","created":)") == 0);
  CHECK(response.body.find(R"("name":"sst2","ready":true})") != std::string::npos);
  CHECK(service.get("/v1/models/other").status == 404);
  CHECK(message(service.get("/v1/models/other")) == "there is no such model here; this one is 'sst2'");
}

TEST_CASE("routes that the model's task does not have are not there") {
  Service classifier(Task::classifier), reranker(Task::reranker), embedder(Task::embedder);
  CHECK(classifier.input(R"("a")").status == 404);
  CHECK(reranker.input(R"("a")").status == 404);
  CHECK(embedder.post("/classify", R"({"input":["a"]})").status == 404);
  CHECK(reranker.post("/classify", R"({"input":["a"]})").status == 404);
}

TEST_CASE("infinity's /classify: all labels, the best first") {
  Service service(Task::classifier);
  const Response response = service.post("/classify", R"({"input":["good film","bad"],"model":"sst2"})");
  REQUIRE(response.status == 200);
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(response.body);
  CHECK(std::string_view(root["object"]) == "classify");
  CHECK(std::string_view(root["model"]) == "sst2");
  CHECK(std::uint64_t(root["usage"]["prompt_tokens"]) == 7);
  CHECK(std::uint64_t(root["usage"]["total_tokens"]) == 7);
  CHECK(std::uint64_t(root["created"]) > 1'700'000'000);
  CHECK(simdjson::dom::array(root["data"]).size() == 2);
  CHECK(std::string_view(root["data"].at(0).at(0)["label"]) == "POSITIVE");
  CHECK(double(root["data"].at(0).at(0)["score"]) == doctest::Approx(0.880797));
  CHECK(std::string_view(root["data"].at(0).at(1)["label"]) == "NEGATIVE");
  CHECK(std::string_view(root["data"].at(1).at(0)["label"]) == "NEGATIVE");
  const auto id = std::string_view(root["id"]);
  CHECK(service.post("/classify", R"({"input":"good"})").body.find(id) == std::string::npos);
}

TEST_CASE("infinity's /classify: raw scores are logits") {
  Service service(Task::classifier);
  const std::string body = service.post("/classify", R"({"input":"good","raw_scores":true})").body;
  CHECK(body.find(R"("data":[[{"score":1.0,"label":"POSITIVE"},{"score":-1.0,"label":"NEGATIVE"}]])") !=
        std::string::npos);
}

TEST_CASE("infinity's /classify: errors in OpenAI's form") {
  Service service(Task::classifier);
  CHECK(message(service.post("/classify", R"({"input":[]})")) == "`input`: List should have at least 1 item");
  CHECK(message(service.post("/classify", R"({"input":[1]})")) == "`input[0]`: Input should be a valid string");
  CHECK(message(service.post("/classify", R"({"input":"a","raw_scores":1})")) ==
        "`raw_scores`: Input should be a valid boolean");
  CHECK(service.post("/classify", "{").status == 400);
}
