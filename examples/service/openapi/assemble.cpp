#include "assemble.hpp"

#include "../../common/json_text.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>

namespace service {

namespace {

namespace dom = simdjson::dom;

/// The members of an object, in the order of their arrival; the values are JSON.
class Members {
public:
  /// `where`: the name of this object, for the error.
  void add(std::string_view where, std::string_view name, const std::string& value) {
    const auto same = find(name);
    if (same == members_.end())
      members_.emplace_back(name, value);
    else if (same->second != value)
      throw std::invalid_argument("two families describe " + std::string(where) + ' ' + std::string(name));
  }

  std::vector<std::pair<std::string, std::string>>::const_iterator find(std::string_view name) const {
    return std::find_if(members_.begin(), members_.end(), [&](const auto& member) { return member.first == name; });
  }

  auto begin() const { return members_.begin(); }
  auto end() const { return members_.end(); }

private:
  std::vector<std::pair<std::string, std::string>> members_;
};

void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{')
    out += ',';
  cli::append_json_string(out, name);
  out += ':';
  out += value;
}

std::string object(const Members& members) {
  std::string out = "{";
  for (const auto& [name, value] : members)
    append_member(out, name, value);
  return out + '}';
}

/// "GET /v1/models/{}" of the method "get" and the path "/v1/models/{model}".
std::string route_of(std::string_view method, std::string_view path) {
  std::string route;
  for (const char c : method)
    route += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  route += ' ';
  bool inside = false;
  for (const char c : path) {
    inside = inside && c != '}';
    if (!inside)
      route += c;
    inside = inside || c == '{';
  }
  return route;
}

bool is_method(std::string_view key) {
  static const std::set<std::string_view> methods = {"get",     "put",  "post",  "delete",
                                                     "options", "head", "patch", "trace"};
  return methods.count(key) != 0;
}

/// Adds the names ("schemas/Error") of all components that the JSON refers to and, through them, of all that those do.
void collect_references(std::string_view json, const Members& components, std::set<std::string>& needed) {
  constexpr std::string_view mark = "\"#/components/";
  for (std::size_t at = 0; (at = json.find(mark, at)) != json.npos;) {
    at += mark.size();
    const std::string name(json.substr(at, json.find('"', at) - at));
    if (!needed.insert(name).second)
      continue;
    if (const auto component = components.find(name); component != components.end())
      collect_references(component->second, components, needed);
    else
      throw std::invalid_argument("no family describes " + name);
  }
}

/// Everything that the families say, whether its route exists or not.
struct Description {
  std::vector<std::pair<std::string, Members>> paths;
  Members components; // by "schemas/Error"

  void add(std::string_view family) {
    dom::parser parser;
    const dom::object whole = parser.parse(family.data(), family.size());
    for (const auto path : dom::object(whole["paths"]))
      for (const auto member : dom::object(path.value))
        path_named(path.key).add(path.key, member.key, simdjson::minify(member.value));
    for (const auto kind : dom::object(whole["components"]))
      for (const auto member : dom::object(kind.value))
        components.add("component", std::string(kind.key) + '/' + std::string(member.key),
                       simdjson::minify(member.value));
  }

private:
  Members& path_named(std::string_view name) {
    const auto found = std::find_if(paths.begin(), paths.end(), [&](const auto& path) { return path.first == name; });
    return found != paths.end() ? found->second : paths.emplace_back(name, Members{}).second;
  }
};

/// An operation that asks for a key.
std::string with_api_key(const std::string& operation) {
  dom::parser parser;
  Members members, responses;
  for (const auto member : dom::object(parser.parse(operation)))
    if (member.key == "responses")
      for (const auto response : dom::object(member.value))
        responses.add("responses", response.key, simdjson::minify(response.value));
    else
      members.add("operation", member.key, simdjson::minify(member.value));
  if (responses.find("401") == responses.end())
    responses.add("responses", "401", R"({"$ref":"#/components/responses/Unauthorized"})");
  members.add("operation", "responses", object(responses));
  members.add("operation", "security", R"([{"bearer":[]},{"header":[]}])");
  return object(members);
}

void add_api_key(Members& components) {
  components.add("component", "securitySchemes/bearer", R"({"type":"http","scheme":"bearer"})");
  components.add("component", "securitySchemes/header", R"({"type":"apiKey","in":"header","name":"X-API-Key"})");
  components.add("component", "responses/Unauthorized",
                 R"({"description":"The API key is missing or wrong","headers":{"WWW-Authenticate":{"schema":)"
                 R"({"type":"string"}}},"content":{"application/json":{"schema":{"type":"object","required":)"
                 R"(["detail"],"properties":{"detail":{"type":"string"}}},"example":)"
                 R"({"detail":"The API key is missing or wrong"}}}})");
}

/// The members of a path whose routes exist; without any operation, none.
Members existing(const std::string& path, const Members& members, const OpenApiOptions& options) {
  const auto& routes = options.routes;
  Members kept;
  bool any = false;
  for (const auto& [key, value] : members) {
    const bool operation = is_method(key);
    if (operation && std::find(routes.begin(), routes.end(), route_of(key, path)) == routes.end())
      continue;
    any = any || operation;
    kept.add(path, key, operation && options.api_key && key != "get" ? with_api_key(value) : value);
  }
  return any ? kept : Members{};
}

std::string components_json(const std::string& paths, const Members& components) {
  std::set<std::string> needed;
  collect_references(paths, components, needed);
  std::map<std::string, Members> kinds;
  for (const auto& [name, value] : components) {
    const std::size_t slash = name.find('/');
    const std::string kind = name.substr(0, slash);
    if (needed.count(name) != 0 || kind == "securitySchemes") // those are named without a reference
      kinds[kind].add(kind, name.substr(slash + 1), value);
  }
  std::string out = "{";
  for (const auto& [kind, members] : kinds)
    append_member(out, kind, object(members));
  return out + '}';
}

} // namespace

std::string assemble_openapi(const std::vector<std::string_view>& families, const OpenApiOptions& options) {
  Description description;
  try {
    for (const std::string_view family : families)
      description.add(family);
  } catch (const simdjson::simdjson_error& error) {
    throw std::invalid_argument(std::string("the description of a family of routes: ") + error.what());
  }

  if (options.api_key)
    add_api_key(description.components);
  std::string paths = "{";
  for (const auto& [path, members] : description.paths)
    if (const Members kept = existing(path, members, options); kept.begin() != kept.end())
      append_member(paths, path, object(kept));
  paths += '}';

  std::string info = R"({"title":"distilbert-server","summary":"DistilBERT behind HTTP.","version":)";
  cli::append_json_string(info, options.version);
  info += R"(,"license":{"name":"Apache 2.0","identifier":"Apache-2.0"}})";
  std::string servers = R"([{"url":)";
  cli::append_json_string(servers, options.root_path.empty() ? "/" : options.root_path);
  servers += "}]";

  std::string out = "{";
  append_member(out, "openapi", R"("3.1.0")");
  append_member(out, "info", info);
  append_member(out, "servers", servers);
  append_member(out, "components", components_json(paths, description.components));
  append_member(out, "paths", paths);
  return out + '}';
}

} // namespace service
