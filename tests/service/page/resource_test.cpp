// What is compiled into the program, and what of HTTP its documents know.

#include "../../../examples/service/page/resource.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(DISTILBERT_SOURCE_DIR "/examples/service/" + path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

service::Request request(std::string name, std::string value) {
  service::Request made;
  made.fields = {{std::move(name), std::move(value)}};
  return made;
}

std::string field(const service::Response& response, const std::string& name) {
  for (const auto& field : response.fields)
    if (field.name == name)
      return field.value;
  return {};
}

const service::Resource plain = {"a", "text/plain", "0123", "bytes", "zip"};
const service::Resource compressed = {"b", "text/plain", "4567", {}, "zip"};

} // namespace

TEST_CASE("resources are the files, byte for byte") {
  for (const auto& [name, path] : {std::pair{"index.html", "page/index.html"},
                                   {"assets/style.css", "page/style.css"},
                                   {"assets/icon.svg", "page/icon.svg"},
                                   {"openapi/page.json", "openapi/page.json"}}) {
    const service::Resource* resource = service::find_resource(name);
    REQUIRE(resource != nullptr);
    CHECK(resource->bytes == contents(path));
    CHECK(resource->gzip.substr(0, 2) == "\x1f\x8b");
  }
  CHECK(service::find_resource("assets/") == nullptr);
  CHECK(service::find_resource("") == nullptr);
}

TEST_CASE("every resource has a name and a hash of its own") {
  std::set<std::string_view> names, hashes;
  for (const auto& resource : service::resources()) {
    CHECK(names.insert(resource.name).second);
    CHECK(hashes.insert(resource.hash).second);
    CHECK(resource.hash.size() == 32);
  }
}

TEST_CASE("a resource is compressed for those who take it") {
  CHECK(service::serve(request("accept-encoding", "gzip"), plain).body == "zip");
  CHECK(service::serve(request("accept-encoding", "br"), plain).body == "bytes");
  CHECK(service::serve({}, plain).body == "bytes");
  CHECK(service::serve({}, compressed).body == "zip");
  CHECK(field(service::serve({}, compressed), "Content-Encoding") == "gzip");
  CHECK(service::serve(request("accept-encoding", "identity"), compressed).status == 406);
}

TEST_CASE("the two forms have tags of their own") {
  CHECK(field(service::serve({}, plain), "ETag") == "\"0123\"");
  CHECK(field(service::serve(request("accept-encoding", "gzip"), plain), "ETag") == "\"0123-gzip\"");
  CHECK(service::serve(request("if-none-match", "\"0123\""), plain).status == 304);
  CHECK(service::serve(request("if-none-match", "\"0123-gzip\""), plain).status == 200);
}

TEST_CASE("Accept-Encoding") {
  for (const char* taken : {"gzip", "GZip", "br;q=1, gzip;q=0.001", "*", "\tgzip\t", "gzip ;q=1"})
    CHECK_MESSAGE(service::accepts_gzip(taken), taken);
  for (const char* refused : {"", "gzip;q=0", "gzip;q=0.000", "*, gzip;q=0", "gzip;q=0, *", "identity", "gzi", "*;q=0"})
    CHECK_MESSAGE(!service::accepts_gzip(refused), refused);
}

TEST_CASE("If-None-Match") {
  for (const char* same : {"\"t\"", "W/\"t\"", "\"a\", \"t\"", "*"})
    CHECK_MESSAGE(service::matches_tag(same, "t"), same);
  for (const char* other : {"", "t", "\"\"", "\"t", "t\"", "\"tt\"", "\"", "W/", ","})
    CHECK_MESSAGE(!service::matches_tag(other, "t"), other);
}
