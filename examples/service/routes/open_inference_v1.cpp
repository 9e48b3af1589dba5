#include "open_inference.hpp"

#include "../../common/json_text.hpp"
#include "json.hpp"
#include "scores.hpp"
#include "vectors.hpp"

#include <string_view>
#include <vector>

namespace service {

namespace {

void append_prediction(std::string& out, const Engine& engine, const Row& row) {
  if (engine.task() == Task::embedder) {
    const std::vector<float> vector = embedding_of(row, true);
    return append_vector(out, vector.data(), vector.size());
  }
  const std::vector<float> scores = scores_of(engine.config(), row);
  const std::size_t best = ranking_of(scores).front();
  if (engine.task() == Task::reranker)
    return json::append_float(out, scores[best], json::Floats::shortest);
  out += "{\"label\":";
  cli::append_json_string(out, engine.config().id2label[best]);
  out += ",\"score\":";
  json::append_float(out, scores[best], json::Floats::shortest);
  out += ",\"probabilities\":";
  append_vector(out, scores.data(), scores.size());
  out += '}';
}

void add_instance(const json::Value& instance, Call& call) {
  if (!instance.is_object())
    return call.add(instance.string(), {}, "instances");
  const json::Object object = instance.object();
  object.only({"text", "text_pair"}, [&] {
    const std::string_view text = object.at("text").string();
    if (const auto pair = object.optional("text_pair"))
      call.add(text, pair->string(), {}, "instances");
    else
      call.add(text, {}, "instances");
  });
}

Writer predict(Call& call) {
  json::Document document(call.request.body);
  const json::Value list = document.root().object().at("instances");
  const std::vector<json::Value> instances = list.array();
  if (instances.empty())
    throw list.problem("too_short", "List should have at least 1 item", "{\"min_length\":1}");
  check_batch_size(instances.size(), call.context.max_bulk_texts);
  for (const json::Value& instance : instances)
    add_instance(instance, call);
  return [&engine = call.context.engine()](const Answer& answer) {
    Response response;
    response.body = "{\"predictions\":";
    char separator = '[';
    for (const auto& row : answer.rows) {
      response.body += separator;
      append_prediction(response.body, engine, *row);
      separator = ',';
    }
    response.body += "]}";
    return response;
  };
}

} // namespace

void add_kserve_v1_routes(Router& router, Context& context) {
  const char* kind = context.engine().task() == Task::embedder ? "embed" : "predict";
  router.add("POST", "/v1/models/{}:predict",
             of_this_model(context, model_route(context, kind, open_inference_error, predict)));
}

} // namespace service
