#include <service/routes/tensors.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

using namespace service;
using namespace std::string_literals;

namespace {

const std::vector<TensorSpec> specs = {{"text", Datatype::bytes, {-1}}, {"input_ids", Datatype::int64, {-1, -1}}};

/// An input of a request, with what it refers to.
struct Read {
  explicit Read(const std::string& json, std::string raw = {})
      : bytes(std::move(raw)), binary(bytes), tensor(read_tensor(parser.parse(json), specs, binary)) {}

  const std::vector<std::string_view>& texts() const { return std::get<std::vector<std::string_view>>(tensor.values); }
  const std::vector<std::int64_t>& numbers() const { return std::get<std::vector<std::int64_t>>(tensor.values); }

  simdjson::dom::parser parser;
  std::string bytes;
  BinaryData binary;
  InputTensor tensor;
};

/// The reason for which an input is refused.
std::string refusal(const std::string& json, std::string raw = {}) {
  try {
    const Read read(json, std::move(raw));
    return "taken";
  } catch (const InvalidTensor& e) {
    return e.what();
  }
}

std::string ids(const std::string& rest) { return R"({"name":"input_ids","datatype":"INT64",)" + rest + "}"; }
std::string text(const std::string& rest) { return R"({"name":"text","datatype":"BYTES",)" + rest + "}"; }

template <class Value> std::string raw(const std::vector<Value>& values) {
  std::string bytes(values.size() * sizeof(Value), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

} // namespace

TEST_CASE("texts in JSON") {
  const Read read(text(R"("shape":[3],"data":["a","","caf\u00e9"])"));
  CHECK(read.tensor.spec == &specs[0]);
  CHECK(read.tensor.shape == Shape{3});
  CHECK(read.texts() == std::vector<std::string_view>{"a", "", "caf\u00E9"});
}

TEST_CASE("data in JSON may be flat or nested, row by row") {
  const std::vector<std::int64_t> numbers{1, 2, 3, 4, 5, 6};
  CHECK(Read(ids(R"("shape":[2,3],"data":[1,2,3,4,5,6])")).numbers() == numbers);
  CHECK(Read(ids(R"("shape":[2,3],"data":[[1,2,3],[4,5,6]])")).numbers() == numbers);
  CHECK(Read(ids(R"("shape":[1,1],"data":[-9223372036854775808])")).numbers() == std::vector<std::int64_t>{INT64_MIN});
}

TEST_CASE("nested data has the shape that is said, flat data as many elements") {
  CHECK(refusal(ids(R"("shape":[2,3],"data":[1,2,3,4,5])")) ==
        "input 'input_ids': its data has 5 elements where its shape [2,3] asks for 6");
  CHECK(refusal(ids(R"("shape":[2,3],"data":[])")) ==
        "input 'input_ids': its data has 0 elements where its shape [2,3] asks for 6");
  CHECK(refusal(ids(R"("shape":[2,3],"data":[[1,2],[3,4],[5,6]])")) ==
        "input 'input_ids': its data does not have the shape [2,3]");
  CHECK(refusal(ids(R"("shape":[2,2],"data":[[1,2],[3]])")) ==
        "input 'input_ids': its data does not have the shape [2,2]");
  CHECK(refusal(ids(R"("shape":[2,2],"data":[[1,2],3])")) ==
        "input 'input_ids': its data is nested in another way than its shape [2,2]");
  CHECK(refusal(ids(R"("shape":[2,1],"data":[1,[2]])")) ==
        "input 'input_ids': element 1 of its data is not a whole number of 64 bits");
  CHECK(refusal(ids(R"("shape":[1,1],"data":[[[1]]])")) ==
        "input 'input_ids': element 0 of its data is not a whole number of 64 bits");
  CHECK(refusal(text(R"("shape":[1],"data":[["a"]])")) == "input 'text': element 0 of its data is not a string");
}

TEST_CASE("elements are of the datatype") {
  CHECK(refusal(ids(R"("shape":[1,2],"data":[1,2.5])")) ==
        "input 'input_ids': element 1 of its data is not a whole number of 64 bits");
  CHECK(refusal(ids(R"("shape":[1,1],"data":[9223372036854775808])")) ==
        "input 'input_ids': element 0 of its data is not a whole number of 64 bits");
  CHECK(refusal(ids(R"("shape":[1,1],"data":["1"])")) ==
        "input 'input_ids': element 0 of its data is not a whole number of 64 bits");
  CHECK(refusal(text(R"("shape":[2],"data":["a",null])")) == "input 'text': element 1 of its data is not a string");
}

TEST_CASE("name, datatype, shape and data must be there and fit the model") {
  const std::string known = "an input has a name that this model does not know; it knows 'text', 'input_ids'";
  CHECK(refusal(R"({"name":"image","datatype":"FP32","shape":[1],"data":[1]})") == known);
  CHECK(refusal(R"({"datatype":"BYTES","shape":[1],"data":["a"]})") == "every input needs a 'name', a string");
  CHECK(refusal(R"(["text"])") == "every input must be an object");
  CHECK(refusal(R"({"name":"text","shape":[1],"data":["a"]})") == "input 'text': it needs a 'datatype', a string");
  CHECK(refusal(R"({"name":"text","datatype":"FP16","shape":[1],"data":["a"]})") ==
        "input 'text': its datatype must be BYTES");
  CHECK(refusal(text(R"("data":["a"])")) == "input 'text': it needs a 'shape', an array of whole numbers");
  CHECK(refusal(text(R"("shape":[1,1],"data":["a"])")) == "input 'text': its shape must have 1 sizes: [-1]");
  CHECK(refusal(ids(R"("shape":[2],"data":[1,2])")) == "input 'input_ids': its shape must have 2 sizes: [-1,-1]");
  for (const std::string size : {"0", "-1", "1.0", "\"1\"", "null"})
    CHECK(refusal(text(R"("shape":[)" + size + R"(],"data":[])")) ==
          "input 'text': the sizes in its shape must be whole numbers from 1 on");
  CHECK(refusal(text(R"("shape":[1])")) == "input 'text': it needs 'data' or the parameter 'binary_data_size'");
  CHECK(refusal(text(R"("shape":[1],"data":"a")")) == "input 'text': its data must be an array");
  CHECK(refusal(text(R"("shape":[1],"data":["a"],"parameters":[])")) ==
        "input 'text': its 'parameters' must be an object");
  CHECK(refusal(text(R"("shape":[1],"data":["a"],"parameters":null)")) == "taken");
  CHECK(refusal(text(R"("shape":[1],"data":["a"],"parameters":{"of":"another extension"})")) == "taken");
  CHECK(refusal(text(R"("shape":[1],"parameters":{"shared_memory_region":"r"})")) ==
        "input 'text': shared memory is not supported");
}

TEST_CASE("sizes whose product does not fit are refused before anything is reserved") {
  CHECK(refusal(ids(R"("shape":[4294967296,4294967296],"data":[1])")) == "a shape is too large");
  CHECK(refusal(ids(R"("shape":[18446744073709551615,2],"parameters":{"binary_data_size":0})")) ==
        "a shape is too large");
  CHECK(refusal(ids(R"("shape":[2305843009213693952,1],"parameters":{"binary_data_size":0})")) ==
        "input 'input_ids': its binary data has 0 bytes, which is not 2305843009213693952 numbers of 8 bytes");
  CHECK(refusal(text(R"("shape":[18446744073709551615],"parameters":{"binary_data_size":0})")) ==
        "input 'text': its binary data ends within element 0 of 18446744073709551615");
  CHECK(elements({}) == 1);
  CHECK(elements({3, 4}) == 12);
}

TEST_CASE("raw numbers are little-endian, row by row") {
  const std::vector<std::int64_t> numbers{1, -2, 101, INT64_MAX};
  const Read read(ids(R"("shape":[2,2],"parameters":{"binary_data_size":32})"), raw(numbers) + "rest");
  CHECK(read.numbers() == numbers);
  CHECK(read.binary.left() == 4);
  CHECK(Read(ids(R"("shape":[1,1],"parameters":{"binary_data_size":8})"), "\x02\x01\0\0\0\0\0\0"s).numbers() ==
        std::vector<std::int64_t>{258});
  for (const std::string size : {"7", "16", "0"})
    CHECK(refusal(ids(R"("shape":[1,1],"parameters":{"binary_data_size":)" + size + "}"), std::string(16, '\0')) ==
          "input 'input_ids': its binary data has " + size + " bytes, which is not 1 numbers of 8 bytes");
}

TEST_CASE("a raw text is its length in four bytes, little-endian, and its bytes") {
  const Read read(text(R"("shape":[3],"parameters":{"binary_data_size":17})"), "\x01\0\0\0a\0\0\0\0\4\0\0\0\0é\n"s);
  CHECK(read.texts() == std::vector<std::string_view>{"a", "", std::string_view("\0é\n", 4)});
  CHECK(read.binary.left() == 0);

  const auto two = [](std::string bytes) {
    const std::string size = std::to_string(bytes.size());
    return refusal(text(R"("shape":[2],"parameters":{"binary_data_size":)" + size + "}"), std::move(bytes));
  };
  const std::string cut = "input 'text': its binary data ends within element 1 of 2";
  const std::string whole = "\1\0\0\0a\2\0\0\0bc"s;
  CHECK(two(whole) == "taken");
  for (std::size_t size = 5; size < whole.size(); ++size)
    CHECK(two(whole.substr(0, size)) == cut);
  CHECK(two("\1\0\0\0a\xff\xff\xff\xff"s) == cut);
  CHECK(two(whole + "d") == "input 'text': its binary data holds more than its 2 elements");
  CHECK(two("\1\0\0\0a\1\0\0\0\xff"s) == "input 'text': element 1 is not valid UTF-8");
}

TEST_CASE("raw data is where its size says, once") {
  CHECK(refusal(text(R"("shape":[1],"data":["a"],"parameters":{"binary_data_size":4})"), std::string(4, '\0')) ==
        "input 'text': it has both 'data' and 'binary_data_size'");
  CHECK(refusal(text(R"("shape":[1],"parameters":{"binary_data_size":5})"), std::string(4, '\0')) ==
        "the request has fewer bytes of binary data than its inputs' 'binary_data_size' say");
  CHECK(refusal(text(R"("shape":[1],"parameters":{"binary_data_size":18446744073709551615})"), "") ==
        "the request has fewer bytes of binary data than its inputs' 'binary_data_size' say");
  CHECK(refusal(text(R"("shape":[1],"parameters":{"binary_data_size":-1})"), "") ==
        "input 'text': 'binary_data_size' must be a whole number");
}

TEST_CASE("outputs in JSON") {
  std::string json;
  append_tensor(json, {"label", Datatype::bytes, {2}, std::vector<std::string>{"a \"b\"", "é"}});
  CHECK(json == R"({"name":"label","datatype":"BYTES","shape":[2],"data":["a \"b\"","é"]})");
  json.clear();
  append_tensor(json, {"logits", Datatype::fp32, {2, 1}, std::vector<float>{-0.1f, 16777216.0f}});
  CHECK(json == R"({"name":"logits","datatype":"FP32","shape":[2,1],"data":[-0.1,16777216]})");
}

TEST_CASE("raw outputs") {
  std::string json, binary = "before";
  append_tensor(json, binary, {"label", Datatype::bytes, {2}, std::vector<std::string>{"ab", ""}});
  CHECK(json == R"({"name":"label","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":10}})");
  CHECK(binary == "before\2\0\0\0ab\0\0\0\0"s);
  json.clear();
  binary.clear();
  const std::vector<float> numbers{1.0f, -2.5f};
  append_tensor(json, binary, {"score", Datatype::fp32, {2}, numbers});
  CHECK(json == R"({"name":"score","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}})");
  CHECK(binary == raw(numbers));
}
