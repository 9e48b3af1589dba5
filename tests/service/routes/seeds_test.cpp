// The classroom's routes, without HTTP: /bulk-predict, /health, and /predict in all its forms.

#include "service/fake_engine.hpp"

#include <distilbert/mapped_file.hpp>

#include <doctest/doctest.h>
#include <simdjson.h>

#include <string>

using namespace service;
using namespace service::test;

namespace {

struct Seeds : FakeService {
  explicit Seeds(std::vector<std::string> labels = {"NEGATIVE", "POSITIVE"})
      : FakeService(std::make_shared<const FakeEngine>(Task::classifier, std::move(labels))) {
    add_seed_routes(router, context);
    add_tei_routes(router, context);
  }
};

std::string minified(std::string_view json) {
  simdjson::dom::parser parser;
  return simdjson::minify(parser.parse(json.data(), json.size()).value());
}

} // namespace

TEST_CASE("errors are FastAPI's") {
  Seeds service;
  const auto golden = distilbert::MappedFile::open(DISTILBERT_SOURCE_DIR "/tests/service/routes/golden/fastapi.json",
                                                   distilbert::Memory::copy, 1 << 20);
  simdjson::dom::parser parser;
  const auto text = golden.text();
  std::size_t cases = 0;
  for (const simdjson::dom::element one : simdjson::dom::array(parser.parse(text.data(), text.size()))) {
    const auto text_of = [&](const char* key) { return std::string(one[key].get_string().value()); };
    const std::string body = text_of("body");
    const Response response = service.post(text_of("path"), body);
    CHECK_MESSAGE(response.status == one["status"].get_uint64().value(), body.substr(0, 80));
    CHECK_MESSAGE(minified(response.body) == simdjson::minify(one["reply"].value()), body.substr(0, 80));
    ++cases;
  }
  CHECK(cases > 40);
}

TEST_CASE("/bulk-predict: texts in order, labels by falling score, floats as Python writes them") {
  Seeds service;
  const Response response = service.post("/bulk-predict", R"({"text":["a good film","bad","","film"]})");
  CHECK(response.status == 200);
  CHECK(response.content_type == "application/json");
  simdjson::dom::parser parser;
  const simdjson::dom::element body = parser.parse(response.body);
  const auto label = [&](std::size_t text, std::size_t rank) {
    return std::string_view(body["predictions"].at(text).at(rank)["label"]);
  };
  REQUIRE(body["predictions"].get_array().size() == 4);
  CHECK(label(0, 0) == "POSITIVE");
  CHECK(label(0, 1) == "NEGATIVE");
  CHECK(label(1, 0) == "NEGATIVE");
  CHECK(double(body["predictions"].at(2).at(0)["score"]) == 0.5);
  CHECK(response.body.find("\"score\":0.5}") != response.body.npos);
  CHECK(response.body.find(R"({"label":"POSITIVE","score":0.88079702854)") != response.body.npos);
}

TEST_CASE("/bulk-predict: no text, a thousand, too many") {
  Seeds service;
  CHECK(service.post("/bulk-predict", R"({"text":[]})").body == R"({"predictions":[]})");
  const auto texts = [](std::size_t count) {
    std::string body = "{\"text\":[\"good\"";
    for (std::size_t i = 1; i < count; ++i)
      body += ",\"good\"";
    return body + "]}";
  };
  const Response thousand = service.post("/bulk-predict", texts(1000));
  CHECK(thousand.status == 200);
  simdjson::dom::parser parser;
  const simdjson::dom::element body = parser.parse(thousand.body);
  CHECK(body["predictions"].get_array().size() == 1000);
  CHECK(service.post("/bulk-predict", texts(4096)).status == 200);
  const Response many = service.post("/bulk-predict", texts(4097));
  CHECK(many.status == 413);
  CHECK(many.body == R"({"detail":"batch size 4097 > maximum allowed batch size 4096"})");
}

TEST_CASE("/bulk-predict: what lies in a text does not matter, what is no text does") {
  Seeds service;
  for (const char* body : {R"({"text":["\u0000"]})", R"({"text":["\ud83c\udf89"]})", R"({"text":["   "]})",
                           "{\"text\":[\"\xE4\xB8\xAD\xE6\x96\x87 \xF0\x9F\x8E\x89 caf\xC3\xA9\"]}"})
    CHECK_MESSAGE(service.post("/bulk-predict", body).status == 200, body);
  for (const char* body : {R"({"text":["\ud800"]})", R"({"text":["\udc00"]})", "{\"text\":[\"\xFF\"]}",
                           "{\"text\":[\"\xC0\xAF\"]}", "{\"text\":[\"\xED\xA0\x80\"]}", R"({"text":["a"],"x":1e999})",
                           R"({"text":["a"],"x":18446744073709551616})", R"({"text":[NaN]})"}) {
    const Response response = service.post("/bulk-predict", body);
    CHECK_MESSAGE(response.status == 400, body);
    CHECK(response.body == R"({"detail":"There was an error parsing the body"})");
  }
  const auto deep = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(service.post("/bulk-predict", deep(1024)).status == 422);
  CHECK(service.post("/bulk-predict", deep(1025)).status == 400);
  CHECK(service.post("/bulk-predict", deep(100'000)).status == 400);
  CHECK(service.post("/bulk-predict", "{\"text\":[" + std::string(1000, '9') + "]}").status == 400);
  const Response twice = service.post("/bulk-predict", R"({"text":["a"],"t\u0065xt":["b"]})");
  CHECK(twice.status == 422);
  CHECK(twice.body.find("\"type\":\"duplicate_key\",\"loc\":[\"body\",\"text\"]") != twice.body.npos);
}

TEST_CASE("/bulk-predict: a long text is cut, and the reply says so") {
  Seeds service;
  std::string body = "{\"text\":[\"good\",\"bad";
  for (int i = 0; i < 5000; ++i)
    body += " good";
  const Response response = service.post("/bulk-predict", body + "\"]}");
  CHECK(response.status == 200);
  CHECK(field(response, "x-truncated-texts") == "1");
  CHECK(field(response, "x-compute-tokens") == "19"); // [CLS] good [SEP], and 16
  CHECK(field(response, "x-compute-characters") == "25007");
  CHECK(field(service.post("/bulk-predict", R"({"text":["good"]})"), "x-truncated-texts").empty());
}

TEST_CASE("/health") {
  Seeds service;
  CHECK(service.get("/health").body == R"({"status":"healthy"})");
  service.context.draining = true;
  CHECK(service.get("/health").status == 200);
}

TEST_CASE("/predict {\"text\"}") {
  Seeds service;
  const Response response = service.post("/predict", R"({"text":"good \"film\""})");
  CHECK(response.status == 200);
  CHECK(minified(response.body)
            .rfind(R"({"text":"good \"film\"","sentiment":"POSITIVE","confidence":0.88079702854)", 0) == 0);
  CHECK(response.body.find("\"scores\":{\"negative\":0.119202") != response.body.npos);
  std::string emoji;
  for (int i = 0; i < 5000; ++i)
    emoji += "\xF0\x9F\x8E\x89";
  CHECK(service.post("/predict", "{\"text\":\"" + emoji + "\"}").status == 200);
  CHECK(service.post("/predict", "{\"text\":\"" + emoji + "!\"}").status == 422);
}

TEST_CASE("/predict {\"payload\"}") {
  Seeds two, three({"negative", "NEUTRAL", "positive"});
  CHECK(two.post("/predict", R"({"payload":"good"})").body == R"({"Raw Text":"good","Categories":"positive"})");
  CHECK(two.post("/predict", R"({"payload":"bad"})").body == R"({"Raw Text":"bad","Categories":"negative"})");
  two.context.neutral_below = 0.9f;
  CHECK(two.post("/predict", R"({"payload":"good"})").body == R"({"Raw Text":"good","Categories":"neutral"})");
  CHECK(two.post("/predict", R"({"payload":"good good"})").body ==
        R"({"Raw Text":"good good","Categories":"positive"})");
  three.context.neutral_below = 0.9f;
  CHECK(three.post("/predict", R"({"payload":"good"})").body == R"({"Raw Text":"good","Categories":"positive"})");
  CHECK(two.post("/predict", R"({"payload":5})").status == 422);
}

TEST_CASE("/predict {\"values\"}") {
  Seeds service;
  CHECK(service.post("/predict", R"({"values":["good","bad",[2,6,3]]})").body ==
        R"({"predictions":["POSITIVE","NEGATIVE","NEGATIVE"]})");
  CHECK(service.post("/predict", R"({"values":[]})").body == R"({"predictions":[]})");
  const auto error = [&](const char* body) {
    const Response response = service.post("/predict", body);
    CHECK(response.status == 400);
    CHECK(response.body.rfind("{\"error\":", 0) == 0);
    return response.body;
  };
  CHECK(error(R"({"values":[[5.1,3.5]]})").find("`values[0][0]`") != std::string::npos);
  CHECK(error(R"({"values":[[2,-1]]})").find("`values[0][1]`") != std::string::npos);
  CHECK(error(R"({"values":[[11]]})").find("[0, 11). Given: 11") != std::string::npos);
  CHECK(error(R"({"values":[[99999999999]]})").find("less than or equal") != std::string::npos);
  CHECK(error(R"({"values":[[]]})").find("without token ids") != std::string::npos);
  CHECK(error(R"({"values":"good"})").find("`values`") != std::string::npos);
  CHECK(error(R"({"values":[null]})").find("`values[0]`") != std::string::npos);
}

TEST_CASE("/predict: the body tells, and the error is that of its form") {
  Seeds service;
  CHECK(
      service.post("/predict", R"({"inputs":"good"})").body.rfind("[{\"score\":0.880797,\"label\":\"POSITIVE\"}", 0) ==
      0);
  CHECK(service.post("/predict", R"({"inputs":5})").body.find("\"error_type\":\"Validation\"") != std::string::npos);
  CHECK(service.post("/predict", R"({"what":1})").body.find("\"type\":\"missing\",\"loc\":[\"body\",\"text\"]") !=
        std::string::npos);
  CHECK(service.post("/predict", R"({"text":"a","values":[]})").status == 400);
}

TEST_CASE("only a classifier has the classroom's routes") {
  FakeService embedder(Task::embedder);
  add_seed_routes(embedder.router, embedder.context);
  CHECK(embedder.router.routes() == std::vector<std::string>{"GET /health"});
  FakeService reranker(Task::reranker);
  add_seed_routes(reranker.router, reranker.context);
  CHECK(reranker.router.routes() == std::vector<std::string>{"GET /health", "POST /predict"});
  CHECK(reranker.post("/predict", R"({"text":"film"})").body.find("`inputs`: Field required") != std::string::npos);
}
