#include "resource.hpp"

#include <algorithm>
#include <cstddef>

namespace service {

namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  const std::size_t end = text.find_last_not_of(" \t");
  return text.substr(begin, end == text.npos ? 0 : end + 1 - begin);
}

/// What stands before the first separator, trimmed; the rest stays in `list`.
std::string_view next(std::string_view& list, char separator) {
  const std::size_t end = std::min(list.find(separator), list.size());
  const std::string_view item = list.substr(0, end);
  list.remove_prefix(std::min(end + 1, list.size()));
  return trimmed(item);
}

bool is_zero(std::string_view parameter) {
  return parameter.substr(0, 2) == "q=" && parameter.find_first_not_of("0.", 2) == parameter.npos;
}

bool is_gzip(std::string_view coding) {
  constexpr std::string_view gzip = "gzip";
  return coding.size() == gzip.size() &&
         std::equal(coding.begin(), coding.end(), gzip.begin(), [](char a, char b) { return (a | 0x20) == b; });
}

} // namespace

const Resource* find_resource(std::string_view name) {
  const auto all = resources();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Resource& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    std::string_view item = next(accept_encoding, ',');
    const std::string_view coding = next(item, ';');
    const bool taken = !is_zero(trimmed(item));
    if (is_gzip(coding))
      return taken;
    any = any || (coding == "*" && taken);
  }
  return any;
}

bool matches_tag(std::string_view if_none_match, std::string_view tag) {
  while (!if_none_match.empty()) {
    std::string_view item = next(if_none_match, ',');
    if (item == "*")
      return true;
    if (item.substr(0, 2) == "W/")
      item.remove_prefix(2);
    if (item.size() == tag.size() + 2 && item.front() == '"' && item.back() == '"' && item.substr(1, tag.size()) == tag)
      return true;
  }
  return false;
}

Response document(const Request& request, std::string_view content_type, std::string_view tag, std::string_view body) {
  Response response;
  response.fields = {{"ETag", '"' + std::string(tag) + '"'},
                     {"Cache-Control", "no-cache"}, // may be kept, but is asked for again: a new version shows at once
                     {"X-Content-Type-Options", "nosniff"},
                     {"Referrer-Policy", "no-referrer"}};
  if (matches_tag(request.field("if-none-match"), tag)) {
    response.status = 304;
    response.content_type.clear();
  } else {
    response.content_type = content_type;
    response.body = body;
  }
  return response;
}

Response serve(const Request& request, const Resource& resource) {
  const std::string_view accepted = request.field("accept-encoding");
  const bool compressed = accepts_gzip(accepted) || (resource.bytes.data() == nullptr && accepted.empty());
  if (!compressed && resource.bytes.data() == nullptr)
    return {406, "application/json", {{"Vary", "Accept-Encoding"}}, R"({"detail":"Only to be had with gzip"})"};
  std::string tag(resource.hash);
  if (compressed)
    tag += "-gzip";
  Response response = document(request, resource.content_type, tag, compressed ? resource.gzip : resource.bytes);
  response.fields.push_back({"Vary", "Accept-Encoding"});
  if (compressed && response.status == 200)
    response.fields.push_back({"Content-Encoding", "gzip"});
  return response;
}

} // namespace service
