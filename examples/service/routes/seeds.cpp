#include "routes.hpp"

#include "../../common/json_text.hpp"

#include <simdjson.h>

namespace service {

namespace {

void bulk_predict(Context& context, const std::shared_ptr<const Request>& request, const Respond& respond) {
  simdjson::dom::parser parser;
  Ask ask;
  ask.caller = request->caller;
  distilbert::EncodeOptions options;
  options.max_length = context.engine().max_length();
  for (simdjson::dom::element text : parser.parse(request->body)["text"])
    ask.texts.push_back(context.engine().tokenizer().encode(std::string_view(text), options));
  context.inference.ask(std::move(ask), [&context, respond](const Answer& answer) {
    if (answer.failure)
      return respond({500, "application/json", {}, "{\"detail\":\"" + answer.failure->message + "\"}"});
    Response response;
    response.body = "{\"predictions\":[";
    for (const auto& row : answer.rows)
      cli::append_json_array(response.body, *row);
    response.body += "]}";
    respond(std::move(response));
  });
}

} // namespace

void add_seed_routes(Router& router, Context& context) {
  router.add("GET", "/health", [](const auto&, const Respond& respond) {
    respond({200, "application/json", {}, R"({"status":"healthy"})"});
  });
  router.add("POST", "/bulk-predict",
             [&context](const std::shared_ptr<const Request>& request, const Respond& respond) {
               bulk_predict(context, request, respond);
             });
}

} // namespace service
