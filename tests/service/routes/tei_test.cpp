// The routes of Text Embeddings Inference, without HTTP.

#include "service/fake_engine.hpp"
#include "service/routes/scores.hpp"
#include "service/routes/vectors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <utility>

using namespace service;
using namespace service::test;

namespace {

struct Tei : FakeService {
  explicit Tei(Task task) : FakeService(task) {
    add_seed_routes(router, context);
    add_tei_routes(router, context);
  }

  /// The body of an error; checks its status.
  std::string error(const char* path, std::string body, unsigned status) {
    const Response response = post(path, std::move(body));
    CHECK(response.status == status);
    return response.body;
  }
};

std::string error_json(const std::string& message, const std::string& type) {
  return "{\"error\":\"" + message + "\",\"error_type\":\"" + type + "\"}";
}

std::string texts(std::size_t count, const char* text) {
  std::string list = "[";
  for (std::size_t i = 0; i < count; ++i)
    list += (i == 0 ? "" : ",") + std::string(text);
  return list + ']';
}

/// What a text says of which the first label is true; the scores of the logits 1 and -1.
std::string ranking(const char* first, const char* second) {
  distilbert::DistilBertConfig config;
  config.id2label = {first, second};
  std::string expected = "[{\"score\":";
  const auto scores = scores_of(config, {1, -1});
  json::append_float(expected, scores[0], json::Floats::shortest);
  expected += ",\"label\":\"" + std::string(first) + "\"},{\"score\":";
  json::append_float(expected, scores[1], json::Floats::shortest);
  return expected + ",\"label\":\"" + second + "\"}]";
}

const std::string good = ranking("POSITIVE", "NEGATIVE"), bad = ranking("NEGATIVE", "POSITIVE");
const std::string longest = "good good good good good good good good good good good good good good good";

} // namespace

TEST_CASE("/predict: one text, one pair, a batch of both") {
  Tei tei(Task::classifier);
  for (const char* path : {"/predict", "/", "/invocations"}) {
    CHECK(tei.post(path, R"({"inputs":"good"})").body == good);
    CHECK(tei.post(path, R"({"inputs":["good"]})").body == good);
    CHECK(tei.post(path, R"({"inputs":[["good"],["film","bad"]]})").body == '[' + good + ',' + bad + ']');
  }
  const Response pair = tei.post("/predict", R"({"inputs":["film","bad"]})");
  CHECK(pair.body == bad);
  CHECK(field(pair, "x-compute-tokens") == "5"); // [CLS] film [SEP] bad [SEP]
  CHECK(field(pair, "x-compute-characters") == "7");
  for (const char* name :
       {"x-compute-type", "x-compute-time", "x-total-time", "x-tokenization-time", "x-queue-time", "x-inference-time"})
    CHECK_MESSAGE(!field(pair, name).empty(), name);
  CHECK(tei.post("/predict", R"({"inputs":"good","raw_scores":true})").body ==
        R"([{"score":1.0,"label":"POSITIVE"},{"score":-1.0,"label":"NEGATIVE"}])");
}

TEST_CASE("/predict: what clients send beside the inputs") {
  Tei tei(Task::classifier);
  CHECK(tei.post("/predict", R"({"inputs":"good","parameters":{"top_k":2},"truncate":null})").body == good);
  CHECK(tei.error("/predict", R"({"inputs":"good","raw_scores":1})", 422) ==
        error_json("Input validation error: `raw_scores`: Input should be a valid boolean", "Validation"));
  CHECK(tei.error("/predict", R"({"inputs":"good","truncate":"yes"})", 422).find("`truncate`") != std::string::npos);
  CHECK(tei.error("/predict", R"({"inputs":"good","truncation_direction":"up"})", 422).find("'Left' or 'Right'") !=
        std::string::npos);
  CHECK(tei.error("/predict", R"({"inputs":"good","prompt_name":"query"})", 422) ==
        error_json("Input validation error: `prompt_name` is set but the model has no prompts", "Validation"));
}

TEST_CASE("/predict: truncation, from both ends, or refused") {
  Tei tei(Task::classifier);
  const std::string text = "bad " + longest; // one too many
  const Response right = tei.post("/predict", "{\"inputs\":\"" + text + "\",\"raw_scores\":true}");
  CHECK(right.body.find("\"score\":12.0") != std::string::npos); // 13 good, 1 bad
  CHECK(field(right, "x-truncated-texts") == "1");
  for (const char* direction : {"left", "Left"})
    CHECK(tei.post("/predict",
                   "{\"inputs\":\"" + text + "\",\"raw_scores\":true,\"truncation_direction\":\"" + direction + "\"}")
              .body.find("\"score\":14.0") != std::string::npos);
  CHECK(tei.error("/predict", "{\"inputs\":\"" + text + "\",\"truncate\":false}", 422) ==
        error_json("Input validation error: `inputs` must have less than 16 tokens. Given: 18", "Validation"));
  CHECK(tei.error("/predict", "{\"inputs\":[\"bad\",\"" + text + "\"],\"truncate\":false}", 422).find("Given: 20") !=
        std::string::npos);
  CHECK(tei.post("/predict", R"({"inputs":"good","truncate":false})").body == good);
  CHECK(tei.error("/predict", "{\"inputs\":\"" + std::string(4001, ' ') + "\",\"truncate\":false}", 422) ==
        error_json("Input validation error: `inputs` must have less than 4000 characters. Given: 4001", "Validation"));
}

TEST_CASE("/predict: inputs that are none") {
  Tei tei(Task::classifier);
  const std::string empty = error_json("`inputs` cannot be empty", "Empty");
  CHECK(tei.error("/predict", R"({"inputs":""})", 400) == empty);
  CHECK(tei.error("/predict", R"({"inputs":["",""]})", 400) == empty);
  CHECK(tei.post("/predict", R"({"inputs":["good",""]})").status == 200);
  for (const char* inputs : {"[]", "null", "5", "{}", "[[]]", "[\"a\",\"b\",\"c\"]", "[[\"a\",\"b\",\"c\"]]",
                             "[[\"a\"],\"b\"]", "[\"a\",null]", "[[\"a\"],[5]]", "[5]"})
    CHECK_MESSAGE(
        tei.error("/predict", "{\"inputs\":" + std::string(inputs) + '}', 422).find("Input validation error: ") !=
            std::string::npos,
        inputs);
  CHECK(tei.post("/predict", "{\"inputs\":" + texts(32, "[\"a\"]") + '}').status == 200);
  CHECK(tei.error("/predict", "{\"inputs\":" + texts(33, "[\"a\"]") + '}', 422) ==
        error_json("batch size 33 > maximum allowed batch size 32", "Validation"));
}

TEST_CASE("routes for models of another task say so") {
  const auto check = [](Task task, std::initializer_list<const char*> paths, const char* message) {
    Tei tei(task);
    for (const char* path : paths)
      CHECK(tei.error(path, R"({"inputs":"good"})", 424) == error_json(message, "Backend"));
    CHECK(tei.metrics.exposition().find("te_request_failure{err=\"model_type\"} " + std::to_string(paths.size())) !=
          std::string::npos);
  };
  check(Task::classifier, {"/rerank"}, "model is not a re-ranker model");
  check(Task::embedder, {"/rerank"}, "model is not a re-ranker model");
  check(Task::classifier, {"/embed", "/embed_all", "/similarity"}, "Model is not an embedding model");
  check(Task::reranker, {"/embed", "/embed_all", "/similarity"}, "Model is not an embedding model");
  check(Task::embedder, {"/predict"}, "Model is not a classifier model");
}

TEST_CASE("errors are TEI's before the body is read, too") {
  for (const auto& [task, path] : {std::pair(Task::classifier, "/"),
                                   {Task::classifier, "/invocations"},
                                   {Task::reranker, "/predict"},
                                   {Task::embedder, "/"}}) {
    Tei tei(task);
    CHECK(tei.error(path, "{", 400).find("\"error_type\":\"Validation\"") != std::string::npos);
    CHECK(tei.error(path, "[]", 422).find("\"error_type\":\"Validation\"") != std::string::npos);
    const Response foreign = tei.post(path, R"({"inputs":"good"})", {{"content-type", "text/plain"}});
    CHECK(foreign.status == 415);
    CHECK(foreign.body.find("\"error_type\":\"Validation\"") != std::string::npos);
    tei.context.max_concurrent_requests = 0;
    CHECK(tei.error(path, R"({"inputs":"good"})", 429) == error_json("Model is overloaded", "Overloaded"));
  }
}

TEST_CASE("/rerank") {
  Tei tei(Task::reranker);
  for (const char* path : {"/rerank", "/", "/invocations"})
    CHECK(tei.post(path, R"({"query":"a","texts":["good","film film","film"],"raw_scores":true})").body ==
          R"([{"index":1,"score":2.0},{"index":2,"score":1.0},{"index":0,"score":0.0}])");
  CHECK(tei.post("/rerank", R"({"query":"a","texts":["good","film"],"return_text":true})").body ==
        R"([{"index":1,"text":"film","score":0.7310586},{"index":0,"text":"good","score":0.5}])");
  CHECK(tei.post("/predict", R"({"inputs":["a","film"]})").body == R"([{"score":0.7310586,"label":"LABEL_0"}])");
  CHECK(tei.error("/rerank", R"({"query":"a","texts":[]})", 400) == error_json("`texts` cannot be empty", "Empty"));
  CHECK(tei.error("/rerank", R"({"texts":["a"]})", 422).find("`query`: Field required") != std::string::npos);
  CHECK(tei.error("/rerank", R"({"query":"a","texts":["b",1]})", 422).find("`texts[1]`") != std::string::npos);
  CHECK(tei.error("/rerank", "{\"query\":\"a\",\"texts\":" + texts(33, "\"b\"") + '}', 422).find("batch size 33") !=
        std::string::npos);
}

TEST_CASE("/embed") {
  Tei tei(Task::embedder);
  for (const char* path : {"/embed", "/", "/invocations"})
    CHECK(tei.post(path, R"({"inputs":"good film"})").body == "[[0.70710677,0.0,0.70710677,0.0]]");
  const char* two = "[[1.0,0.0,0.0,0.0],[0.0,1.0,2.0,0.0]]";
  CHECK(tei.post("/embed", R"({"inputs":["good","bad film film"],"normalize":false})").body == two);
  CHECK(tei.post("/embed", R"({"inputs":[[2,5,3],[6,7,7]],"normalize":false})").body == two);
  CHECK(tei.post("/embed", R"({"inputs":["good",[6,7,7]],"normalize":false})").body == two);
  CHECK(tei.post("/embed", R"({"inputs":[2,5,3]})").body == "[[1.0,0.0,0.0,0.0]]");
  CHECK(tei.post("/embed", R"({"inputs":"bad film film","dimensions":2})").body == "[[0.0,1.0]]");
  CHECK(tei.post("/embed", R"({"inputs":"!"})").body == "[[0.0,0.0,0.0,0.0]]");
  for (const char* dimensions : {"0", "-1", "5", "1.5", "1e300", "\"2\""})
    CHECK_MESSAGE(tei.error("/embed", "{\"inputs\":\"a\",\"dimensions\":" + std::string(dimensions) + '}', 422)
                          .find("`dimensions`") != std::string::npos,
                  dimensions);
  const std::string empty = error_json("`inputs` cannot be empty", "Empty");
  for (const char* inputs : {"\"\"", "[]", "[\"\"]", "[[]]"})
    CHECK_MESSAGE(tei.error("/embed", "{\"inputs\":" + std::string(inputs) + '}', 400) == empty, inputs);
  for (const char* inputs : {"null", "{}", "[5,\"a\"]", "[[-1]]", "[[11]]", "[null]", "5"})
    CHECK_MESSAGE(tei.error("/embed", "{\"inputs\":" + std::string(inputs) + '}', 422).find("inputs") !=
                      std::string::npos,
                  inputs);
  CHECK(tei.error("/embed", "{\"inputs\":" + texts(33, "\"b\"") + '}', 422).find("batch size 33") != std::string::npos);
}

TEST_CASE("/embed: ids that are too many") {
  Tei tei(Task::embedder);
  const std::string ids = texts(16, "5");
  CHECK(tei.post("/embed", "{\"inputs\":" + ids.substr(0, ids.size() - 1) + ",6],\"normalize\":false}").body ==
        "[[16.0,0.0,0.0,0.0]]");
  CHECK(
      tei.post("/embed", "{\"inputs\":[6," + ids.substr(1) + ",\"normalize\":false,\"truncation_direction\":\"left\"}")
          .body == "[[16.0,0.0,0.0,0.0]]");
  CHECK(tei.error("/embed", "{\"inputs\":[6," + ids.substr(1) + ",\"truncate\":false}", 422).find("Given: 17") !=
        std::string::npos);
}

TEST_CASE("/embed_all and /similarity") {
  Tei tei(Task::embedder);
  CHECK(tei.post("/embed_all", R"({"inputs":["good",[7]]})").body ==
        "[[[0.0,0.0,0.0,0.0],[1.0,0.0,0.0,0.0],[0.0,0.0,0.0,0.0]],[[0.0,0.0,1.0,0.0]]]");
  CHECK(tei.post("/similarity", R"({"inputs":{"source_sentence":"good film","sentences":["good","bad","film good"]}})")
            .body == "[0.70710677,0.0,0.99999994]");
  CHECK(tei.error("/similarity", R"({"inputs":{"source_sentence":"a","sentences":[]}})", 400) ==
        error_json("`inputs.sentences` cannot be empty", "Empty"));
  CHECK(tei.error("/similarity", R"({"inputs":{"sentences":["a"]}})", 422).find("`inputs.source_sentence`") !=
        std::string::npos);
  CHECK(tei.error("/similarity",
                  "{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":[\"" + longest +
                      "\"]},\"parameters\":{\"truncate\":false}}",
                  422)
            .find("Given: 17") != std::string::npos);
  CHECK(
      tei.error("/similarity", "{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":" + texts(32, "\"b\"") + "}}", 422)
          .find("batch size 33") != std::string::npos);
}

TEST_CASE("/tokenize: places in bytes") {
  for (const Task task : {Task::classifier, Task::reranker, Task::embedder}) {
    Tei tei(task);
    CHECK(tei.post("/tokenize", "{\"inputs\":\"g\xC3\xB2od Films\"}").body ==
          "[[{\"id\":2,\"text\":\"[CLS]\",\"special\":true,\"start\":null,\"stop\":null},"
          "{\"id\":5,\"text\":\"g\xC3\xB2od\",\"special\":false,\"start\":0,\"stop\":5},"
          "{\"id\":7,\"text\":\"Film\",\"special\":false,\"start\":6,\"stop\":10},"
          "{\"id\":9,\"text\":\"s\",\"special\":false,\"start\":10,\"stop\":11},"
          "{\"id\":3,\"text\":\"[SEP]\",\"special\":true,\"start\":null,\"stop\":null}]]");
    CHECK(tei.post("/tokenize", R"({"inputs":["a","!"],"add_special_tokens":false})").body ==
          R"([[{"id":8,"text":"a","special":false,"start":0,"stop":1}],)"
          R"([{"id":10,"text":"!","special":false,"start":0,"stop":1}]])");
    CHECK(tei.error("/tokenize", R"({"inputs":[]})", 400) == error_json("`inputs` cannot be empty", "Empty"));
    CHECK(tei.error("/tokenize", R"({"inputs":[5]})", 422).find("`inputs[0]`") != std::string::npos);
    CHECK(tei.error("/tokenize", "{\"inputs\":\"" + std::string(4001, 'a') + "\"}", 422).find("4000 characters") !=
          std::string::npos);
    CHECK(tei.error("/tokenize", "{\"inputs\":" + texts(33, "\"b\"") + '}', 422).find("batch size 33") !=
          std::string::npos);
  }
}

TEST_CASE("/tokenize and /decode: so many tokens in one call, and so many calls") {
  Tei tei(Task::classifier);
  const auto tokenize = [](std::size_t count) { // 3,999 tokens each
    std::string list = "[";
    for (std::size_t i = 0; i < count; ++i)
      list += (i == 0 ? "\"" : ",\"") + std::string(3999, '!') + '"';
    return R"({"add_special_tokens":false,"inputs":)" + list + "]}";
  };
  CHECK(tei.post("/tokenize", tokenize(16)).status == 200);
  CHECK(tei.error("/tokenize", tokenize(17), 422) ==
        error_json("67983 tokens > maximum allowed in one call 65536", "Validation"));
  CHECK(tei.post("/decode", "{\"ids\":" + texts(65'536, "5") + '}').status == 200);
  CHECK(tei.error("/decode", "{\"ids\":" + texts(65'537, "5") + '}', 422).find("65537 tokens") != std::string::npos);
  CHECK(tei.error("/decode", "{\"ids\":[" + texts(40'000, "5") + ',' + texts(40'000, "5") + "]}", 422)
            .find("80000 tokens") != std::string::npos);

  tei.context.max_concurrent_requests = 1;
  CHECK(tei.post("/decode", R"({"ids":[5]})").status == 200);
  tei.context.calls_in_flight = 1; // another's
  for (const auto& [path, body] : {std::pair{"/tokenize", R"({"inputs":"a"})"}, {"/decode", R"({"ids":[5]})"}}) {
    const Response response = tei.post(path, body);
    CHECK(response.status == 429);
    CHECK(field(response, "Retry-After") == "1");
  }
  CHECK(tei.get("/info").status == 200);
  CHECK(tei.context.calls_in_flight == 1);
}

TEST_CASE("/decode") {
  Tei tei(Task::classifier);
  CHECK(tei.post("/decode", R"({"ids":[2,5,7,9,3]})").body == R"(["good films"])");
  CHECK(tei.post("/decode", R"({"ids":[[2,5,3],[6]],"skip_special_tokens":false})").body ==
        R"(["[CLS] good [SEP]","bad"])");
  CHECK(tei.error("/decode", R"({"ids":[]})", 400) == error_json("`ids` cannot be empty", "Empty"));
  CHECK(tei.error("/decode", R"({"ids":[[]]})", 400) == error_json("`ids` cannot be empty", "Empty"));
  CHECK(tei.error("/decode", R"({"ids":[11]})", 422).find("[0, 11)") != std::string::npos);
  CHECK(tei.error("/decode", R"({"ids":[-1]})", 422).find("`ids[0]`") != std::string::npos);
  CHECK(tei.error("/decode", R"({"ids":[1,"a"]})", 422).find("`ids[1]`") != std::string::npos);
}

TEST_CASE("/info and /ping") {
  Tei classifier(Task::classifier), embedder(Task::embedder);
  CHECK(classifier.get("/info").body ==
        R"({"model_id":"sst2","model_sha":"0123","model_dtype":"float32","served_model_name":"sst2",)"
        R"("model_type":{"classifier":{"id2label":{"0":"NEGATIVE","1":"POSITIVE"},)"
        R"("label2id":{"NEGATIVE":0,"POSITIVE":1}}},)"
        R"("max_concurrent_requests":512,"max_input_length":16,"max_batch_tokens":256,"max_batch_requests":null,)"
        R"("max_client_batch_size":32,"auto_truncate":true,"tokenization_workers":1,"version":"0.1.0","sha":null,)"
        R"("docker_label":null})");
  CHECK(embedder.get("/info").body.find(R"("model_sha":null)") != std::string::npos);
  CHECK(embedder.get("/info").body.find(R"("model_type":{"embedding":{"pooling":"mean"}})") != std::string::npos);
  CHECK(classifier.get("/ping").status == 200);
  CHECK(classifier.get("/ping").body.empty());
}

TEST_CASE("a body that cannot be read") {
  Tei tei(Task::embedder);
  CHECK(tei.error("/embed", "{\"inputs\":", 400) ==
        error_json("the body is not JSON: Expecting value at character 10", "Validation"));
  CHECK(tei.error("/embed", "{\"inputs\":\"\xFF\"}", 400) == error_json("the body is not valid UTF-8", "Validation"));
  CHECK(tei.error("/embed", "", 422).find("Field required") != std::string::npos);
  CHECK(tei.error("/embed", "[]", 422).find("`body`") != std::string::npos);
}

TEST_CASE("embeddings: cut, then normalised, in double") {
  const Row pooled{3, 4, 12};
  CHECK(embedding_of(pooled, false) == pooled);
  CHECK(embedding_of(pooled, true, 2) == std::vector<float>{0.6f, 0.8f});
  CHECK(embedding_of(pooled, false, 2) == std::vector<float>{3, 4});
  CHECK(embedding_of({1e30f, 1e30f}, true)[0] == doctest::Approx(std::sqrt(0.5)));
  CHECK(embedding_of({0, 0}, true) == std::vector<float>{0, 0});
}
