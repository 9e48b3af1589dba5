#include <service/fake_engine.hpp>

#include <doctest/doctest.h>
#include <simdjson.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

using namespace service;
using namespace service::test;
using namespace std::string_literals;

namespace {

/// A BERT, whose tokens have types.
class TypedEngine : public FakeEngine {
public:
  TypedEngine() : FakeEngine(Task::classifier), typed_(FakeEngine::config()) { typed_.type_vocab_size = 2; }
  const distilbert::DistilBertConfig& config() const override { return typed_; }

private:
  distilbert::DistilBertConfig typed_;
};

struct Service : FakeService {
  explicit Service(Task task = Task::classifier) : Service(std::make_shared<const FakeEngine>(task)) {}
  explicit Service(std::shared_ptr<const Engine> engine) : FakeService(std::move(engine)) {
    add_open_inference_routes(router, context);
  }

  Response infer(const std::string& body, const std::string& path = "/v2/models/sst2/infer") {
    return post(path, body, {{"content-type", "application/json"}});
  }

  /// With raw data behind the JSON.
  Response infer_raw(const std::string& json, const std::string& raw) {
    return post("/v2/models/sst2/infer", json + raw,
                {{"content-type", "application/octet-stream"},
                 {"inference-header-content-length", std::to_string(json.size())}});
  }
};

std::string error_of(const Response& response) {
  simdjson::dom::parser parser;
  return std::string(std::string_view(parser.parse(response.body)["error"]));
}

std::string texts(const std::string& list, std::size_t count) {
  return R"({"name":"text","datatype":"BYTES","shape":[)" + std::to_string(count) + R"(],"data":)" + list + "}";
}

std::string numbers(const std::string& name, const std::string& shape, const std::string& data) {
  return R"({"name":")" + name + R"(","datatype":"INT64","shape":)" + shape + R"(,"data":)" + data + "}";
}

std::string inputs(const std::string& list, const std::string& rest = "") {
  return R"({"inputs":[)" + list + "]" + rest + "}";
}

std::string wanted(const std::string& name, const std::string& parameters = "{}") {
  return R"(,"outputs":[{"name":")" + name + R"(","parameters":)" + parameters + "}]";
}

/// The data of the only output.
std::string data_of(const Response& response) {
  REQUIRE(response.status == 200);
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(response.body);
  CHECK(simdjson::dom::array(root["outputs"]).size() == 1);
  return simdjson::minify(root["outputs"].at(0)["data"]);
}

/// The text's logits, whichever way its ids come.
std::string logits(Service& service, const std::string& list) {
  return data_of(service.infer(inputs(list, wanted("logits"))));
}

} // namespace

TEST_CASE("health tells whether the server lives and is ready") {
  Service service;
  CHECK(service.get("/v2/health/live").body == R"({"live":true})");
  CHECK(service.get("/v2/health/ready").body == R"({"ready":true})");
  service.context.draining = true;
  CHECK(service.get("/v2/health/ready").status == 503);
  CHECK(service.get("/v2/health/ready").body == R"({"error":"Server is not ready."})");
  CHECK(service.get("/v2/health/live").status == 200);
}

TEST_CASE("the server's metadata, with and without a slash") {
  Service service;
  const Response response = service.get("/v2");
  CHECK(response.status == 200);
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(response.body);
  CHECK(std::string_view(root["name"]) == "distilbert-server");
  CHECK(std::string_view(root["version"]).find('.') != std::string_view::npos);
  CHECK(simdjson::minify(root["extensions"]) == R"(["binary_tensor_data","classification","statistics"])");
  CHECK(service.get("/v2/").status == 200);
  CHECK(service.get("/v2/").body == response.body);
  CHECK(service.get("/v2/models").body == R"({"models":["sst2"]})");
}

TEST_CASE("a model's metadata are its tensors, by its task") {
  Service service;
  const std::string inputs = R"("inputs":[{"name":"text","datatype":"BYTES","shape":[-1]},)"
                             R"({"name":"text_pair","datatype":"BYTES","shape":[-1]},)"
                             R"({"name":"input_ids","datatype":"INT64","shape":[-1,-1]},)"
                             R"({"name":"attention_mask","datatype":"INT64","shape":[-1,-1]}],)";
  const std::string head = R"({"name":"sst2","versions":["1"],"platform":"distilbert_cpp",)";
  CHECK(
      service.get("/v2/models/sst2").body ==
      head + inputs +
          R"("outputs":[{"name":"label","datatype":"BYTES","shape":[-1]},{"name":"score","datatype":"FP32","shape":[-1]},)"
          R"({"name":"probabilities","datatype":"FP32","shape":[-1,2]},)"
          R"({"name":"logits","datatype":"FP32","shape":[-1,2]}]})");
  CHECK(service.get("/v2/models/sst2/versions/1").body == service.get("/v2/models/sst2").body);

  Service reranker(Task::reranker);
  CHECK(reranker.get("/v2/models/sst2").body == head + inputs +
                                                    R"("outputs":[{"name":"score","datatype":"FP32","shape":[-1]},)"
                                                    R"({"name":"logits","datatype":"FP32","shape":[-1,1]}]})");

  Service embedder(Task::embedder);
  const std::string body = embedder.get("/v2/models/sst2").body;
  CHECK(body.find("text_pair") == body.npos);
  CHECK(body.find(R"("outputs":[{"name":"embedding","datatype":"FP32","shape":[-1,4]}])") != body.npos);

  Service typed(std::make_shared<const TypedEngine>());
  CHECK(typed.get("/v2/models/sst2").body.find(R"({"name":"token_type_ids","datatype":"INT64","shape":[-1,-1]})") !=
        std::string::npos);
}

TEST_CASE("another model is 404, another version 501, a model that is not ready 503") {
  Service service;
  const std::string body = inputs(texts(R"(["good"])", 1));
  for (const std::string rest : {"", "/ready", "/stats"}) {
    for (const std::string path : {"/v2/models/sst2", "/v2/models/sst2/versions/1"})
      CHECK(service.get(path + rest).status == 200);
    CHECK(service.get("/v2/models/other" + rest).status == 404);
    CHECK(service.get("/v2/models/other/versions/1" + rest).status == 404);
    CHECK(service.get("/v2/models/sst2/versions/2" + rest).status == 501);
  }
  CHECK(error_of(service.get("/v2/models/other")) == "there is no such model here; this one is 'sst2'");
  CHECK(error_of(service.get("/v2/models/sst2/versions/2")) == "there is no such version of the model, only '1'");
  CHECK(service.infer(body, "/v2/models/other/infer").status == 404);
  CHECK(service.infer(body, "/v2/models/sst2/versions/01/infer").status == 501);
  CHECK(service.infer(body, "/v2/models/sst2/versions/1/infer").status == 200);
  CHECK(service.get("/v2/models/sst2/ready").body == R"({"name":"sst2","ready":true})");
}

TEST_CASE("texts get labels, scores, probabilities and logits") {
  Service service;
  const Response response = service.infer(inputs(texts(R"(["good film","bad bad"])", 2), R"(,"id":"a7")"));
  CHECK(response.status == 200);
  CHECK(response.content_type == "application/json");
  CHECK(field(response, "Inference-Header-Content-Length") == "");
  CHECK(response.body.find(R"({"model_name":"sst2","model_version":"1","id":"a7","outputs":[)"
                           R"({"name":"label","datatype":"BYTES","shape":[2],"data":["POSITIVE","NEGATIVE"]},)") == 0);
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(response.body);
  const auto output = [&](std::size_t i) { return root["outputs"].at(i); };
  CHECK(double(output(1)["data"].at(0)) == doctest::Approx(0.880797));
  CHECK(double(output(1)["data"].at(1)) == doctest::Approx(0.982014));
  CHECK(simdjson::minify(output(2)["shape"]) == "[2,2]");
  CHECK(double(output(2)["data"].at(0)) == doctest::Approx(0.119203));
  CHECK(double(output(2)["data"].at(2)) == doctest::Approx(0.982014));
  CHECK(simdjson::minify(output(3)["data"]) == "[-1.0,1.0,2.0,-2.0]");
}

TEST_CASE("the id comes back as it is, and only if there was one") {
  Service service;
  CHECK(service.infer(inputs(texts(R"(["a"])", 1))).body.find(R"("id")") == std::string::npos);
  CHECK(service.infer(inputs(texts(R"(["a"])", 1), R"(,"id":"\"é\u0000")")).body.find(R"("id":"\"é\u0000")") !=
        std::string::npos);
}

TEST_CASE("an empty text is a text") {
  Service service;
  CHECK(logits(service, texts(R"([""])", 1)) == "[-0.0,0.0]");
}

TEST_CASE("token ids are read as they are, up to where the mask ends") {
  Service service;
  // [CLS] good film [SEP]
  CHECK(logits(service, numbers("input_ids", "[1,4]", "[[2,5,7,3]]")) == "[-1.0,1.0]");
  CHECK(logits(service, numbers("input_ids", "[2,4]", "[2,5,3,5, 2,6,6,3]") + "," +
                            numbers("attention_mask", "[2,4]", "[[1,1,1,0],[1,1,1,1]]")) == "[-1.0,1.0,2.0,-2.0]");
}

TEST_CASE("inputs that do not go together are refused") {
  Service service;
  const auto refusal = [&](const std::string& list) {
    const Response response = service.infer(inputs(list));
    CHECK(response.status == 400);
    return error_of(response);
  };
  const std::string ids = numbers("input_ids", "[1,2]", "[2,3]");
  const std::string together = "the inputs must be 'text', or 'input_ids' with those that belong to it";
  CHECK(refusal("") == together);
  CHECK(refusal(ids + "," + texts(R"(["a"])", 1)) == together);
  CHECK(refusal(numbers("attention_mask", "[1,2]", "[1,1]")) == together);
  CHECK(refusal(R"({"name":"text_pair","datatype":"BYTES","shape":[1],"data":["a"]})") == together);
  CHECK(refusal(ids + R"(,{"name":"text_pair","datatype":"BYTES","shape":[1],"data":["a"]})") == together);
  CHECK(refusal(ids + "," + numbers("attention_mask", "[2,1]", "[1,1]")) ==
        "'attention_mask' must have the shape of 'input_ids'");
  CHECK(refusal(texts(R"(["a"])", 1) + R"(,{"name":"text_pair","datatype":"BYTES","shape":[2],"data":["a","b"]})") ==
        "'text_pair' must have the shape of 'text'");
  CHECK(refusal(ids + "," + ids) == "input 'input_ids' is given twice");
  CHECK(refusal(numbers("token_type_ids", "[1,2]", "[0.0,0.0]")) ==
        "`inputs[0].name`: the inputs of this model are 'text', 'text_pair', 'input_ids', 'attention_mask'");
}

TEST_CASE("padding is at the end, and zeros and ones") {
  Service service;
  const auto masked = [&](const std::string& mask) {
    return service.infer(
        inputs(numbers("input_ids", "[1,3]", "[2,5,3]") + "," + numbers("attention_mask", "[1,3]", mask)));
  };
  CHECK(masked("[1,1,1]").status == 200);
  CHECK(masked("[1,0,0]").status == 200);
  for (const std::string bad : {"[0,1,1]", "[1,0,1]", "[0,0,0]", "[1,2,1]", "[1,1,-1]", "[1,0,2]"}) {
    CHECK(masked(bad).status == 400);
    CHECK(error_of(masked(bad)) == "'attention_mask': row 0 is not ones followed by zeros");
  }
}

TEST_CASE("ids beyond the vocabulary and rows beyond the model's length are refused") {
  Service service;
  const auto refusal = [&](const std::string& list) {
    const Response response = service.infer(inputs(list));
    CHECK(response.status == 400);
    return error_of(response);
  };
  for (const std::string id : {"-1", "11", "4294967297", "9223372036854775807"})
    CHECK(refusal(numbers("input_ids", "[2,1]", "[2," + id + "]")) ==
          "'input_ids': row 1 holds " + id + ", ids lie in [0, 11)");
  const std::string seventeen = "[2,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,3]";
  CHECK(refusal(numbers("input_ids", "[1,17]", seventeen)) == "'input_ids': row 0 has 17 tokens, the model reads 16");
  CHECK(logits(service, numbers("input_ids", "[1,17]", seventeen) + "," +
                            numbers("attention_mask", "[1,17]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,0]")) ==
        "[-15.0,15.0]");
}

TEST_CASE("token types are for models that have them") {
  Service service(std::make_shared<const TypedEngine>());
  const std::string ids = numbers("input_ids", "[1,2]", "[2,3]") + ",";
  CHECK(service.infer(inputs(ids + numbers("token_type_ids", "[1,2]", "[0,1]"))).status == 200);
  const Response response = service.infer(inputs(ids + numbers("token_type_ids", "[1,2]", "[0,2]")));
  CHECK(response.status == 400);
  CHECK(error_of(response) == "'token_type_ids': row 0 holds 2, ids lie in [0, 2)");
}

TEST_CASE("no more texts than one call may have") {
  Service service;
  service.context.max_bulk_texts = 2;
  CHECK(service.infer(inputs(texts(R"(["a","a"])", 2))).status == 200);
  CHECK(service.infer(inputs(texts(R"(["a","a","a"])", 3))).status == 400);
  CHECK(service.infer(inputs(numbers("input_ids", "[3,1]", "[2,2,2]"))).status == 400);
}

TEST_CASE("a reranker scores pairs") {
  Service service(Task::reranker);
  const Response response =
      service.infer(inputs(texts(R"(["good","a"])", 2) +
                           R"(,{"name":"text_pair","datatype":"BYTES","shape":[2],"data":["film film","a"]})"));
  REQUIRE(response.status == 200);
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(response.body);
  CHECK(std::string_view(root["outputs"].at(0)["name"]) == "score");
  CHECK(double(root["outputs"].at(0)["data"].at(0)) == doctest::Approx(0.880797)); // sigmoid(2)
  CHECK(double(root["outputs"].at(0)["data"].at(1)) == 0.5);
  CHECK(simdjson::minify(root["outputs"].at(1)["data"]) == "[2.0,0.0]");
  CHECK(simdjson::minify(root["outputs"].at(1)["shape"]) == "[2,1]");
}

TEST_CASE("an embedder gives vectors of length 1") {
  Service service(Task::embedder);
  const Response response = service.infer(inputs(texts(R"(["good good good film film film film","!"])", 2)));
  CHECK(response.body.find(R"("outputs":[{"name":"embedding","datatype":"FP32","shape":[2,4],)"
                           R"("data":[0.6,0.0,0.8,0.0,0.0,0.0,0.0,0.0]}])") != std::string::npos);
}

TEST_CASE("classes as value:index:label, the best first") {
  Service service;
  const auto classes = [&](const std::string& output, const std::string& count) {
    return service.infer(inputs(texts(R"(["good","bad"])", 2), wanted(output, R"({"classification":)" + count + "}")));
  };
  const Response response = classes("logits", "2");
  CHECK(response.body.find(R"({"name":"logits","datatype":"BYTES","shape":[2,2],)"
                           R"("data":["1:1:POSITIVE","-1:0:NEGATIVE","1:0:NEGATIVE","-1:1:POSITIVE"]})") !=
        std::string::npos);
  CHECK(data_of(classes("logits", "1")) == R"(["1:1:POSITIVE","1:0:NEGATIVE"])");
  CHECK(classes("logits", "9").body == response.body);
  CHECK(data_of(classes("logits", "0")) == "[-1.0,1.0,1.0,-1.0]");
  CHECK(data_of(classes("probabilities", "1")).find("[\"0.88079") == 0);
  for (const std::string other : {"label", "score"}) {
    CHECK(classes(other, "1").status == 400);
    CHECK(error_of(classes(other, "1")) == "output '" + other + "' has no classes, which 'classification' asks for");
  }
}

TEST_CASE("binary in, binary out") {
  Service service;
  const std::string json =
      inputs(R"({"name":"text","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":8}})",
             R"(,"outputs":[{"name":"logits","parameters":{"binary_data":true}},{"name":"score"},)"
             R"({"name":"label","parameters":{"binary_data":true}}])");
  const Response response = service.infer_raw(json, "\4\0\0\0good"s);
  REQUIRE(response.status == 200);
  CHECK(response.content_type == "application/octet-stream");
  const std::size_t length = std::stoul(field(response, "Inference-Header-Content-Length"));
  REQUIRE(length < response.body.size());
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(response.body.substr(0, length));
  CHECK(std::int64_t(root["outputs"].at(0)["parameters"]["binary_data_size"]) == 8);
  CHECK(root["outputs"].at(0)["data"].error() == simdjson::NO_SUCH_FIELD);
  CHECK(double(root["outputs"].at(1)["data"].at(0)) == doctest::Approx(0.880797));
  CHECK(std::int64_t(root["outputs"].at(2)["parameters"]["binary_data_size"]) == 12);
  float row[2];
  REQUIRE(response.body.size() == length + 20);
  std::memcpy(row, response.body.data() + length, 8);
  CHECK(row[0] == -1.0f);
  CHECK(row[1] == 1.0f);
  CHECK(response.body.substr(length + 8) == "\x08\0\0\0POSITIVE"s);
}

TEST_CASE("the header value 0: the body is the text") {
  Service service;
  const Response response = service.post("/v2/models/sst2/infer", "good", {{"inference-header-content-length", "0"}});
  REQUIRE(response.status == 200);
  const std::size_t length = std::stoul(field(response, "Inference-Header-Content-Length"));
  // label 4 + 8, score 4, probabilities 8, logits 8
  CHECK(response.body.size() == length + 32);
  CHECK(response.body.substr(length, 12) == "\x08\0\0\0POSITIVE"s);
  CHECK(service.post("/v2/models/sst2/infer", "good", {{"inference-header-content-length", "x"}}).status == 400);
}

TEST_CASE("what is wrong with a body is told as {\"error\": ...}") {
  Service service;
  for (const std::string bad : {"", "{", "[]", "{}", R"({"inputs":7})", "\xff", R"({"inputs":[],"inputs":[]})"}) {
    CHECK(service.infer(bad).status == 400);
    CHECK(error_of(service.infer(bad)) != "");
  }
  const Response compressed =
      service.post("/v2/models/sst2/infer", "x", {{"content-encoding", "gzip"}, {"content-type", "application/json"}});
  CHECK(compressed.status == 415);
  CHECK(error_of(compressed) != "");
  service.context.max_concurrent_requests = 0;
  const Response full = service.infer("{");
  CHECK(full.status == 429);
  CHECK(error_of(full) == "Model is overloaded");
  CHECK(field(full, "Retry-After") == "1");
}

TEST_CASE("statistics count calls and texts, of which the cache knows some") {
  Service service;
  service.infer(inputs(texts(R"(["good","bad","a"])", 3)));
  service.infer(inputs(texts(R"(["good"])", 1)));
  service.infer("{");
  for (const std::string path : {"/v2/models/sst2/stats", "/v2/models/sst2/versions/1/stats", "/v2/models/stats"}) {
    simdjson::dom::parser parser;
    simdjson::dom::element root = parser.parse(service.get(path).body);
    simdjson::dom::element stats = root["model_stats"].at(0);
    CHECK(std::string_view(stats["name"]) == "sst2");
    CHECK(std::string_view(stats["version"]) == "1");
    CHECK(std::uint64_t(stats["last_inference"]) > 1'700'000'000'000);
    CHECK(std::uint64_t(stats["inference_count"]) == 4);
    CHECK(std::uint64_t(stats["execution_count"]) == 1);
    simdjson::dom::element sums = stats["inference_stats"];
    CHECK(std::uint64_t(sums["success"]["count"]) == 2);
    CHECK(std::uint64_t(sums["success"]["ns"]) >= std::uint64_t(sums["compute_input"]["ns"]));
    CHECK(std::uint64_t(sums["fail"]["count"]) == 1);
    for (const char* each : {"queue", "compute_input", "compute_output"})
      CHECK(std::uint64_t(sums[each]["count"]) == 2);
    CHECK(std::uint64_t(sums["compute_infer"]["count"]) == 1);
    CHECK(std::uint64_t(sums["cache_miss"]["count"]) == 3);
    CHECK(std::uint64_t(sums["cache_hit"]["count"]) == 1);
    CHECK(simdjson::dom::array(stats["batch_stats"]).size() == 0);
  }
}
