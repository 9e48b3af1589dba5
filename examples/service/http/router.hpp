#pragma once
// Which handler answers which method and path.

#include "message.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace service {

/// A table of routes. Complete before the first handle(), which is then safe from any number of threads.
class Router {
public:
  /// The routes are found under `root_path` ("/project"; empty for none) as well as without it.
  explicit Router(std::string root_path = {}) : root_path_(std::move(root_path)) {}

  /// `pattern`: a path in which {} stands for one non-empty segment or the rest of one: "/v1/models/{}:predict". A
  /// pattern without {} wins over one with.
  void add(std::string method, std::string pattern, Handler handler);

  /// Passes the request to its handler. Answers itself: 404 for an unknown path, 405 with Allow for another method, 307
  /// for a slash too many at the end, 500 if the handler throws; bodies as FastAPI writes them. `*pattern`, if asked
  /// for, is that of the route before its handler runs, and stays as it was if there is none; it lives as long as the
  /// router.
  void handle(Request request, Respond respond, std::string_view* pattern = nullptr) const;

  /// "GET /health" and so on, in the order in which they were added.
  std::vector<std::string> routes() const;
  const std::string& root_path() const { return root_path_; }

private:
  struct Route {
    std::string method, pattern;
    Handler handler;
  };

  std::string root_path_;
  std::vector<Route> routes_;
};

} // namespace service
