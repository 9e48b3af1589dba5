#include "predict.hpp"

#include "json.hpp"
#include "scores.hpp"
#include "tei.hpp"

#include "../../common/json_text.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace service {

namespace {

constexpr std::size_t most_characters = 5000;

std::string lower_case(std::string text) {
  for (char& c : text)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

Response json_response(std::string body) { return {200, "application/json", {}, std::move(body)}; }

std::size_t best_of(const std::vector<float>& scores) { return ranking_of(scores).front(); }

std::string checked_text(const json::Value& value) {
  std::string text(value.string());
  const std::size_t characters = code_points_of(text);
  if (characters == 0)
    throw value.problem("string_too_short", "String should have at least 1 character", "{\"min_length\":1}");
  if (characters > most_characters)
    throw value.problem("string_too_long",
                        "String should have at most " + std::to_string(most_characters) + " characters",
                        "{\"max_length\":" + std::to_string(most_characters) + '}');
  return text;
}

Writer read_text(Call& call, const json::Object& body) {
  std::string text;
  body.only({"text"}, [&] { text = checked_text(body.at("text")); });
  call.add(text);
  return [text = std::move(text), &config = call.context.engine().config()](const Answer& answer) {
    const auto scores = scores_of(config, *answer.rows.front());
    const std::size_t best = best_of(scores);
    std::string out = "{\"text\":";
    cli::append_json_string(out, text);
    out += ",\"sentiment\":";
    cli::append_json_string(out, config.id2label[best]);
    out += ",\"confidence\":";
    json::append_float(out, scores[best], json::Floats::as_double);
    out += ",\"scores\":";
    for (std::size_t id = 0; id < scores.size(); ++id) {
      out += id == 0 ? '{' : ',';
      cli::append_json_string(out, lower_case(config.id2label[id]));
      out += ':';
      json::append_float(out, scores[id], json::Floats::as_double);
    }
    return json_response(out + "}}");
  };
}

Writer read_payload(Call& call, const json::Object& body) {
  std::string text;
  body.only({"payload"}, [&] { text = body.at("payload").string(); });
  call.add(text);
  return [text = std::move(text), &context = call.context](const Answer& answer) {
    const auto& config = context.engine().config();
    const auto scores = scores_of(config, *answer.rows.front());
    const std::size_t best = best_of(scores);
    const bool neutral = scores.size() == 2 && scores[best] < context.neutral_below;
    std::string out = "{\"Raw Text\":";
    cli::append_json_string(out, text);
    out += ",\"Categories\":";
    cli::append_json_string(out, neutral ? "neutral" : lower_case(config.id2label[best]));
    return json_response(out + '}');
  };
}

Writer read_values(Call& call, const json::Object& body) {
  call.style = lambda_error;
  std::vector<json::Value> values;
  body.only({"values"}, [&] { values = body.at("values").array(); });
  check_batch_size(values.size(), call.context.max_bulk_texts);
  for (const json::Value& value : values) {
    if (value.is_array())
      call.add(value.integers(0, std::numeric_limits<std::int32_t>::max()), {}, "values");
    else
      call.add(value.string());
  }
  return [&config = call.context.engine().config()](const Answer& answer) {
    std::string out = "{\"predictions\":[";
    for (const auto& row : answer.rows) {
      out += out.back() == '[' ? "" : ",";
      cli::append_json_string(out, config.id2label[best_of(scores_of(config, *row))]);
    }
    return json_response(out + "]}");
  };
}

} // namespace

Writer read_predict(Call& call) {
  const bool classifier = call.context.engine().task() == Task::classifier;
  json::Document document(call.request.body);
  const json::Object body = document.root().object();
  if (!classifier || body.find("inputs"))
    return tei::read_predict(call, body);
  if (body.find("payload"))
    return read_payload(call, body);
  if (body.find("values"))
    return read_values(call, body);
  return read_text(call, body);
}

} // namespace service
