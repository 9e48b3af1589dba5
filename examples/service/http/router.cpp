#include "router.hpp"

#include "detail.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <new>
#include <stdexcept>
#include <utility>

namespace service {

namespace {

Response fault(unsigned status, std::string_view words, std::string cause) {
  Response response = detail(status, words);
  response.fault = std::move(cause);
  return response;
}

/// An answer that is owed: given once, whatever the handler does.
class Owed {
public:
  explicit Owed(Respond respond) : respond_(std::move(respond)) {}
  Owed(const Owed&) = delete;
  Owed& operator=(const Owed&) = delete;
  ~Owed() {
    try {
      give(fault(500, "Internal Server Error", "the handler gave no answer"));
    } catch (...) { // whoever waits finds that nobody is left to answer
    }
  }

  void give(Response response) {
    if (given_.exchange(true))
      return;
    const Respond respond = std::move(respond_); // is gone even if it throws, whoever still holds this
    respond(std::move(response));
  }

private:
  Respond respond_;
  std::atomic<bool> given_{false};
};

/// Takes the first segment, up to a slash, from the front of a path without its leading slash.
std::string_view take_segment(std::string_view& path) {
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return segment;
}

bool is_argument(std::string_view text) {
  return !text.empty() && text != "." && text != ".." && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
}

/// Whether the path has the form of the pattern; `arguments` then holds what stands for each {}.
bool match(std::string_view pattern, std::string_view path, std::vector<std::string>& arguments) {
  arguments.clear();
  if (std::count(pattern.begin(), pattern.end(), '/') != std::count(path.begin(), path.end(), '/'))
    return false;
  while (!pattern.empty()) {
    const std::string_view form = take_segment(pattern);
    std::string_view segment = take_segment(path);
    const std::size_t hole = form.find("{}");
    if (hole == form.npos) {
      if (segment != form)
        return false;
      continue;
    }
    const std::string_view before = form.substr(0, hole), behind = form.substr(hole + 2);
    if (segment.size() < before.size() + behind.size() || !segment.starts_with(before) || !segment.ends_with(behind))
      return false;
    segment = segment.substr(before.size(), segment.size() - before.size() - behind.size());
    if (!is_argument(segment))
      return false;
    arguments.emplace_back(segment);
  }
  return path.empty();
}

/// The number of characters of a pattern that a path must have.
std::size_t particulars(std::string_view pattern) {
  std::size_t holes = 0;
  for (std::size_t at = 0; (at = pattern.find("{}", at)) != pattern.npos; at += 2)
    ++holes;
  return pattern.size() - 2 * holes;
}

/// The path as it may stand in a URL: what RFC 3986 allows in a segment stays as it is.
std::string percent_encoded(std::string_view path) {
  constexpr std::string_view digits = "0123456789ABCDEF", marks = "/-._~!$&'()*+,;=:@";
  std::string encoded;
  for (const char c : path) {
    const bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (letter || marks.find(c) != marks.npos) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
  }
  return encoded;
}

} // namespace

Router::Router(std::string root_path) : root_path_(std::move(root_path)) {
  while (!root_path_.empty() && root_path_.back() == '/')
    root_path_.pop_back();
}

void Router::add(std::string method, std::string pattern, Handler handler, bool listed) {
  Path* path = nullptr;
  if (pattern.find("{}") == pattern.npos) {
    path = &literal_.try_emplace(pattern, Path{pattern, {}}).first->second;
  } else {
    const auto same = std::find_if(holed_.begin(), holed_.end(), [&](const Path& p) { return p.pattern == pattern; });
    const auto later = std::find_if(holed_.begin(), holed_.end(),
                                    [&](const Path& p) { return particulars(p.pattern) < particulars(pattern); });
    path = same != holed_.end() ? &*same : &*holed_.insert(later, Path{pattern, {}});
  }
  std::string name = method + ' ' + pattern;
  for (const Method& there : path->methods)
    if (there.name == method)
      throw std::invalid_argument("Two routes for " + name);
  if (listed)
    names_.push_back(std::move(name));
  path->methods.push_back({std::move(method), std::move(handler)});
}

const Router::Path* Router::find(std::string_view path, std::vector<std::string>& arguments) const {
  if (const auto found = literal_.find(path); found != literal_.end())
    return &found->second;
  for (const Path& holed : holed_)
    if (match(holed.pattern, path, arguments))
      return &holed;
  return nullptr;
}

void Router::handle(Request request, Respond respond, std::string_view* pattern) const {
  std::string_view root;
  if (!root_path_.empty() && request.path.starts_with(root_path_) &&
      (request.path.size() == root_path_.size() || request.path[root_path_.size()] == '/')) {
    root = root_path_;
    request.path.erase(0, root_path_.size());
  }
  if (request.path.empty())
    request.path = "/";
  const Path* const path = find(request.path, request.arguments);
  if (path == nullptr) {
    std::vector<std::string> unused;
    const std::string_view shorter = std::string_view(request.path).substr(0, request.path.size() - 1);
    if (request.path.back() != '/' || shorter.empty() || find(shorter, unused) == nullptr)
      return respond(detail(404, "Not Found"));
    std::string location = percent_encoded(std::string(root).append(shorter));
    if (!request.query.empty())
      location.append("?").append(request.query);
    return respond({307, {}, {{"Location", std::move(location)}}, {}});
  }
  if (pattern != nullptr)
    *pattern = path->pattern;
  const auto method = std::find_if(path->methods.begin(), path->methods.end(),
                                   [&](const Method& m) { return m.name == request.method; });
  if (method == path->methods.end()) {
    Response response = detail(405, "Method Not Allowed");
    std::string allow;
    for (const Method& allowed : path->methods)
      allow += (allow.empty() ? "" : ", ") + allowed.name;
    response.fields.push_back({"Allow", std::move(allow)});
    return respond(std::move(response));
  }
  const auto owed = std::make_shared<Owed>(std::move(respond));
  try {
    method->handler(std::make_shared<const Request>(std::move(request)),
                    [owed](Response response) { owed->give(std::move(response)); });
  } catch (const std::bad_alloc&) {
    Response response = fault(503, "Out of memory", "out of memory");
    response.fields.push_back({"Retry-After", "1"});
    owed->give(std::move(response));
  } catch (const std::exception& e) {
    owed->give(fault(500, "Internal Server Error", e.what()));
  } catch (...) {
    owed->give(fault(500, "Internal Server Error", "an exception without words"));
  }
}

} // namespace service
