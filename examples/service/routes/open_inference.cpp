#include "open_inference.hpp"

#include "../../common/json_text.hpp"
#include "open_inference_model.hpp"
#include "open_inference_request.hpp"
#include "open_inference_stats.hpp"

#include <distilbert/version.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace service {

namespace {

/// What the routes of version 2 share.
struct Protocol {
  explicit Protocol(Context& shared) : context(shared), tensors(tensors_of(shared.engine())) {}

  Context& context;
  ModelTensors tensors;
  ModelStatistics statistics;
};

Response json_response(std::string body) { return {200, "application/json", {}, std::move(body)}; }

void append_specs(std::string& out, const std::vector<TensorSpec>& specs) {
  char separator = '[';
  for (const TensorSpec& spec : specs) {
    out += separator + std::string("{\"name\":\"") + spec.name + "\",\"datatype\":\"" + name_of(spec.datatype) +
           "\",\"shape\":";
    cli::append_json_array(out, spec.shape);
    out += '}';
    separator = ',';
  }
  out += ']';
}

std::string server_metadata() {
  return fmt::format(
      R"({{"name":"distilbert-server","version":"{}","extensions":["binary_tensor_data","classification","statistics"]}})",
      distilbert::version());
}

std::string model_metadata(const Protocol& protocol) {
  std::string out = "{\"name\":";
  cli::append_json_string(out, protocol.context.model_name);
  out += fmt::format(R"(,"versions":["{}"],"platform":"distilbert_cpp","inputs":)", model_version);
  append_specs(out, protocol.tensors.inputs);
  out += ",\"outputs\":";
  append_specs(out, protocol.tensors.outputs);
  return out + '}';
}

std::string model_list(const Context& context) {
  std::string out = "{\"models\":[";
  cli::append_json_string(out, context.model_name);
  return out + "]}";
}

std::string model_ready(const Context& context) {
  std::string out = "{\"name\":";
  cli::append_json_string(out, context.model_name);
  return out + ",\"ready\":true}";
}

Writer infer(const std::shared_ptr<Protocol>& protocol, Call& call) {
  const auto start = Clock::now();
  const auto header = std::find_if(call.request.fields.begin(), call.request.fields.end(),
                                   [](const Field& field) { return field.name == "inference-header-content-length"; });
  std::optional<std::string_view> length;
  if (header != call.request.fields.end())
    length = header->value;
  std::optional<json::Document> document;
  InferRequest request = read_infer_request(call.request.body, length, protocol->tensors, document);
  check_classification(request.wanted.outputs);
  add_texts(request.inputs, call);
  const auto input = Clock::now() - start;

  return [protocol, wanted = std::move(request.wanted), input, received = call.request.received](const Answer& answer) {
    const auto written = Clock::now();
    const Context& context = protocol->context;
    InferAnswer body = write_infer_answer(wanted, context.model_name, model_version,
                                          output_tensors(wanted.outputs, context.engine(), answer));
    Response response = json_response(std::move(body.body));
    if (body.header_length) {
      response.content_type = "application/octet-stream";
      response.fields.push_back({"Inference-Header-Content-Length", std::to_string(*body.header_length)});
    }
    const auto end = Clock::now();
    protocol->statistics.succeeded(answer, end - received, input, end - written);
    return response;
  };
}

/// Counts what fails; what succeeds has been counted when its answer was written.
Handler counted(const std::shared_ptr<Protocol>& protocol, Handler inner) {
  return [protocol, inner = std::move(inner)](std::shared_ptr<const Request> request, Respond respond) {
    const auto received = request->received;
    inner(std::move(request), [protocol, received, respond = std::move(respond)](Response response) {
      if (response.status != 200)
        protocol->statistics.failed(Clock::now() - received);
      respond(std::move(response));
    });
  };
}

} // namespace

Response open_inference_error(const Problem& problem) {
  Response response;
  response.status = usual_status(problem.kind);
  if (response.status == 413 || response.status == 422 || response.status == 424)
    response.status = 400;
  response.body = "{\"error\":";
  cli::append_json_string(response.body, problem.message);
  response.body += '}';
  return response;
}

Handler of_this_model(Context& context, Handler inner) {
  return [&context, inner = std::move(inner)](std::shared_ptr<const Request> request, Respond respond) {
    const auto error = [&](unsigned status, const std::string& message) {
      Response response = open_inference_error({Problem::Kind::internal, message});
      response.status = status;
      respond(std::move(response));
    };
    const auto& arguments = request->arguments;
    if (arguments[0] != context.model_name)
      return error(404, "there is no such model here; this one is '" + context.model_name + "'");
    if (arguments.size() > 1 && arguments[1] != model_version)
      return error(501, "there is no such version of the model, only '" + std::string(model_version) + "'");
    inner(std::move(request), std::move(respond));
  };
}

void add_open_inference_routes(Router& router, Context& context) {
  const auto protocol = std::make_shared<Protocol>(context);
  const auto get = [&](const std::string& path, std::function<std::string()> body) {
    router.add("GET", path,
               [body = std::move(body)](const auto&, const Respond& respond) { respond(json_response(body())); });
  };
  get("/v2/health/live", [] { return R"({"live":true})"; });
  router.add("GET", "/v2/health/ready", [&context](const auto&, const Respond& respond) {
    if (!context.draining)
      return respond(json_response(R"({"ready":true})"));
    respond({503, "application/json", {}, R"({"error":"Server is not ready."})"});
  });
  get("/v2", server_metadata);
  get("/v2/", server_metadata);
  get("/v2/models", [&context] { return model_list(context); });
  get("/v2/models/stats",
      [protocol] { return protocol->statistics.json(protocol->context.model_name, model_version); });

  for (const std::string path : {"/v2/models/{}", "/v2/models/{}/versions/{}"}) {
    const auto get_model = [&](const char* rest, std::function<std::string()> body) {
      router.add("GET", path + rest,
                 of_this_model(context, [body = std::move(body)](const auto&, const Respond& respond) {
                   respond(json_response(body()));
                 }));
    };
    get_model("", [protocol] { return model_metadata(*protocol); });
    get_model("/ready", [&context] { return model_ready(context); });
    get_model("/stats", [protocol] { return protocol->statistics.json(protocol->context.model_name, model_version); });
    const char* kind = context.engine().task() == Task::embedder ? "embed" : "predict";
    router.add(
        "POST", path + "/infer",
        of_this_model(context, counted(protocol, model_route(
                                                     context, kind, open_inference_error,
                                                     [protocol](Call& call) { return infer(protocol, call); }, true))));
  }
  add_kserve_v1_routes(router, context);
}

} // namespace service
