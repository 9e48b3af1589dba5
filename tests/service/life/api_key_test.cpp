#include <service/api_key.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using service::authorized;
using service::same_secret;

namespace {
bool passes(const char* key, std::vector<service::Field> fields, const char* method = "POST") {
  service::Request request;
  request.method = method;
  request.fields = std::move(fields);
  return authorized(request, key);
}
} // namespace

TEST_CASE("secrets are the same only if every byte is") {
  CHECK(same_secret("key", "key"));
  CHECK(same_secret("", ""));
  for (const char* other : {"", "k", "ke", "kez", "Key", "key ", "keykey", "kkk"})
    CHECK_FALSE(same_secret("key", other));
  CHECK_FALSE(same_secret("", "key"));
}

TEST_CASE("the key comes as a bearer or in a field of its own") {
  CHECK(passes("key", {{"authorization", "Bearer key"}}));
  CHECK(passes("key", {{"authorization", "bearer key"}}));
  CHECK(passes("key", {{"x-api-key", "key"}}));
  CHECK(passes("key", {{"authorization", "Basic abc"}, {"x-api-key", "key"}}));
  CHECK(passes("", {}));
}

TEST_CASE("without it, or with another, a request does not pass") {
  CHECK_FALSE(passes("key", {}));
  CHECK_FALSE(passes("key", {{"authorization", ""}}));
  CHECK_FALSE(passes("key", {{"authorization", "Bearer"}}));
  CHECK_FALSE(passes("key", {{"authorization", "Bearer "}}));
  CHECK_FALSE(passes("key", {{"authorization", "Bearer  key"}}));
  CHECK_FALSE(passes("key", {{"authorization", "Bearer keys"}}));
  CHECK_FALSE(passes("key", {{"authorization", "Basic key"}}));
  CHECK_FALSE(passes("key", {{"authorization", "key"}}));
  CHECK_FALSE(passes("key", {{"x-api-key", "other"}}));
  CHECK_FALSE(passes("key", {{"cookie", "key"}}));
}

TEST_CASE("who only looks needs none") {
  CHECK(passes("key", {}, "GET"));
  for (const char* method : {"PUT", "DELETE", "PATCH", "get", "GETS", ""})
    CHECK_FALSE(passes("key", {}, method));
}
