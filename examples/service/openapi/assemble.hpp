#pragma once
// The description of the HTTP interface, put together from that of each family of routes.

#include <string>
#include <string_view>
#include <vector>

namespace service {

struct OpenApiOptions {
  std::string version;             // of the program
  std::string root_path;           // the server's, "/project"; may be empty
  std::vector<std::string> routes; // "GET /health" and so on: Router::routes()
  bool api_key = false;            // all but GET ask for a key, and may answer 401
};

/// An OpenAPI 3.1 document with those operations of the families whose routes exist, and only the schemas that these
/// need. A family is {"paths": {...}, "components": {"schemas": {...}}}, in which a parameter of a path bears a name
/// ("/v1/models/{model}") where the route has {}. Throws std::invalid_argument if a family is no such object, or if two
/// describe the same operation or schema in different words.
std::string assemble_openapi(const std::vector<std::string_view>& families, const OpenApiOptions& options);

} // namespace service
