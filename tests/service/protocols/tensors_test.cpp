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
      : document(json), bytes(std::move(raw)), binary(bytes), tensor(read_tensor(document.root(), specs, binary)) {}

  const std::vector<std::string_view>& texts() const { return std::get<std::vector<std::string_view>>(tensor.values); }
  const std::vector<std::int64_t>& numbers() const { return std::get<std::vector<std::int64_t>>(tensor.values); }

  json::Document document;
  std::string bytes;
  BinaryData binary;
  InputTensor tensor;
};

/// The reason for which an input is refused.
std::string refusal(const std::string& json, std::string raw = {}) {
  try {
    const Read read(json, std::move(raw));
    return "taken";
  } catch (const Problem& e) {
    CHECK(e.kind == Problem::Kind::invalid);
    return e.message;
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
  CHECK(refusal(ids(R"("shape":[2,3],"data":[1,2,3,4,5])")) == "`data`: 5 elements where the shape [2,3] asks for 6");
  CHECK(refusal(ids(R"("shape":[2,3],"data":[])")) == "`data`: 0 elements where the shape [2,3] asks for 6");
  CHECK(refusal(ids(R"("shape":[2,3],"data":[[1,2],[3,4],[5,6]])")) == "`data`: it does not have the shape [2,3]");
  CHECK(refusal(ids(R"("shape":[2,2],"data":[[1,2],[3]])")) == "`data`: it does not have the shape [2,2]");
  CHECK(refusal(ids(R"("shape":[2,2],"data":[[1,2],3])")) ==
        "`data`: it is nested in another way than the shape [2,2]");
  CHECK(refusal(ids(R"("shape":[2,1],"data":[1,[2]])")) == "`data`: element 1 is not a whole number of 64 bits");
  CHECK(refusal(ids(R"("shape":[1,1],"data":[[[1]]])")) == "`data`: element 0 is not a whole number of 64 bits");
  CHECK(refusal(text(R"("shape":[1],"data":[["a"]])")) == "`data`: element 0 is not a string");
}

TEST_CASE("elements are of the datatype") {
  CHECK(refusal(ids(R"("shape":[1,2],"data":[1,2.5])")) == "`data`: element 1 is not a whole number of 64 bits");
  CHECK(refusal(ids(R"("shape":[1,1],"data":[9223372036854775808])")) ==
        "`data`: element 0 is not a whole number of 64 bits");
  CHECK(refusal(ids(R"("shape":[1,1],"data":["1"])")) == "`data`: element 0 is not a whole number of 64 bits");
  CHECK(refusal(text(R"("shape":[2],"data":["a",null])")) == "`data`: element 1 is not a string");
}

TEST_CASE("name, datatype, shape and data must be there and fit the model") {
  const std::string known = "`name`: the inputs of this model are 'text', 'input_ids'";
  CHECK(refusal(R"({"name":"image","datatype":"FP32","shape":[1],"data":[1]})") == known);
  CHECK(refusal(R"({"datatype":"BYTES","shape":[1],"data":["a"]})") == "`name`: Field required");
  CHECK(refusal(R"(["text"])") == "`body`: Input should be a valid dictionary or object to extract fields from");
  CHECK(refusal(R"({"name":"text","shape":[1],"data":["a"]})") == "`datatype`: Field required");
  CHECK(refusal(R"({"name":"text","datatype":"FP16","shape":[1],"data":["a"]})") ==
        "`datatype`: the datatype of 'text' is BYTES");
  CHECK(refusal(text(R"("data":["a"])")) == "`shape`: Field required");
  CHECK(refusal(text(R"("shape":[1,1],"data":["a"])")) == "`shape`: the shape of 'text' is [-1]");
  CHECK(refusal(ids(R"("shape":[2],"data":[1,2])")) == "`shape`: the shape of 'input_ids' is [-1,-1]");
  const auto sized = [](const std::string& size) { return refusal(text(R"("shape":[)" + size + R"(],"data":[])")); };
  CHECK(sized("0") == "`shape[0]`: Input should be greater than or equal to 1");
  CHECK(sized("-1") == "`shape[0]`: Input should be greater than or equal to 1");
  CHECK(sized("1.5") == "`shape[0]`: Input should be a valid integer, got a number with a fractional part");
  CHECK(sized("\"1\"") == "`shape[0]`: Input should be a valid integer");
  CHECK(refusal(text(R"("shape":[1])")) == "`body`: it needs `data` or the parameter `binary_data_size`");
  CHECK(refusal(text(R"("shape":[1],"data":"a")")) == "`data`: it must be an array");
  CHECK(refusal(text(R"("shape":[1],"data":["a"],"parameters":[])")) ==
        "`parameters`: Input should be a valid dictionary or object to extract fields from");
  CHECK(refusal(text(R"("shape":[1],"data":["a"],"parameters":null)")) == "taken");
  CHECK(refusal(text(R"("shape":[1],"data":["a"],"parameters":{"of":"another extension"})")) == "taken");
  CHECK(refusal(text(R"("shape":[1],"parameters":{"shared_memory_region":"r"})")) ==
        "`parameters`: shared memory is not supported");
}

TEST_CASE("sizes whose product does not fit are refused before anything is reserved") {
  CHECK(refusal(ids(R"("shape":[4294967296,4294967296],"data":[1])")) == "`data`: its shape is too large");
  CHECK(refusal(ids(R"("shape":[9223372036854775807,4],"parameters":{"binary_data_size":0})")) ==
        "`body`: its shape is too large");
  CHECK(refusal(ids(R"("shape":[2305843009213693952,1],"parameters":{"binary_data_size":0})")) ==
        "`body`: its binary data has 0 bytes, which is not 2305843009213693952 numbers of 8 bytes");
  CHECK(refusal(text(R"("shape":[9223372036854775807],"parameters":{"binary_data_size":0})")) ==
        "`body`: its binary data ends within element 0 of 9223372036854775807");
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
          "`body`: its binary data has " + size + " bytes, which is not 1 numbers of 8 bytes");
}

TEST_CASE("a raw text is its length in four bytes, little-endian, and its bytes") {
  const Read read(text(R"("shape":[3],"parameters":{"binary_data_size":17})"), "\x01\0\0\0a\0\0\0\0\4\0\0\0\0é\n"s);
  CHECK(read.texts() == std::vector<std::string_view>{"a", "", std::string_view("\0é\n", 4)});
  CHECK(read.binary.left() == 0);

  const auto two = [](std::string bytes) {
    const std::string size = std::to_string(bytes.size());
    return refusal(text(R"("shape":[2],"parameters":{"binary_data_size":)" + size + "}"), std::move(bytes));
  };
  const std::string cut = "`body`: its binary data ends within element 1 of 2";
  const std::string whole = "\1\0\0\0a\2\0\0\0bc"s;
  CHECK(two(whole) == "taken");
  for (std::size_t size = 5; size < whole.size(); ++size)
    CHECK(two(whole.substr(0, size)) == cut);
  CHECK(two("\1\0\0\0a\xff\xff\xff\xff"s) == cut);
  CHECK(two(whole + "d") == "`body`: its binary data holds more than its 2 elements");
  CHECK(two("\1\0\0\0a\1\0\0\0\xff"s) == "`body`: element 1 of its binary data is not valid UTF-8");
}

TEST_CASE("raw data is where its size says, once") {
  CHECK(refusal(text(R"("shape":[1],"data":["a"],"parameters":{"binary_data_size":4})"), std::string(4, '\0')) ==
        "`body`: it has both `data` and `binary_data_size`");
  CHECK(refusal(text(R"("shape":[1],"parameters":{"binary_data_size":5})"), std::string(4, '\0')) ==
        "there is less binary data than the inputs' `binary_data_size` say");
  CHECK(refusal(text(R"("shape":[1],"parameters":{"binary_data_size":9223372036854775807})"), "") ==
        "there is less binary data than the inputs' `binary_data_size` say");
  CHECK(refusal(text(R"("shape":[1],"parameters":{"binary_data_size":-1})"), "") ==
        "`parameters.binary_data_size`: Input should be greater than or equal to 0");
}

TEST_CASE("outputs in JSON") {
  std::string json;
  append_tensor(json, {"label", Datatype::bytes, {2}, std::vector<std::string>{"a \"b\"", "é"}});
  CHECK(json == R"({"name":"label","datatype":"BYTES","shape":[2],"data":["a \"b\"","é"]})");
  json.clear();
  append_tensor(json, {"logits", Datatype::fp32, {2, 1}, std::vector<float>{-0.1f, 16777216.0f}});
  CHECK(json == R"({"name":"logits","datatype":"FP32","shape":[2,1],"data":[-0.1,16777216.0]})");
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
