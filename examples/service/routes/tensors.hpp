#pragma once
// Tensors of the Open Inference Protocol, version 2, as they stand in requests and answers: in JSON, or behind it as
// raw bytes ("binary_tensor_data" of Triton).

#include "json.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace service {

/// The types that models of this service read and write.
enum class Datatype { bytes, int64, fp32 };

/// The protocol's name: "BYTES", "INT64", "FP32".
const char* name_of(Datatype datatype);

/// An input or output that a model has.
struct TensorSpec {
  std::string name;
  Datatype datatype;
  std::vector<std::int64_t> shape; // -1: any size from 1 on
};

using Shape = std::vector<std::size_t>;

/// An input of a request, checked: as many values as its shape says, row-major. Texts are valid UTF-8, and lie where
/// they came from: in the request's body, or in the JSON document.
struct InputTensor {
  const TensorSpec* spec;
  Shape shape;
  std::variant<std::vector<std::string_view>, std::vector<std::int64_t>> values; // as spec->datatype says
};

/// The bytes behind the JSON of a request, from which tensors take theirs in their order.
class BinaryData {
public:
  explicit BinaryData(std::string_view bytes) : bytes_(bytes) {}

  /// The next so many bytes. Throws Problem if there are fewer.
  std::string_view take(std::uint64_t size);
  std::size_t left() const { return bytes_.size(); }

private:
  std::string_view bytes_;
};

/// Reads an item of a request's "inputs". `specs` are the inputs that the model has, and outlive the result. Data in
/// JSON may be flat or nested as the shape is. Throws Problem, whose message holds nothing of the data.
InputTensor read_tensor(const json::Value& value, const std::vector<TensorSpec>& specs, BinaryData& binary);

/// "'text', 'input_ids'": the names, for messages.
std::string names_of(const std::vector<TensorSpec>& specs);

/// An output of an answer, row-major.
struct OutputTensor {
  std::string name;
  Datatype datatype;
  Shape shape;
  std::variant<std::vector<std::string>, std::vector<float>> values; // as datatype says
};

/// Appends the output as an element of an answer's "outputs", its data within.
void append_tensor(std::string& json, const OutputTensor& tensor);

/// The same, its data raw and appended to `binary`.
void append_tensor(std::string& json, std::string& binary, const OutputTensor& tensor);

} // namespace service
