#pragma once
// The body of an inference request of the Open Inference Protocol, version 2, and of the answer to it.

#include "tensors.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace service {

/// What a request wants of one output.
struct WantedOutput {
  const TensorSpec* spec;
  bool binary = false;
  std::size_t classes = 0; // of the classification extension: so many "value:index:label"; 0: the tensor itself
};

/// What the answer to a request must hold; refers to nothing of it.
struct WantedAnswer {
  std::optional<std::string> id;
  std::vector<WantedOutput> outputs; // all that the model has, if the request names none
};

struct InferRequest {
  std::vector<InputTensor> inputs; // no name twice
  WantedAnswer wanted;
};

/// What of a model a request may name. Outlives the requests.
struct ModelTensors {
  std::vector<TensorSpec> inputs, outputs;
};

/// Reads a request. `header_length` is the value of Inference-Header-Content-Length, if there is one: the bytes of the
/// JSON at the front of the body, behind which lies raw data; 0 makes the whole body the only element of the model's
/// first input, as it is, and all outputs binary. The inputs refer to `body` and to `document`, which
/// it fills. Throws Problem.
InferRequest read_infer_request(std::string_view body, std::optional<std::string_view> header_length,
                                const ModelTensors& model, std::optional<json::Document>& document);

/// A body, and the bytes of JSON at its front if there is raw data behind.
struct InferAnswer {
  std::string body;
  std::optional<std::size_t> header_length;
};

/// Writes the answer; outputs[i] is what wanted.outputs[i] asks for.
InferAnswer write_infer_answer(const WantedAnswer& wanted, const std::string& model_name,
                               const std::string& model_version, const std::vector<OutputTensor>& outputs);

} // namespace service
