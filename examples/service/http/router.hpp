#pragma once
// Which handler answers which method and path.

#include "message.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace service {

/// A table of routes. Complete before the first handle(), which is then safe from any number of threads.
class Router {
public:
  /// The routes are found under `root_path` ("/project"; empty for none) as well as without it.
  explicit Router(std::string root_path = {});

  /// `pattern`: a path in which {} stands for one non-empty segment or the rest of one: "/v1/models/{}:predict". Of the
  /// patterns that fit a path, one without {} wins, else the one with the most other characters. Throws
  /// std::invalid_argument if the route is there already. `listed`: whether routes() tells of it; not of one that is
  /// there only to say why it is of no use.
  void add(std::string method, std::string pattern, Handler handler, bool listed = true);

  /// Passes the request to its handler, and takes care that it is answered once: of several answers the first counts.
  /// Answers itself: 404 for an unknown path, 405 with Allow for another method, 307 for a slash too many at the end,
  /// 503 if the handler throws std::bad_alloc, 500 if it throws anything else or drops `respond` unused, both with
  /// `fault`; bodies as FastAPI writes them.
  /// `*pattern`, if asked for, becomes that of the path's routes before a handler runs, and stays as it was if there is
  /// none; it lives as long as the router.
  void handle(Request request, Respond respond, std::string_view* pattern = nullptr) const;

  /// "GET /health" and so on, in the order in which they were added, of those that are listed.
  const std::vector<std::string>& routes() const { return names_; }
  const std::string& root_path() const { return root_path_; }

private:
  struct Method {
    std::string name;
    Handler handler;
  };
  struct Path {
    std::string pattern;
    std::vector<Method> methods;
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  const Path* find(std::string_view path, std::vector<std::string>& arguments) const;

  std::string root_path_;
  std::unordered_map<std::string, Path, Hash, std::equal_to<>> literal_;
  std::vector<Path> holed_; // the most particular first
  std::vector<std::string> names_;
};

} // namespace service
