#include "openai.hpp"

#include "../../common/json_text.hpp"
#include "scores.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <vector>

namespace service {

namespace {

/// A name for an answer that no other has, in this process or another.
std::string new_id() {
  static const std::string prefix = [] {
    std::random_device random;
    const std::uint64_t bits = std::uint64_t{random()} << 32 | random();
    return "classify-" + std::to_string(bits) + '-';
  }();
  static std::atomic<std::uint64_t> count{0};
  return prefix + std::to_string(++count);
}

void append_classes(std::string& out, const distilbert::DistilBertConfig& config, const Row& logits, bool raw) {
  const std::vector<float> scores = raw ? logits : scores_of(config, logits);
  char separator = '[';
  for (const std::size_t label : ranking_of(scores)) {
    out += separator;
    out += "{\"score\":";
    json::append_float(out, scores[label], json::Floats::shortest);
    out += ",\"label\":";
    cli::append_json_string(out, config.id2label[label]);
    out += '}';
    separator = ',';
  }
  out += ']';
}

Writer classify(Call& call) {
  json::Document document(call.request.body);
  const json::Object request = document.root().object();
  request.only({"input", "model", "raw_scores"});
  if (const auto model = request.optional("model"))
    model->string();
  const auto raw_scores = request.optional("raw_scores");
  const bool raw = raw_scores && raw_scores->boolean();
  add_strings(request.at("input"), call);
  return [&context = call.context, raw, tokens = call.tokens()](const Answer& answer) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    Response response;
    std::string& out = response.body = R"({"object":"classify","data":[)";
    for (std::size_t i = 0; i < answer.rows.size(); ++i) {
      out += i == 0 ? "" : ",";
      append_classes(out, context.engine().config(), *answer.rows[i], raw);
    }
    out += "],";
    append_model_and_usage(out, context, tokens);
    out += ",\"id\":\"" + new_id() +
           "\",\"created\":" + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count()) + '}';
    return response;
  };
}

} // namespace

void add_classify_route(Router& router, Context& context) {
  router.add("POST", "/classify", model_route(context, "predict", openai_error, classify));
}

} // namespace service
