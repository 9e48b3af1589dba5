#include "tensors.hpp"

#include "../../common/json_text.hpp"

#include <distilbert/text/utf8.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

namespace service {

namespace {

namespace dom = simdjson::dom;

[[noreturn]] void refuse(const std::string& input, const std::string& why) {
  throw InvalidTensor("input '" + input + "': " + why);
}

std::string written(const Shape& shape) {
  std::string out;
  cli::append_json_array(out, shape);
  return out;
}

std::string written(const std::vector<std::int64_t>& shape) {
  std::string out;
  cli::append_json_array(out, shape);
  return out;
}

const TensorSpec& spec_of(const dom::object& tensor, const std::vector<TensorSpec>& specs) {
  std::string_view name;
  if (tensor["name"].get(name))
    throw InvalidTensor("every input needs a 'name', a string");
  for (const TensorSpec& spec : specs)
    if (spec.name == name)
      return spec;
  std::string names;
  for (const TensorSpec& spec : specs)
    names += (names.empty() ? "'" : ", '") + spec.name + "'";
  throw InvalidTensor("an input has a name that this model does not know; it knows " + names);
}

void check_datatype(const dom::object& tensor, const TensorSpec& spec) {
  std::string_view datatype;
  if (tensor["datatype"].get(datatype))
    refuse(spec.name, "it needs a 'datatype', a string");
  if (datatype != name_of(spec.datatype))
    refuse(spec.name, std::string("its datatype must be ") + name_of(spec.datatype));
}

Shape shape_of(const dom::object& tensor, const TensorSpec& spec) {
  dom::array sizes;
  if (tensor["shape"].get(sizes))
    refuse(spec.name, "it needs a 'shape', an array of whole numbers");
  Shape shape;
  for (const dom::element size : sizes) {
    std::uint64_t value = 0;
    if (size.get(value) || value == 0)
      refuse(spec.name, "the sizes in its shape must be whole numbers from 1 on");
    if (shape.size() == spec.shape.size())
      refuse(spec.name, "its shape must have " + std::to_string(spec.shape.size()) + " sizes: " + written(spec.shape));
    shape.push_back(value);
  }
  if (shape.size() != spec.shape.size())
    refuse(spec.name, "its shape must have " + std::to_string(spec.shape.size()) + " sizes: " + written(spec.shape));
  return shape;
}

/// Bytes of the tensor's raw form; none if its data is in the JSON.
std::optional<std::size_t> binary_size(const dom::object& tensor, const TensorSpec& spec) {
  dom::element parameters;
  if (tensor["parameters"].get(parameters) || parameters.is_null())
    return std::nullopt;
  if (!parameters.is_object())
    refuse(spec.name, "its 'parameters' must be an object");
  dom::element size;
  if (!parameters["shared_memory_region"].get(size))
    refuse(spec.name, "shared memory is not supported");
  if (parameters["binary_data_size"].get(size))
    return std::nullopt;
  std::uint64_t value = 0;
  if (size.get(value))
    refuse(spec.name, "'binary_data_size' must be a whole number");
  return value;
}

void read_value(dom::element element, const std::string& name, std::vector<std::string_view>& values) {
  std::string_view text;
  if (element.get(text))
    refuse(name, "element " + std::to_string(values.size()) + " of its data is not a string");
  values.push_back(text);
}

void read_value(dom::element element, const std::string& name, std::vector<std::int64_t>& values) {
  std::int64_t number = 0;
  if (element.get(number))
    refuse(name, "element " + std::to_string(values.size()) + " of its data is not a whole number of 64 bits");
  values.push_back(number);
}

/// Reads arrays nested as the sizes from `axis` on say. No deeper than the shape, whatever the data.
template <class Value>
void read_nested(dom::element element, const InputTensor& tensor, std::size_t axis, std::vector<Value>& values) {
  if (axis == tensor.shape.size())
    return read_value(element, tensor.spec->name, values);
  dom::array array;
  if (element.get(array))
    refuse(tensor.spec->name, "its data is nested in another way than its shape " + written(tensor.shape));
  std::size_t count = 0;
  for (const dom::element inner : array) {
    read_nested(inner, tensor, axis + 1, values);
    ++count;
  }
  if (count != tensor.shape[axis])
    refuse(tensor.spec->name, "its data does not have the shape " + written(tensor.shape));
}

template <class Value> std::vector<Value> read_json(dom::element data, const InputTensor& tensor) {
  dom::array array;
  if (data.get(array))
    refuse(tensor.spec->name, "its data must be an array");
  std::vector<Value> values;
  if (array.begin() != array.end() && (*array.begin()).is_array()) {
    read_nested(data, tensor, 0, values);
    return values;
  }
  for (const dom::element element : array)
    read_value(element, tensor.spec->name, values);
  if (const std::size_t expected = elements(tensor.shape); values.size() != expected)
    refuse(tensor.spec->name, "its data has " + std::to_string(values.size()) + " elements where its shape " +
                                  written(tensor.shape) + " asks for " + std::to_string(expected));
  return values;
}

std::vector<std::int64_t> read_numbers(std::string_view raw, const InputTensor& tensor) {
  const std::size_t count = elements(tensor.shape);
  if (raw.size() % sizeof(std::int64_t) != 0 || raw.size() / sizeof(std::int64_t) != count)
    refuse(tensor.spec->name, "its binary data has " + std::to_string(raw.size()) + " bytes, which is not " +
                                  std::to_string(count) + " numbers of 8 bytes");
  std::vector<std::int64_t> values(count);
  std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

void append_length(std::string& out, std::size_t size) {
  for (int shift = 0; shift < 32; shift += 8)
    out += static_cast<char>(size >> shift & 0xff);
}

std::string raw(const OutputTensor& tensor) {
  std::string out;
  if (const auto* texts = std::get_if<std::vector<std::string>>(&tensor.values)) {
    for (const std::string& text : *texts) {
      append_length(out, text.size());
      out += text;
    }
  } else {
    const auto& numbers = std::get<std::vector<float>>(tensor.values);
    out.resize(numbers.size() * sizeof(float));
    std::memcpy(out.data(), numbers.data(), out.size());
  }
  return out;
}

void append_head(std::string& json, const OutputTensor& tensor) {
  json += "{\"name\":";
  cli::append_json_string(json, tensor.name);
  json += std::string(",\"datatype\":\"") + name_of(tensor.datatype) + "\",\"shape\":";
  cli::append_json_array(json, tensor.shape);
}

} // namespace

const char* name_of(Datatype datatype) {
  switch (datatype) {
  case Datatype::bytes: return "BYTES";
  case Datatype::int64: return "INT64";
  case Datatype::fp32: return "FP32";
  }
  return "";
}

std::size_t elements(const Shape& shape) {
  std::size_t count = 1;
  for (const std::size_t size : shape) {
    if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size)
      throw InvalidTensor("a shape is too large");
    count *= size;
  }
  return count;
}

std::string_view BinaryData::take(std::size_t size) {
  if (size > bytes_.size())
    throw InvalidTensor("the request has fewer bytes of binary data than its inputs' 'binary_data_size' say");
  const std::string_view taken = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return taken;
}

std::vector<std::string_view> split_texts(std::string_view raw, std::size_t count, const std::string& name) {
  std::vector<std::string_view> texts;
  texts.reserve(std::min(count, raw.size() / 4));
  while (texts.size() < count) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4 && i < raw.size(); ++i)
      length |= static_cast<std::size_t>(static_cast<unsigned char>(raw[i])) << 8 * i;
    if (raw.size() < 4 || raw.size() - 4 < length)
      refuse(name,
             "its binary data ends within element " + std::to_string(texts.size()) + " of " + std::to_string(count));
    texts.push_back(raw.substr(4, length));
    raw.remove_prefix(4 + length);
  }
  if (!raw.empty())
    refuse(name, "its binary data holds more than its " + std::to_string(count) + " elements");
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (distilbert::find_invalid_utf8(texts[i]) != std::string_view::npos)
      refuse(name, "element " + std::to_string(i) + " is not valid UTF-8");
  return texts;
}

InputTensor read_tensor(dom::element element, const std::vector<TensorSpec>& specs, BinaryData& binary) {
  dom::object object;
  if (element.get(object))
    throw InvalidTensor("every input must be an object");
  const TensorSpec& spec = spec_of(object, specs);
  check_datatype(object, spec);
  InputTensor tensor{&spec, shape_of(object, spec), {}};
  const bool texts = spec.datatype == Datatype::bytes;

  const std::optional<std::size_t> size = binary_size(object, spec);
  dom::element data;
  const bool in_json = !object["data"].get(data);
  if (size && in_json)
    refuse(spec.name, "it has both 'data' and 'binary_data_size'");
  if (size) {
    const std::string_view raw = binary.take(*size);
    if (texts)
      tensor.values = split_texts(raw, elements(tensor.shape), spec.name);
    else
      tensor.values = read_numbers(raw, tensor);
    return tensor;
  }
  if (!in_json)
    refuse(spec.name, "it needs 'data' or the parameter 'binary_data_size'");
  if (texts)
    tensor.values = read_json<std::string_view>(data, tensor);
  else
    tensor.values = read_json<std::int64_t>(data, tensor);
  return tensor;
}

void append_tensor(std::string& json, const OutputTensor& tensor) {
  append_head(json, tensor);
  json += ",\"data\":";
  if (const auto* numbers = std::get_if<std::vector<float>>(&tensor.values)) {
    cli::append_json_array(json, *numbers);
  } else {
    char separator = '[';
    for (const std::string& text : std::get<std::vector<std::string>>(tensor.values)) {
      json += separator;
      cli::append_json_string(json, text);
      separator = ',';
    }
    json += separator == '[' ? "[]" : "]";
  }
  json += '}';
}

void append_tensor(std::string& json, std::string& binary, const OutputTensor& tensor) {
  const std::string bytes = raw(tensor);
  append_head(json, tensor);
  json += ",\"parameters\":{\"binary_data_size\":" + std::to_string(bytes.size()) + "}}";
  binary += bytes;
}

} // namespace service
