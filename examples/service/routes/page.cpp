#include "routes.hpp"

#include "../openapi/assemble.hpp"
#include "../page/resource.hpp"

#include <distilbert/version.hpp>

#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace service {

namespace {

// What a document may do (Content Security Policy, level 3). Whatever it is, it loads nothing from another host.
constexpr const char* page_policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
// Swagger UI and ReDoc write styles into the document, draw with data: URLs, and ReDoc searches in a worker.
constexpr const char* documents_policy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' "
    "data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers with an HTML file under a policy.
Handler html(const Resource* file, const char* policy) {
  return [file, policy](const std::shared_ptr<const Request>& request, const Respond& respond) {
    Response response = serve(*request, *file);
    response.fields.push_back({"Content-Security-Policy", policy});
    respond(std::move(response));
  };
}

void not_found(const std::shared_ptr<const Request>&, const Respond& respond) {
  respond({404, "application/json", {}, R"({"detail":"Not Found"})"});
}

void asset(const std::shared_ptr<const Request>& request, const Respond& respond) {
  const Resource* file = find_resource("assets/" + request->arguments.front());
  if (file == nullptr)
    return not_found(request, respond);
  respond(serve(*request, *file));
}

/// Whether a file describes a family of routes as models of this task have them: two forms of /predict differ by that.
bool describes(std::string_view name, Task task) {
  if (name == "openapi/classifier.json")
    return task == Task::classifier;
  if (name == "openapi/reranker.json")
    return task == Task::reranker;
  return name.substr(0, 8) == "openapi/";
}

/// The description of the routes of a router, made when it is first asked for: by then the router is complete.
class OpenApi {
public:
  OpenApi(const Router& router, const Context& context)
      : router_(router), task_(context.engine().task()), api_key_(context.api_key) {}

  void answer(const Request& request, const Respond& respond) {
    std::call_once(made_, [this] { make(); });
    respond(document(request, "application/json", tag_, json_));
  }

private:
  void make() {
    std::vector<std::string_view> families;
    for (const Resource& resource : resources())
      if (describes(resource.name, task_))
        families.push_back(resource.bytes);
    json_ = assemble_openapi(families, {distilbert::version(), router_.root_path(), router_.routes(), api_key_});
    char tag[17];
    std::snprintf(tag, sizeof tag, "%016zx", std::hash<std::string>()(json_));
    tag_ = tag;
  }

  const Router& router_;
  const Task task_;
  const bool api_key_;
  std::once_flag made_;
  std::string json_, tag_;
};

/// The file of what was compiled in, or else our own list of operations.
const Resource* documents(std::string_view name) {
  const Resource* file = find_resource(name);
  return file != nullptr ? file : find_resource("operations.html");
}

} // namespace

void add_page_routes(Router& router, Context& context) {
  const bool page = context.page && router.root_path().empty();
  router.add("GET", "/", page ? html(find_resource("index.html"), page_policy) : not_found);
  router.add("GET", "/assets/{}", asset);

  const auto openapi = std::make_shared<OpenApi>(router, context);
  for (const char* path : {"/openapi.json", "/api-doc/openapi.json"})
    router.add("GET", path, [openapi](const std::shared_ptr<const Request>& request, const Respond& respond) {
      openapi->answer(*request, respond);
    });
  router.add("GET", "/docs", html(documents("swagger.html"), documents_policy));
  router.add("GET", "/redoc", html(documents("redoc.html"), documents_policy));
}

} // namespace service
