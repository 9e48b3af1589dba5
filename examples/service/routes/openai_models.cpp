#include "openai.hpp"

#include "../../common/json_text.hpp"

#include <chrono>
#include <cstdint>

namespace service {

namespace {

/// OpenAI's fields of a model; `created`: seconds since 1970.
std::string fields_of(const Context& context, std::int64_t created) {
  std::string out = "\"id\":";
  cli::append_json_string(out, context.model_name);
  return out + R"(,"object":"model","created":)" + std::to_string(created) + R"(,"owned_by":"distilbert-server")";
}

} // namespace

void add_model_list_routes(Router& router, Context& context) {
  const std::int64_t created =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();

  // OpenAI's client reads "data", KServe's "models".
  router.add("GET", "/v1/models", [&context, created](const auto&, const Respond& respond) {
    Response response;
    response.body = R"({"object":"list","data":[{)" + fields_of(context, created) + "}],\"models\":[";
    cli::append_json_string(response.body, context.model_name);
    response.body += "]}";
    respond(std::move(response));
  });

  // KServe's answer says that the model is ready, OpenAI's that it exists.
  router.add("GET", "/v1/models/{}", [&context, created](const auto& request, const Respond& respond) {
    Response response;
    if (request->arguments[0] != context.model_name) {
      response = openai_error(
          {Problem::Kind::invalid, "there is no such model here; this one is '" + context.model_name + "'"});
      response.status = 404;
    } else {
      response.body = '{' + fields_of(context, created) + ",\"name\":";
      cli::append_json_string(response.body, context.model_name);
      response.body += ",\"ready\":true}";
    }
    respond(std::move(response));
  });
}

} // namespace service
