#include "tei.hpp"

#include "scores.hpp"

#include "../../common/json_text.hpp"

#include <utility>

namespace service::tei {

namespace {

void add_sequence(Call& call, const json::Value& value, const Fit& fit) {
  const auto texts = value.strings();
  if (texts.size() == 1)
    add_text(call, texts[0], fit);
  else if (texts.size() == 2)
    add_pair(call, texts[0], texts[1], fit);
  else
    throw value.problem("too_long", "Input should be a list of one text or of two that make a pair");
}

std::vector<float> results_of(const Context& context, const Row& logits, bool raw_scores) {
  return raw_scores ? logits : scores_of(context.engine().config(), logits);
}

} // namespace

Writer read_predict(Call& call, const json::Object& body) {
  call.style = tei_error;
  const Fit fit = read_fit(body);
  const bool raw_scores = read_flag(body, "raw_scores", false);
  const json::Value inputs = body.at("inputs");
  bool batch = false;
  if (inputs.is_string()) {
    add_text(call, inputs.string(), fit);
  } else {
    const auto items = inputs.array();
    batch = !items.empty() && !items.front().is_string();
    if (!batch)
      add_sequence(call, inputs, fit);
    else
      check_batch_size(items.size(), call.context.max_client_batch_size);
    for (std::size_t i = 0; batch && i < items.size(); ++i)
      add_sequence(call, items[i], fit);
  }
  return [raw_scores, batch, &context = call.context](const Answer& answer) {
    Response response;
    for (const auto& row : answer.rows) {
      if (batch)
        response.body += response.body.empty() ? '[' : ',';
      append_ranking(response.body, context.engine().config(), results_of(context, *row, raw_scores),
                     json::Floats::shortest);
    }
    if (batch)
      response.body += ']';
    return response;
  };
}

Writer read_rerank(Call& call) {
  json::Document document(call.request.body);
  const json::Object body = document.root().object();
  const Fit fit = read_fit(body);
  const bool raw_scores = read_flag(body, "raw_scores", false), return_text = read_flag(body, "return_text", false);
  const std::string_view query = body.at("query").string();
  const auto texts = body.at("texts").strings();
  if (texts.empty())
    throw nothing_in("texts");
  check_batch_size(texts.size(), call.context.max_client_batch_size);
  for (const std::string_view text : texts)
    add_pair(call, query, text, fit);
  std::vector<std::string> kept;
  if (return_text)
    kept.assign(texts.begin(), texts.end());
  return [raw_scores, kept = std::move(kept), &context = call.context](const Answer& answer) {
    std::vector<float> scores;
    for (const auto& row : answer.rows)
      scores.push_back(results_of(context, *row, raw_scores).front());
    Response response;
    for (const std::size_t index : ranking_of(scores)) {
      response.body += response.body.empty() ? "[{\"index\":" : ",{\"index\":";
      cli::append_number(response.body, index);
      if (!kept.empty()) {
        response.body += ",\"text\":";
        cli::append_json_string(response.body, kept[index]);
      }
      response.body += ",\"score\":";
      json::append_float(response.body, scores[index], json::Floats::shortest);
      response.body += '}';
    }
    response.body += ']';
    return response;
  };
}

} // namespace service::tei
