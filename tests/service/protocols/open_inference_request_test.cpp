#include <service/routes/open_inference_request.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace service;
using namespace std::string_literals;

namespace {

const ModelTensors model = {{{"text", Datatype::bytes, {-1}}, {"input_ids", Datatype::int64, {-1, -1}}},
                            {{"label", Datatype::bytes, {-1}}, {"logits", Datatype::fp32, {-1, 2}}}};

struct Read {
  explicit Read(std::string whole, std::optional<std::string_view> length = {})
      : body(std::move(whole)), request(read_infer_request(body, length, model, document)) {}

  std::optional<json::Document> document;
  std::string body;
  InferRequest request;
};

std::string refusal(std::string body, std::optional<std::string_view> length = {}) {
  try {
    const Read read(std::move(body), length);
    return "taken";
  } catch (const Problem& e) {
    return e.message;
  }
}

const std::string text = R"({"name":"text","shape":[1],"datatype":"BYTES","data":["a"]})";
const std::string raw_text = R"({"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}})";
const std::string raw_ids =
    R"({"name":"input_ids","shape":[1,1],"datatype":"INT64","parameters":{"binary_data_size":8}})";

std::string with(const std::string& rest) { return R"({"inputs":[)" + text + "]" + rest + "}"; }

} // namespace

TEST_CASE("what a request names no output for gets all, in the form of binary_data_output") {
  for (const std::string none : {"", R"(,"outputs":[])", R"(,"outputs":null)", R"(,"parameters":null)"}) {
    const Read read(with(none));
    CHECK(!read.request.wanted.id);
    REQUIRE(read.request.inputs.size() == 1);
    CHECK(read.request.inputs[0].spec == &model.inputs[0]);
    REQUIRE(read.request.wanted.outputs.size() == 2);
    CHECK(read.request.wanted.outputs[0].spec == &model.outputs[0]);
    CHECK(read.request.wanted.outputs[1].spec == &model.outputs[1]);
    CHECK(!read.request.wanted.outputs[0].binary);
    CHECK(read.request.wanted.outputs[0].classes == 0);
  }
  const Read read(with(R"(,"parameters":{"binary_data_output":true,"priority":1,"timeout":5})"));
  CHECK(read.request.wanted.outputs[0].binary);
  CHECK(read.request.wanted.outputs[1].binary);
}

TEST_CASE("the outputs that a request names, in its order") {
  const Read read(with(R"(,"parameters":{"binary_data_output":true},"outputs":[
      {"name":"logits","parameters":{"classification":2,"binary_data":false}},{"name":"label"}])"));
  REQUIRE(read.request.wanted.outputs.size() == 2);
  CHECK(read.request.wanted.outputs[0].spec == &model.outputs[1]);
  CHECK(read.request.wanted.outputs[0].classes == 2);
  CHECK(!read.request.wanted.outputs[0].binary);
  CHECK(read.request.wanted.outputs[1].spec == &model.outputs[0]);
  CHECK(read.request.wanted.outputs[1].binary);
}

TEST_CASE("the id is a string, and kept") {
  CHECK(*Read(with(R"(,"id":"")")).request.wanted.id == "");
  CHECK(*Read(with(R"(,"id":"q \u0000 é")")).request.wanted.id == "q \0 é"s);
  CHECK(!Read(with(R"(,"id":null)")).request.wanted.id);
  CHECK(refusal(with(R"(,"id":7)")) == "`id`: Input should be a valid string");
}

TEST_CASE("what is no request is refused") {
  CHECK(refusal("") == "`body`: Field required");
  CHECK(refusal("{").find("the body is not JSON: ") == 0);
  CHECK(refusal(with("") + with("")).find("the body is not JSON: ") == 0);
  CHECK(refusal("[]") == "`body`: Input should be a valid dictionary or object to extract fields from");
  CHECK(refusal("{}") == "`inputs`: Field required");
  CHECK(refusal(R"({"inputs":{}})") == "`inputs`: Input should be a valid list");
  CHECK(refusal(R"({"inputs":[)" + text + "," + text + "]}") == "input 'text' is given twice");
  CHECK(refusal(with(R"(,"parameters":3)")) ==
        "`parameters`: Input should be a valid dictionary or object to extract fields from");
  CHECK(refusal(with(R"(,"parameters":{"binary_data_output":1})")) ==
        "`parameters.binary_data_output`: Input should be a valid boolean");
}

TEST_CASE("outputs that the model does not have, or not so, are refused") {
  const auto output = [](const std::string& element) { return refusal(with(R"(,"outputs":[)" + element + "]")); };
  CHECK(refusal(with(R"(,"outputs":{})")) == "`outputs`: Input should be a valid list");
  CHECK(output("\"label\"") == "`outputs[0]`: Input should be a valid dictionary or object to extract fields from");
  CHECK(output("{}") == "`outputs[0].name`: Field required");
  CHECK(output(R"({"name":"mask"})") == "`outputs[0]`: the outputs of this model are 'label', 'logits'");
  CHECK(output(R"({"name":"label"},{"name":"label"})") == "output 'label' is wanted twice");
  CHECK(output(R"({"name":"label","parameters":7})") ==
        "`outputs[0].parameters`: Input should be a valid dictionary or object to extract fields from");
  CHECK(output(R"({"name":"label","parameters":{"binary_data":"yes"}})") ==
        "`outputs[0].parameters.binary_data`: Input should be a valid boolean");
  CHECK(output(R"({"name":"label","parameters":{"shared_memory_region":"r"}})") ==
        "`outputs[0]`: shared memory is not supported");
  CHECK(output(R"({"name":"logits","parameters":{"classification":-1}})") ==
        "`outputs[0].parameters.classification`: Input should be greater than or equal to 0");
  CHECK(output(R"({"name":"logits","parameters":{"classification":"2"}})") ==
        "`outputs[0].parameters.classification`: Input should be a valid integer");
}

TEST_CASE("raw data lies behind the JSON, in the order of the inputs") {
  const std::string json = R"({"inputs":[)" + raw_text + "," + raw_ids + "]}";
  const std::string length = std::to_string(json.size());
  const std::string whole = json + "\2\0\0\0ab"s + "\5\0\0\0\0\0\0\0"s;
  const Read read(whole, length);
  REQUIRE(read.request.inputs.size() == 2);
  CHECK(std::get<0>(read.request.inputs[0].values) == std::vector<std::string_view>{"ab"});
  CHECK(std::get<1>(read.request.inputs[1].values) == std::vector<std::int64_t>{5});

  CHECK(refusal(whole + "x", length) ==
        "there are 1 bytes of binary data more than the inputs' `binary_data_size` say");
  for (std::size_t size = json.size(); size < whole.size(); ++size)
    CHECK(refusal(whole.substr(0, size), length) ==
          "there is less binary data than the inputs' `binary_data_size` say");
  CHECK(refusal(json.substr(0, json.size() - 1), length) ==
        "Inference-Header-Content-Length exceeds the body's " + std::to_string(json.size() - 1) + " bytes");
  CHECK(refusal(json, {}) == "there is less binary data than the inputs' `binary_data_size` say");
  CHECK(refusal(with(""), std::to_string(with("").size())) == "taken");
  for (const std::string_view bad : {"", "x", "-1", "1.0", " 1", "99999999999999999999"})
    CHECK(refusal(whole, bad) == "Inference-Header-Content-Length must be a whole number");
}

TEST_CASE("the header value 0: the body is one text, and all outputs are raw") {
  const Read read("{\"a text\": not JSON}", "0");
  REQUIRE(read.request.inputs.size() == 1);
  CHECK(read.request.inputs[0].spec == &model.inputs[0]);
  CHECK(read.request.inputs[0].shape == Shape{1});
  CHECK(std::get<0>(read.request.inputs[0].values) == std::vector<std::string_view>{"{\"a text\": not JSON}"});
  REQUIRE(read.request.wanted.outputs.size() == 2);
  CHECK(read.request.wanted.outputs[0].binary);
  CHECK(read.request.wanted.outputs[1].binary);
  CHECK(refusal("", "0") == "taken");
  CHECK(refusal("\xff", "0") == "input 'text': the body is not valid UTF-8");
}

TEST_CASE("answers") {
  const std::vector<OutputTensor> outputs = {{"label", Datatype::bytes, {1}, std::vector<std::string>{"good"}},
                                             {"logits", Datatype::fp32, {1, 2}, std::vector<float>{1, 2}}};
  WantedAnswer request;
  request.outputs = {{&model.outputs[0]}, {&model.outputs[1]}};
  InferAnswer answer = write_infer_answer(request, "sst2", "1", outputs);
  CHECK(answer.body == R"({"model_name":"sst2","model_version":"1","outputs":[)"
                       R"({"name":"label","datatype":"BYTES","shape":[1],"data":["good"]},)"
                       R"({"name":"logits","datatype":"FP32","shape":[1,2],"data":[1.0,2.0]}]})");
  CHECK(!answer.header_length);

  request.id = "a \"7\"";
  request.outputs[0].binary = true;
  answer = write_infer_answer(request, "sst2", "1", outputs);
  const std::string json = R"({"model_name":"sst2","model_version":"1","id":"a \"7\"","outputs":[)"
                           R"({"name":"label","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":8}},)"
                           R"({"name":"logits","datatype":"FP32","shape":[1,2],"data":[1.0,2.0]}]})";
  REQUIRE(answer.header_length);
  CHECK(*answer.header_length == json.size());
  CHECK(answer.body == json + "\4\0\0\0good"s);
}
