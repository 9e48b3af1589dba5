#include "predict.hpp"
#include "json.hpp"
#include "scores.hpp"

namespace service {

namespace {

Writer read_bulk(Call& call) {
  json::Document document(call.request.body);
  const json::Object body = document.root().object();
  std::vector<std::string_view> texts;
  body.only({"text"}, [&] { texts = body.at("text").strings(); });
  check_batch_size(texts.size(), call.context.max_bulk_texts);
  for (const std::string_view text : texts)
    call.add(text);
  return [&config = call.context.engine().config()](const Answer& answer) {
    Response response;
    response.body = "{\"predictions\":[";
    for (const auto& row : answer.rows) {
      response.body += &row == &answer.rows.front() ? "" : ",";
      append_ranking(response.body, config, scores_of(config, *row), json::Floats::as_double);
    }
    response.body += "]}";
    return response;
  };
}

} // namespace

void add_seed_routes(Router& router, Context& context) {
  router.add("GET", "/health", [](const auto&, const Respond& respond) {
    respond({200, "application/json", {}, R"({"status":"healthy"})"});
  });
  const Task task = context.engine().task();
  if (task == Task::classifier)
    router.add("POST", "/bulk-predict", model_route(context, "predict", fastapi_error, read_bulk));
  if (task != Task::embedder)
    router.add("POST", "/predict",
               model_route(context, "predict", task == Task::classifier ? fastapi_error : tei_error, read_predict));
}

} // namespace service
