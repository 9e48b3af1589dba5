#include <service/observe/trace.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

using service::Trace;
using service::valid_request_id;
using service::valid_traceparent;

namespace {
const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

service::Request with(std::vector<service::Field> fields) {
  service::Request request;
  request.fields = std::move(fields);
  return request;
}

std::string changed(std::size_t position, char c) {
  std::string text = good;
  text[position] = c;
  return text;
}
} // namespace

TEST_CASE("a traceparent is what W3C says it is") {
  CHECK(valid_traceparent(good));
  CHECK(valid_traceparent("cc" + good.substr(2)));
  CHECK(valid_traceparent("cc" + good.substr(2) + "-more"));
  CHECK_FALSE(valid_traceparent("cc" + good.substr(2) + ".more"));
  CHECK_FALSE(valid_traceparent(good + "-more"));
  CHECK_FALSE(valid_traceparent("ff" + good.substr(2)));
  CHECK_FALSE(valid_traceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
  CHECK_FALSE(valid_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"));
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_FALSE(valid_traceparent(good.substr(0, size)));
  for (std::size_t position = 0; position < good.size(); ++position)
    for (const char c : {'A', 'g', ' ', '\0', '\xe9'})
      CHECK_FALSE(valid_traceparent(changed(position, c)));
}

TEST_CASE("a request's id is short and plain") {
  CHECK(valid_request_id("a"));
  CHECK(valid_request_id("Root=1-67891233-abcdef012345678912345678"));
  CHECK(valid_request_id(std::string(128, 'x')));
  CHECK_FALSE(valid_request_id(""));
  CHECK_FALSE(valid_request_id(std::string(129, 'x')));
  for (const char* bad : {"a b", "a\"b", "a\\b", "a\nb", "caf\xc3\xa9", "<script>", "{}"})
    CHECK_FALSE(valid_request_id(bad));
}

TEST_CASE("ids that came with the request are kept") {
  const Trace trace(with({{"traceparent", good}, {"x-request-id", "abc-1"}}));
  CHECK(trace.parent == good);
  CHECK(trace.trace_id() == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(trace.request_id == "abc-1");
  CHECK(Trace(with({{"traceparent", "cc" + good.substr(2) + "-more"}})).parent == "cc" + good.substr(2));
}

TEST_CASE("others are made, each of its own") {
  std::set<std::string> parents;
  for (int i = 0; i < 1000; ++i) {
    const Trace trace(with({{"traceparent", changed(0, 'x')}, {"x-request-id", "two words"}}));
    CHECK(valid_traceparent(trace.parent));
    CHECK(trace.request_id == trace.trace_id());
    parents.insert(trace.parent);
  }
  CHECK(parents.size() == 1000);
}
