#include "router.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace service {

namespace {

Response detail(unsigned status, const char* words) {
  Response response;
  response.status = status;
  response.body = std::string("{\"detail\":\"") + words + "\"}";
  return response;
}

/// Whether the path has the form of the pattern; `arguments` then holds what stands for each {}.
bool match(std::string_view pattern, std::string_view path, std::vector<std::string>& arguments) {
  arguments.clear();
  for (std::size_t hole; (hole = pattern.find("{}")) != pattern.npos;) {
    if (path.substr(0, hole) != pattern.substr(0, hole))
      return false;
    path.remove_prefix(hole);
    pattern.remove_prefix(hole + 2);
    const std::string_view mark = pattern.substr(0, std::min(pattern.find('/'), pattern.size()));
    const std::size_t segment = std::min(path.find('/'), path.size());
    const std::size_t end = mark.empty() ? segment : path.substr(0, segment).rfind(mark.substr(0, mark.find("{}")));
    if (end == path.npos || end == 0)
      return false;
    arguments.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return path == pattern;
}

} // namespace

void Router::add(std::string method, std::string pattern, Handler handler) {
  routes_.push_back({std::move(method), std::move(pattern), std::move(handler)});
}

void Router::handle(Request request, Respond respond, std::string_view* pattern) const {
  if (!root_path_.empty() && request.path.compare(0, root_path_.size(), root_path_) == 0 &&
      (request.path.size() == root_path_.size() || request.path[root_path_.size()] == '/'))
    request.path.erase(0, root_path_.size());
  if (request.path.empty())
    request.path = "/";

  const Route* found = nullptr;
  std::string allow;
  std::vector<std::string> arguments;
  for (const Route& route : routes_) {
    if (!match(route.pattern, request.path, arguments))
      continue;
    if (route.method != request.method) {
      allow += (allow.empty() ? "" : ", ") + route.method;
    } else if (found == nullptr || arguments.empty()) {
      found = &route;
      request.arguments = arguments;
    }
  }
  if (found == nullptr) {
    Response response = allow.empty() ? detail(404, "Not Found") : detail(405, "Method Not Allowed");
    if (!allow.empty())
      response.fields.push_back({"Allow", allow});
    return respond(std::move(response));
  }
  if (pattern != nullptr)
    *pattern = found->pattern;
  try {
    found->handler(std::make_shared<const Request>(std::move(request)), respond);
  } catch (const std::exception&) {
    respond(detail(500, "Internal Server Error"));
  }
}

std::vector<std::string> Router::routes() const {
  std::vector<std::string> names;
  for (const Route& route : routes_)
    names.push_back(route.method + ' ' + route.pattern);
  return names;
}

} // namespace service
