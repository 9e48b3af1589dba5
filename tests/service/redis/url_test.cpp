// Where Redis is, from its URL.

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "service/inference/redis_url.hpp"

using namespace service;

namespace {

std::string refusal(std::string_view url) {
  try {
    parse_redis_url(url);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "";
}

} // namespace

TEST_CASE("every part is read") {
  const RedisUrl all = parse_redis_url("redis://me:s%3Ae%2fc%40@redis.svc:7000/3");
  CHECK(all.host == "redis.svc");
  CHECK(all.port == 7000);
  CHECK(all.user == "me");
  CHECK(all.password == "s:e/c@");
  CHECK(all.database == 3);
  CHECK(all.path.empty());
}

TEST_CASE("what is left out has its usual value") {
  for (const char* text : {"redis://localhost", "redis://localhost/", "redis://localhost:6379/0"}) {
    const RedisUrl url = parse_redis_url(text);
    CHECK(url.host == "localhost");
    CHECK(url.port == 6379);
    CHECK(url.user.empty());
    CHECK(url.password.empty());
    CHECK(url.database == 0);
  }
}

TEST_CASE("a password without a user; one with colons and at signs") {
  CHECK(parse_redis_url("redis://:pw@h").password == "pw");
  CHECK(parse_redis_url("redis://:pw@h").user.empty());
  CHECK(parse_redis_url("redis://u:a:b@c@h").password == "a:b@c");
}

TEST_CASE("IPv6 stands in brackets") {
  CHECK(parse_redis_url("redis://[::1]").host == "::1");
  CHECK(parse_redis_url("redis://[::1]:7000/1").port == 7000);
}

TEST_CASE("a Unix socket") {
  const RedisUrl url = parse_redis_url("unix://:pw@/run/my%20redis.sock?db=2");
  CHECK(url.host.empty());
  CHECK(url.path == "/run/my redis.sock");
  CHECK(url.password == "pw");
  CHECK(url.database == 2);
  CHECK(parse_redis_url("unix:///run/redis.sock").database == 0);
}

TEST_CASE("what is no such URL is refused, and the refusal keeps its secrets") {
  for (const char* url : {"",
                          "redis",
                          "http://secret",
                          "redis://",
                          "redis:///1",
                          "redis://:secret@",
                          "redis://secret@h",
                          "redis://secret:@h",
                          "redis://u:secret%@h",
                          "redis://u:secret%4@h",
                          "redis://u:secret%zz@h",
                          "redis://u:secret%-1@h",
                          "redis://h:0",
                          "redis://h:65536",
                          "redis://h:secret",
                          "redis://h:1:2",
                          "redis://::1",
                          "redis://h:",
                          "redis://h/secret",
                          "redis://h/-1",
                          "redis://h/1/2",
                          "redis://h/1?secret",
                          "redis://h/4294967296",
                          "redis://[::1",
                          "redis://[::1]secret",
                          "redis://[]",
                          "rediss://secret",
                          "unix://",
                          "unix:///",
                          "unix://secret",
                          "unix://secret/path",
                          "unix:///p?secret=1",
                          "unix:///p?db=",
                          "unix:///p?db=secret",
                          "unix:///a%00secret"}) {
    CAPTURE(url);
    const std::string what = refusal(url);
    CHECK(what.starts_with("the URL of Redis "));
    CHECK(what.find("secret") == std::string::npos);
  }
  CHECK(refusal("unix:///" + std::string(106, 'x')) == "");
  CHECK(refusal("unix:///" + std::string(107, 'x')).find("longer than 107 bytes") != std::string::npos);
  CHECK(refusal("rediss://h").find("TLS") != std::string::npos);
}
