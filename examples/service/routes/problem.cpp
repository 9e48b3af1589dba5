#include "problem.hpp"

#include "../../common/json_text.hpp"

namespace service {

namespace {

using Kind = Problem::Kind;

std::string sentence_of(const std::vector<Detail>& details) {
  std::string text = name_of(details.front().path) + ": " + details.front().message;
  if (details.size() > 1)
    text += " (and " + std::to_string(details.size() - 1) + " more)";
  return text;
}

void append_detail(std::string& out, const Detail& detail) {
  out += "{\"type\":";
  cli::append_json_string(out, detail.type);
  out += ",\"loc\":[\"body\"";
  for (const auto& step : detail.path) {
    out += ',';
    if (const auto* key = std::get_if<std::string>(&step))
      cli::append_json_string(out, *key);
    else
      cli::append_number(out, std::get<std::size_t>(step));
  }
  out += "],\"msg\":";
  cli::append_json_string(out, detail.message);
  out += ",\"input\":" + detail.input;
  if (!detail.context.empty())
    out += ",\"ctx\":" + detail.context;
  out += '}';
}

const char* tei_type(Kind kind) {
  switch (kind) {
  case Kind::empty: return "Empty";
  case Kind::overloaded: return "Overloaded";
  case Kind::draining: return "Unhealthy";
  case Kind::timeout: return "Overloaded";
  case Kind::gone: return "Overloaded";
  case Kind::model_type:
  case Kind::model: return "Backend";
  case Kind::internal: return "Backend";
  default: return "Validation";
  }
}

} // namespace

Problem::Problem(Kind what_kind, std::string sentence) : kind(what_kind), message(std::move(sentence)) {
  if (kind == Kind::model || kind == Kind::internal)
    fault = message;
}

Problem::Problem(std::vector<Detail> wrong)
    : kind(Kind::invalid), message(sentence_of(wrong)), details(std::move(wrong)) {}

std::string name_of(const Path& path) {
  if (path.empty())
    return "`body`";
  std::string name;
  for (const auto& step : path) {
    if (const auto* key = std::get_if<std::string>(&step))
      name += (name.empty() ? "" : ".") + *key;
    else
      name += '[' + std::to_string(std::get<std::size_t>(step)) + ']';
  }
  return '`' + name + '`';
}

unsigned usual_status(Kind kind) {
  switch (kind) {
  case Kind::not_json:
  case Kind::unreadable: return 400;
  case Kind::media_type: return 415;
  case Kind::invalid:
  case Kind::empty: return 422;
  case Kind::batch_size: return 413;
  case Kind::model_type: return 424;
  case Kind::overloaded: return 429;
  case Kind::draining:
  case Kind::timeout: return 503;
  case Kind::gone: return 499;
  case Kind::model:
  case Kind::internal: break;
  }
  return 500;
}

const char* metric_word(Kind kind) {
  switch (kind) {
  case Kind::not_json:
  case Kind::unreadable:
  case Kind::media_type:
  case Kind::invalid:
  case Kind::empty: return "validation";
  case Kind::batch_size: return "batch_size";
  case Kind::model_type: return "model_type";
  case Kind::overloaded:
  case Kind::draining:
  case Kind::timeout: return "overloaded";
  case Kind::gone: return "dropped";
  case Kind::model:
  case Kind::internal: break;
  }
  return "inference";
}

Response fastapi_error(const Problem& problem) {
  Response response;
  response.status = problem.kind == Kind::not_json ? 422 : usual_status(problem.kind);
  if (problem.details.empty()) {
    response.body = "{\"detail\":";
    const bool unreadable = problem.kind == Kind::unreadable;
    cli::append_json_string(response.body, unreadable ? "There was an error parsing the body" : problem.message);
  } else {
    response.body = "{\"detail\":[";
    for (const Detail& detail : problem.details) {
      if (&detail != &problem.details.front())
        response.body += ',';
      append_detail(response.body, detail);
    }
    response.body += ']';
  }
  response.body += '}';
  return response;
}

Response lambda_error(const Problem& problem) {
  Response response;
  response.status = usual_status(problem.kind) == 422 ? 400 : usual_status(problem.kind);
  response.body = "{\"error\":";
  cli::append_json_string(response.body, problem.message);
  response.body += '}';
  return response;
}

Response tei_error(const Problem& problem) {
  Response response;
  const bool backend = problem.kind == Kind::model || problem.kind == Kind::internal;
  response.status = problem.kind == Kind::empty        ? 400
                    : problem.kind == Kind::batch_size ? 422
                    : backend                          ? 424
                                                       : usual_status(problem.kind);
  response.body = "{\"error\":";
  cli::append_json_string(response.body,
                          (problem.kind == Kind::invalid ? "Input validation error: " : "") + problem.message);
  response.body += ",\"error_type\":";
  cli::append_json_string(response.body, tei_type(problem.kind));
  response.body += '}';
  return response;
}

} // namespace service
