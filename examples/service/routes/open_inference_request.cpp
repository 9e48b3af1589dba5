#include "open_inference_request.hpp"

#include "../../common/json_text.hpp"

#include <distilbert/text/utf8.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace service {

namespace {

namespace dom = simdjson::dom;

/// The value of a key; nothing if it is missing or null.
std::optional<dom::element> field(const dom::object& object, const char* key) {
  dom::element value;
  if (object[key].get(value) || value.is_null())
    return std::nullopt;
  return value;
}

/// A parameter of the request or of an output; nothing if it is missing or null.
std::optional<dom::element> parameter(const dom::object& object, const char* key) {
  const auto value = field(object, "parameters");
  dom::object parameters;
  if (!value)
    return std::nullopt;
  if (value->get(parameters))
    throw InvalidTensor("'parameters' must be an object");
  return field(parameters, key);
}

bool flag(const dom::object& object, const char* key, bool otherwise) {
  bool value = otherwise;
  if (const auto found = parameter(object, key); found && found->get(value))
    throw InvalidTensor(std::string("'") + key + "' must be true or false");
  return value;
}

std::size_t json_length(std::optional<std::string_view> header, std::string_view body) {
  if (!header)
    return body.size();
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(header->data(), header->data() + header->size(), length);
  if (error != std::errc() || end != header->data() + header->size())
    throw InvalidTensor("Inference-Header-Content-Length must be a whole number");
  if (length > body.size())
    throw InvalidTensor("Inference-Header-Content-Length exceeds the body's " + std::to_string(body.size()) + " bytes");
  return length;
}

std::vector<WantedOutput> all_outputs(const ModelTensors& model, bool binary) {
  std::vector<WantedOutput> outputs;
  for (const TensorSpec& spec : model.outputs)
    outputs.push_back({&spec, binary});
  return outputs;
}

/// A body that is a text, nothing else.
InferRequest raw_request(std::string_view body, const ModelTensors& model) {
  const TensorSpec& spec = model.inputs.front();
  if (distilbert::find_invalid_utf8(body) != std::string_view::npos)
    throw InvalidTensor("input '" + spec.name + "': the body is not valid UTF-8");
  InferRequest request;
  request.inputs.push_back({&spec, {1}, std::vector<std::string_view>{body}});
  request.outputs = all_outputs(model, true);
  return request;
}

WantedOutput wanted_output(dom::element element, const ModelTensors& model, bool binary) {
  dom::object object;
  std::string_view name;
  if (element.get(object) || object["name"].get(name))
    throw InvalidTensor("every wanted output must be an object with a 'name', a string");
  const auto spec = std::find_if(model.outputs.begin(), model.outputs.end(),
                                 [name](const TensorSpec& output) { return output.name == name; });
  if (spec == model.outputs.end()) {
    std::string names;
    for (const TensorSpec& output : model.outputs)
      names += (names.empty() ? "'" : ", '") + output.name + "'";
    throw InvalidTensor("an output has a name that this model does not know; it knows " + names);
  }
  if (parameter(object, "shared_memory_region"))
    throw InvalidTensor("output '" + spec->name + "': shared memory is not supported");
  WantedOutput wanted{&*spec, flag(object, "binary_data", binary)};
  if (const auto classes = parameter(object, "classification")) {
    std::uint64_t count = 0;
    if (classes->get(count))
      throw InvalidTensor("output '" + spec->name + "': 'classification' must be a whole number");
    wanted.classes = count;
  }
  return wanted;
}

std::vector<WantedOutput> wanted_outputs(dom::element element, const ModelTensors& model, bool binary) {
  dom::array array;
  if (element.get(array))
    throw InvalidTensor("'outputs' must be an array");
  std::vector<WantedOutput> outputs;
  for (const dom::element output : array) {
    const WantedOutput wanted = wanted_output(output, model, binary);
    for (const WantedOutput& other : outputs)
      if (other.spec == wanted.spec)
        throw InvalidTensor("output '" + wanted.spec->name + "' is wanted twice");
    outputs.push_back(wanted);
  }
  return outputs.empty() ? all_outputs(model, binary) : outputs;
}

std::vector<InputTensor> read_inputs(const dom::object& object, const ModelTensors& model, BinaryData& binary) {
  dom::array array;
  if (object["inputs"].get(array))
    throw InvalidTensor("the request needs 'inputs', an array of tensors");
  std::vector<InputTensor> inputs;
  for (const dom::element element : array) {
    InputTensor input = read_tensor(element, model.inputs, binary);
    for (const InputTensor& other : inputs)
      if (other.spec == input.spec)
        throw InvalidTensor("input '" + input.spec->name + "' is given twice");
    inputs.push_back(std::move(input));
  }
  return inputs;
}

} // namespace

InferRequest read_infer_request(std::string_view body, std::optional<std::string_view> header_length,
                                const ModelTensors& model, dom::parser& parser) {
  const std::size_t length = json_length(header_length, body);
  if (header_length && length == 0)
    return raw_request(body, model);

  dom::object object;
  if (const auto error = parser.parse(body.data(), length).get(object))
    throw InvalidTensor(error == simdjson::INCORRECT_TYPE
                            ? std::string("the request must be an object")
                            : std::string("the request is not valid JSON: ") + simdjson::error_message(error));
  InferRequest request;
  if (const auto id = field(object, "id")) {
    std::string_view text;
    if (id->get(text))
      throw InvalidTensor("'id' must be a string");
    request.id = std::string(text);
  }
  const bool binary = flag(object, "binary_data_output", false);
  BinaryData data(body.substr(length));
  request.inputs = read_inputs(object, model, data);
  if (data.left() != 0)
    throw InvalidTensor("the request has " + std::to_string(data.left()) +
                        " bytes of binary data more than its inputs' 'binary_data_size' say");
  const auto outputs = field(object, "outputs");
  request.outputs = outputs ? wanted_outputs(*outputs, model, binary) : all_outputs(model, binary);
  return request;
}

InferAnswer write_infer_answer(const InferRequest& request, const std::string& model_name,
                               const std::string& model_version, const std::vector<OutputTensor>& outputs) {
  InferAnswer answer;
  std::string binary;
  bool any_binary = false;
  answer.body = "{\"model_name\":";
  cli::append_json_string(answer.body, model_name);
  answer.body += ",\"model_version\":";
  cli::append_json_string(answer.body, model_version);
  if (request.id) {
    answer.body += ",\"id\":";
    cli::append_json_string(answer.body, *request.id);
  }
  answer.body += ",\"outputs\":";
  char separator = '[';
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    answer.body += separator;
    separator = ',';
    if (request.outputs[i].binary)
      append_tensor(answer.body, binary, outputs[i]);
    else
      append_tensor(answer.body, outputs[i]);
    any_binary = any_binary || request.outputs[i].binary;
  }
  answer.body += "]}";
  if (any_binary)
    answer.header_length = answer.body.size();
  answer.body += binary;
  return answer;
}

} // namespace service
