#pragma once
// Tensors of the Open Inference Protocol, version 2, as they stand in requests and answers: in JSON, or behind it as
// raw bytes ("binary_tensor_data" of Triton).

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace service {

/// Why a tensor, or the request around it, cannot be taken. what() is a sentence for the client; it holds nothing of
/// the tensor's data.
struct InvalidTensor : std::runtime_error {
  using std::runtime_error::runtime_error;
};

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

/// Elements of a tensor of that shape. Throws InvalidTensor if the number does not fit.
std::size_t elements(const Shape& shape);

/// An input of a request, checked: as many values as its shape says, row-major. Texts are valid UTF-8, and lie where
/// they came from: in the request's body, or in the parser.
struct InputTensor {
  const TensorSpec* spec;
  Shape shape;
  std::variant<std::vector<std::string_view>, std::vector<std::int64_t>> values; // as spec->datatype says
};

/// The bytes behind the JSON of a request, from which tensors take theirs in their order.
class BinaryData {
public:
  explicit BinaryData(std::string_view bytes) : bytes_(bytes) {}

  /// The next so many bytes. Throws InvalidTensor if there are fewer.
  std::string_view take(std::size_t size);
  std::size_t left() const { return bytes_.size(); }

private:
  std::string_view bytes_;
};

/// Reads an element of a request's "inputs". `specs` are the inputs that the model has, and outlive the result. Data in
/// JSON may be flat or nested as the shape is. Throws InvalidTensor.
InputTensor read_tensor(simdjson::dom::element element, const std::vector<TensorSpec>& specs, BinaryData& binary);

/// A tensor of texts from its raw form: for each a length of four bytes, little-endian, then its bytes. `name` is for
/// messages. Throws InvalidTensor.
std::vector<std::string_view> split_texts(std::string_view raw, std::size_t count, const std::string& name);

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
