#include "tei.hpp"

#include "predict.hpp"

#include "../../common/json_text.hpp"

#include <distilbert/version.hpp>

namespace service {

namespace tei {

namespace {

constexpr std::size_t characters_per_token = 250;

const char* dtype_of(distilbert::Precision precision) {
  switch (precision) {
  case distilbert::Precision::fp32: return "float32";
  case distilbert::Precision::bf16: return "bfloat16";
  case distilbert::Precision::int8: break;
  }
  return "int8";
}

/// {"id2label":{"0":"NEGATIVE",...},"label2id":{"NEGATIVE":0,...}}
std::string labels_json(const std::vector<std::string>& labels) {
  std::string by_id, by_label;
  for (std::size_t id = 0; id < labels.size(); ++id) {
    by_id += (id == 0 ? "\"" : ",\"") + std::to_string(id) + "\":";
    cli::append_json_string(by_id, labels[id]);
    by_label += id == 0 ? "" : ",";
    cli::append_json_string(by_label, labels[id]);
    by_label += ':' + std::to_string(id);
  }
  return "{\"id2label\":{" + by_id + "},\"label2id\":{" + by_label + "}}";
}

std::string model_type_json(const Engine& engine) {
  switch (engine.task()) {
  case Task::classifier: return "{\"classifier\":" + labels_json(engine.config().id2label) + '}';
  case Task::reranker: return "{\"reranker\":" + labels_json(engine.config().id2label) + '}';
  case Task::embedder: break;
  }
  return "{\"embedding\":{\"pooling\":\"" + std::string(engine.pooling()) + "\"}}";
}

} // namespace

Fit read_fit(const json::Object& body) {
  Fit fit;
  fit.truncate = read_flag(body, "truncate", true);
  if (const auto direction = body.optional("truncation_direction")) {
    const std::string_view name = direction->string();
    if (name == "Left" || name == "left")
      fit.side = distilbert::Side::left;
    else if (name != "Right" && name != "right")
      throw direction->problem("enum", "Input should be 'Left' or 'Right'", R"({"expected":"'Left' or 'Right'"})");
  }
  if (body.optional("prompt_name"))
    throw Problem(Problem::Kind::invalid, "`prompt_name` is set but the model has no prompts");
  return fit;
}

bool read_flag(const json::Object& body, std::string_view key, bool fallback) {
  const auto flag = body.optional(key);
  return flag ? flag->boolean() : fallback;
}

void check_characters(const Context& context, std::string_view text) {
  const std::size_t limit = context.engine().max_length() * characters_per_token, given = code_points_of(text);
  if (given > limit)
    throw Problem(Problem::Kind::invalid, "`inputs` must have less than " + std::to_string(limit) +
                                              " characters. Given: " + std::to_string(given));
}

Problem nothing_in(std::string_view name) {
  return {Problem::Kind::empty, '`' + std::string(name) + "` cannot be empty"};
}

void add_text(Call& call, std::string_view text, const Fit& fit) {
  if (text.empty())
    throw nothing_in("inputs");
  if (!fit.truncate)
    check_characters(call.context, text);
  call.add(text, fit);
}

void add_pair(Call& call, std::string_view first, std::string_view second, const Fit& fit) {
  if (first.empty() && second.empty())
    throw nothing_in("inputs");
  if (!fit.truncate) {
    check_characters(call.context, first);
    check_characters(call.context, second);
  }
  call.add(first, second, fit);
}

Response info(const Context& context) {
  const Engine& engine = context.engine();
  std::string body = "{\"model_id\":";
  cli::append_json_string(body, context.model_name);
  body += ",\"model_sha\":";
  const std::string fingerprint = engine.fingerprint();
  if (fingerprint.empty())
    body += "null";
  else
    cli::append_json_string(body, fingerprint);
  body += ",\"model_dtype\":\"" + std::string(dtype_of(engine.precision())) + "\",\"served_model_name\":";
  cli::append_json_string(body, context.model_name);
  body += ",\"model_type\":" + model_type_json(engine);
  body += ",\"max_concurrent_requests\":" + std::to_string(context.max_concurrent_requests);
  body += ",\"max_input_length\":" + std::to_string(engine.max_length());
  body += ",\"max_batch_tokens\":" + std::to_string(context.max_batch_tokens);
  body += ",\"max_batch_requests\":null,\"max_client_batch_size\":" + std::to_string(context.max_client_batch_size);
  body += ",\"auto_truncate\":true,\"tokenization_workers\":1,\"version\":\"" + std::string(distilbert::version());
  return {200, "application/json", {}, body + "\",\"sha\":null,\"docker_label\":null}"};
}

} // namespace tei

void add_tei_routes(Router& router, Context& context) {
  router.add("GET", "/info", plain_route(tei_error, [&context](const Request&) { return tei::info(context); }));
  router.add("GET", "/ping", plain_route(tei_error, [](const Request&) { return Response{200, "", {}, ""}; }));
  router.add("POST", "/tokenize", counted_route(context, tei_error, [&context](const Request& request) {
               return tei::tokenize(context, request);
             }));
  router.add("POST", "/decode", counted_route(context, tei_error, [&context](const Request& request) {
               return tei::decode(context, request);
             }));

  const auto add = [&](const char* path, const char* kind, const Reader& reader) {
    router.add("POST", path, model_route(context, kind, tei_error, reader));
  };
  const auto add_main = [&](const char* kind, const Reader& reader) {
    add("/", kind, reader);
    add("/invocations", kind, reader); // Amazon SageMaker's
  };
  const auto add_foreign = [&](std::initializer_list<const char*> paths, const char* kind, const char* message) {
    for (const char* path : paths)
      router.add("POST", path,
                 model_route(context, kind, tei_error,
                             [message](Call&) -> Writer { throw Problem(Problem::Kind::model_type, message); }),
                 false);
  };
  const Task task = context.engine().task();
  if (task != Task::reranker)
    add_foreign({"/rerank"}, "predict", "model is not a re-ranker model");
  if (task != Task::embedder)
    add_foreign({"/embed", "/embed_all", "/similarity"}, "embed", "Model is not an embedding model");
  switch (task) {
  case Task::classifier: add_main("predict", read_predict); break;
  case Task::reranker:
    add("/rerank", "predict", tei::read_rerank);
    add_main("predict", tei::read_rerank);
    break;
  case Task::embedder:
    add_foreign({"/predict"}, "predict", "Model is not a classifier model");
    add("/embed", "embed", tei::read_embed);
    add("/embed_all", "embed", tei::read_embed_all);
    add("/similarity", "embed", tei::read_similarity);
    add_main("embed", tei::read_embed);
    break;
  }
}

} // namespace service
