#include "open_inference_request.hpp"

#include "../../common/json_text.hpp"

#include <distilbert/text/utf8.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

namespace service {

namespace {

[[noreturn]] void refuse(const std::string& why) { throw Problem(Problem::Kind::invalid, why); }

/// A parameter of the request or of an output; nothing if it is missing or null.
std::optional<json::Value> parameter(const json::Object& object, const char* key) {
  const auto parameters = object.optional("parameters");
  return parameters ? parameters->object().optional(key) : std::nullopt;
}

bool flag(const json::Object& object, const char* key, bool otherwise) {
  const auto value = parameter(object, key);
  return value ? value->boolean() : otherwise;
}

std::size_t json_length(std::optional<std::string_view> header, std::string_view body) {
  if (!header)
    return body.size();
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(header->data(), header->data() + header->size(), length);
  if (error != std::errc() || end != header->data() + header->size())
    refuse("Inference-Header-Content-Length must be a whole number");
  if (length > body.size())
    refuse("Inference-Header-Content-Length exceeds the body's " + std::to_string(body.size()) + " bytes");
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
    refuse("input '" + spec.name + "': the body is not valid UTF-8");
  InferRequest request;
  request.inputs.push_back({&spec, {1}, std::vector<std::string_view>{body}});
  request.wanted.outputs = all_outputs(model, true);
  return request;
}

WantedOutput wanted_output(const json::Value& value, const ModelTensors& model, bool binary) {
  const json::Object object = value.object();
  const std::string_view name = object.at("name").string();
  const auto spec = std::find_if(model.outputs.begin(), model.outputs.end(),
                                 [name](const TensorSpec& output) { return output.name == name; });
  if (spec == model.outputs.end())
    refuse(name_of(value.path()) + ": the outputs of this model are " + names_of(model.outputs));
  if (parameter(object, "shared_memory_region"))
    refuse(name_of(value.path()) + ": shared memory is not supported");
  WantedOutput wanted{&*spec, flag(object, "binary_data", binary)};
  if (const auto classes = parameter(object, "classification"))
    wanted.classes = static_cast<std::size_t>(classes->integer(0, std::numeric_limits<std::int64_t>::max()));
  return wanted;
}

std::vector<WantedOutput> wanted_outputs(const json::Object& object, const ModelTensors& model) {
  const bool binary = flag(object, "binary_data_output", false);
  std::vector<WantedOutput> outputs;
  if (const auto wanted = object.optional("outputs"))
    for (const json::Value& value : wanted->array()) {
      outputs.push_back(wanted_output(value, model, binary));
      if (std::any_of(outputs.begin(), outputs.end() - 1,
                      [&](const WantedOutput& other) { return other.spec == outputs.back().spec; }))
        refuse("output '" + outputs.back().spec->name + "' is wanted twice");
    }
  return outputs.empty() ? all_outputs(model, binary) : outputs;
}

std::vector<InputTensor> read_inputs(const json::Value& inputs, const ModelTensors& model, BinaryData& binary) {
  std::vector<InputTensor> tensors;
  for (const json::Value& value : inputs.array()) {
    tensors.push_back(read_tensor(value, model.inputs, binary));
    if (std::any_of(tensors.begin(), tensors.end() - 1,
                    [&](const InputTensor& other) { return other.spec == tensors.back().spec; }))
      refuse("input '" + tensors.back().spec->name + "' is given twice");
  }
  return tensors;
}

} // namespace

InferRequest read_infer_request(std::string_view body, std::optional<std::string_view> header_length,
                                const ModelTensors& model, std::optional<json::Document>& document) {
  const std::size_t length = json_length(header_length, body);
  if (header_length && length == 0)
    return raw_request(body, model);

  const json::Object object = document.emplace(body.substr(0, length)).root().object();
  InferRequest request;
  if (const auto id = object.optional("id"))
    request.wanted.id = std::string(id->string());
  BinaryData data(body.substr(length));
  request.inputs = read_inputs(object.at("inputs"), model, data);
  if (data.left() != 0)
    refuse("there are " + std::to_string(data.left()) +
           " bytes of binary data more than the inputs' `binary_data_size` say");
  request.wanted.outputs = wanted_outputs(object, model);
  return request;
}

InferAnswer write_infer_answer(const WantedAnswer& wanted, const std::string& model_name,
                               const std::string& model_version, const std::vector<OutputTensor>& outputs) {
  InferAnswer answer;
  std::string binary;
  bool any_binary = false;
  answer.body = "{\"model_name\":";
  cli::append_json_string(answer.body, model_name);
  answer.body += ",\"model_version\":";
  cli::append_json_string(answer.body, model_version);
  if (wanted.id) {
    answer.body += ",\"id\":";
    cli::append_json_string(answer.body, *wanted.id);
  }
  answer.body += ",\"outputs\":";
  char separator = '[';
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    answer.body += separator;
    separator = ',';
    if (wanted.outputs[i].binary)
      append_tensor(answer.body, binary, outputs[i]);
    else
      append_tensor(answer.body, outputs[i]);
    any_binary = any_binary || wanted.outputs[i].binary;
  }
  answer.body += "]}";
  if (any_binary)
    answer.header_length = answer.body.size();
  answer.body += binary;
  return answer;
}

} // namespace service
