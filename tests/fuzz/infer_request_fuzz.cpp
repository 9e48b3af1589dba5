// Any bytes as a request of the Open Inference Protocol, with raw data behind the JSON or without: a Problem, or
// tensors that hold as many values as their shapes say, texts that are UTF-8, and outputs that the model has.

#include "../../examples/service/routes/json.cpp"
#include "../../examples/service/routes/json_syntax.cpp"
#include "../../examples/service/routes/open_inference_request.cpp"
#include "../../examples/service/routes/problem.cpp"
#include "../../examples/service/routes/tensors.cpp"
#include "../../examples/service/routes/vectors.cpp"

#include <cstdlib>
#include <functional>
#include <numeric>

namespace {

using service::Datatype;
using service::Problem;

void check(bool holds) {
  if (!holds)
    std::abort();
}

const service::ModelTensors model{{{"text", Datatype::bytes, {-1}}, {"input_ids", Datatype::int64, {-1, -1}}},
                                  {{"logits", Datatype::fp32, {-1, 2}}, {"label", Datatype::bytes, {-1}}}};

void check_input(const service::InputTensor& input) {
  check(!input.shape.empty());
  const auto count = std::accumulate(input.shape.begin(), input.shape.end(), std::size_t{1}, std::multiplies<>());
  check(std::visit([](const auto& values) { return values.size(); }, input.values) == count);
  if (const auto* texts = std::get_if<std::vector<std::string_view>>(&input.values))
    for (const std::string_view text : *texts)
      check(distilbert::find_invalid_utf8(text) == text.npos);
}

} // namespace

/// The first byte says whether the header that parts JSON and raw data is there; the second, how long the JSON is.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size < 2)
    return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string length = std::to_string(data[1] == 255 ? body.size() : data[1]);
  std::optional<service::json::Document> document;
  try {
    const auto request = service::read_infer_request(
        body, data[0] % 2 ? std::optional<std::string_view>(length) : std::nullopt, model, document);
    for (const service::InputTensor& input : request.inputs)
      check_input(input);
    check(!request.wanted.outputs.empty());
    for (const service::WantedOutput& output : request.wanted.outputs)
      check(output.spec == &model.outputs[0] || output.spec == &model.outputs[1]);
  } catch (const Problem& problem) {
    check(problem.kind == Problem::Kind::invalid || problem.kind == Problem::Kind::not_json ||
          problem.kind == Problem::Kind::unreadable);
  }
  return 0;
}
