#include "tensors.hpp"

#include "../../common/json_text.hpp"
#include "vectors.hpp"

#include <distilbert/text/utf8.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

namespace service {

namespace {

namespace dom = simdjson::dom;

[[noreturn]] void refuse(const json::Value& value, const std::string& why) {
  throw Problem(Problem::Kind::invalid, name_of(value.path()) + ": " + why);
}

template <class Sizes> std::string written(const Sizes& shape) {
  std::string out;
  cli::append_json_array(out, shape);
  return out;
}

const TensorSpec& spec_of(const json::Value& name, const std::vector<TensorSpec>& specs) {
  const auto spec = std::find_if(specs.begin(), specs.end(),
                                 [wanted = name.string()](const TensorSpec& input) { return input.name == wanted; });
  if (spec == specs.end())
    refuse(name, "the inputs of this model are " + names_of(specs));
  return *spec;
}

Shape shape_of(const json::Value& value, const TensorSpec& spec) {
  Shape shape;
  for (const json::Value& size : value.array())
    shape.push_back(static_cast<std::size_t>(size.integer(1, std::numeric_limits<std::int64_t>::max())));
  if (shape.size() != spec.shape.size())
    refuse(value, "the shape of '" + spec.name + "' is " + written(spec.shape));
  return shape;
}

std::size_t elements(const json::Value& tensor, const Shape& shape) {
  std::size_t count = 1;
  for (const std::size_t size : shape) {
    if (count > std::numeric_limits<std::size_t>::max() / size)
      refuse(tensor, "its shape is too large");
    count *= size;
  }
  return count;
}

/// Bytes of the tensor's raw form; none if its data is in the JSON.
std::optional<std::uint64_t> binary_size(const json::Object& tensor) {
  const auto value = tensor.optional("parameters");
  if (!value)
    return std::nullopt;
  const json::Object parameters = value->object();
  if (parameters.find("shared_memory_region"))
    refuse(*value, "shared memory is not supported");
  const auto size = parameters.find("binary_data_size");
  if (!size)
    return std::nullopt;
  return static_cast<std::uint64_t>(size->integer(0, std::numeric_limits<std::int64_t>::max()));
}

/// Takes the data of one tensor out of the JSON.
template <class Element> class DataReader {
public:
  DataReader(const json::Value& data, const Shape& shape) : data_(data), shape_(shape) {}

  std::vector<Element> read() {
    if (!data_.is_array())
      refuse(data_, "it must be an array");
    const dom::array array(data_.element());
    if (array.begin() != array.end() && (*array.begin()).is_array()) {
      read_nested(data_.element(), 0);
      return std::move(elements_);
    }
    for (const dom::element element : array)
      read_element(element);
    if (const std::size_t expected = elements(data_, shape_); elements_.size() != expected)
      refuse(data_, std::to_string(elements_.size()) + " elements where the shape " + written(shape_) + " asks for " +
                        std::to_string(expected));
    return std::move(elements_);
  }

private:
  /// No deeper than the shape, whatever the data.
  void read_nested(dom::element element, std::size_t axis) {
    if (axis == shape_.size())
      return read_element(element);
    dom::array array;
    if (element.get(array))
      refuse(data_, "it is nested in another way than the shape " + written(shape_));
    std::size_t count = 0;
    for (const dom::element inner : array) {
      read_nested(inner, axis + 1);
      ++count;
    }
    if (count != shape_[axis])
      refuse(data_, "it does not have the shape " + written(shape_));
  }

  void read_element(dom::element element) {
    Element value;
    if (element.get(value))
      refuse(data_,
             "element " + std::to_string(elements_.size()) +
                 (std::is_same_v<Element, std::int64_t> ? " is not a whole number of 64 bits" : " is not a string"));
    elements_.push_back(value);
  }

  const json::Value& data_;
  const Shape& shape_;
  std::vector<Element> elements_;
};

std::vector<std::string_view> split_texts(const json::Value& tensor, std::string_view raw, std::size_t count) {
  std::vector<std::string_view> texts;
  texts.reserve(std::min(count, raw.size() / 4));
  while (texts.size() < count) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4 && i < raw.size(); ++i)
      length |= static_cast<std::size_t>(static_cast<unsigned char>(raw[i])) << 8 * i;
    if (raw.size() < 4 || raw.size() - 4 < length)
      refuse(tensor,
             "its binary data ends within element " + std::to_string(texts.size()) + " of " + std::to_string(count));
    texts.push_back(raw.substr(4, length));
    raw.remove_prefix(4 + length);
  }
  if (!raw.empty())
    refuse(tensor, "its binary data holds more than its " + std::to_string(count) + " elements");
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (distilbert::find_invalid_utf8(texts[i]) != std::string_view::npos)
      refuse(tensor, "element " + std::to_string(i) + " of its binary data is not valid UTF-8");
  return texts;
}

std::vector<std::int64_t> split_numbers(const json::Value& tensor, std::string_view raw, std::size_t count) {
  if (raw.size() % sizeof(std::int64_t) != 0 || raw.size() / sizeof(std::int64_t) != count)
    refuse(tensor, "its binary data has " + std::to_string(raw.size()) + " bytes, which is not " +
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

std::string names_of(const std::vector<TensorSpec>& specs) {
  std::string names;
  for (const TensorSpec& spec : specs)
    names += (names.empty() ? "'" : ", '") + spec.name + "'";
  return names;
}

std::string_view BinaryData::take(std::uint64_t size) {
  if (size > bytes_.size())
    throw Problem(Problem::Kind::invalid, "there is less binary data than the inputs' `binary_data_size` say");
  const std::string_view taken = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return taken;
}

InputTensor read_tensor(const json::Value& value, const std::vector<TensorSpec>& specs, BinaryData& binary) {
  const json::Object object = value.object();
  const TensorSpec& spec = spec_of(object.at("name"), specs);
  if (const json::Value datatype = object.at("datatype"); datatype.string() != name_of(spec.datatype))
    refuse(datatype, "the datatype of '" + spec.name + "' is " + name_of(spec.datatype));
  InputTensor tensor{&spec, shape_of(object.at("shape"), spec), {}};
  const bool texts = spec.datatype == Datatype::bytes;

  const auto data = object.optional("data");
  if (const auto size = binary_size(object)) {
    if (data)
      refuse(value, "it has both `data` and `binary_data_size`");
    const std::string_view raw = binary.take(*size);
    const std::size_t count = elements(value, tensor.shape);
    if (texts)
      tensor.values = split_texts(value, raw, count);
    else
      tensor.values = split_numbers(value, raw, count);
  } else if (!data) {
    refuse(value, "it needs `data` or the parameter `binary_data_size`");
  } else if (texts) {
    tensor.values = DataReader<std::string_view>(*data, tensor.shape).read();
  } else {
    tensor.values = DataReader<std::int64_t>(*data, tensor.shape).read();
  }
  return tensor;
}

void append_tensor(std::string& json, const OutputTensor& tensor) {
  append_head(json, tensor);
  json += ",\"data\":";
  if (const auto* numbers = std::get_if<std::vector<float>>(&tensor.values)) {
    append_vector(json, numbers->data(), numbers->size());
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
