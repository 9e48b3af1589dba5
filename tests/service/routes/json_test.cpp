// JSON of requests: what is read, what is refused, and what the refusal says.

#include "service/routes/json.hpp"
#include "service/routes/json_syntax.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <thread>
#include <vector>

using service::Problem;
using service::json::Document;
using service::json::Value;
using Kind = Problem::Kind;

namespace {

Problem problem_of(const std::string& body) {
  try {
    Document document(body);
  } catch (const Problem& problem) {
    return problem;
  }
  FAIL("not refused: " << body);
  return {Kind::internal, ""};
}

template <class Work> Problem problem_in(const Work& work) {
  try {
    work();
  } catch (const Problem& problem) {
    return problem;
  }
  FAIL("not refused");
  return {Kind::internal, ""};
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

} // namespace

TEST_CASE("a body is one JSON text and nothing else") {
  for (const char* body : {"{} x", "{}{}", "[1,]", "{'a':1}", "[1,/*2*/3]", "01", "+1", "[\"\\x\"]", "[\"a", "tru",
                           "  ", "[\"\x01\"]", "{\"a\":1,}", "\xEF\xBB\xBF{}", ".5", "1.", "[1 2]", "{", "nan"})
    CHECK_MESSAGE(problem_of(body).kind == Kind::not_json, body);
  for (const char* body : {" [1] \n", "null", "1.5", "\"a\"", "{\"a\":{\"b\":[]}}"})
    CHECK_NOTHROW(Document{body});
}

TEST_CASE("what Python's json module reads is refused as unreadable, and never crashes") {
  const std::string digits(1000, '9');
  for (const std::string& body :
       {std::string("[\"\\ud800\"]"), std::string("[\"\\udc00\"]"), std::string("[NaN]"), std::string("[1e999]"),
        std::string("[18446744073709551616]"), digits, std::string("[\"\xC0\xAF\"]"), std::string("[\"\xED\xA0\x80\"]"),
        std::string("[\"\xFF\"]"), std::string("{\0\"\0a", 5) + '\xFF', nested(1025), nested(100'000)})
    CHECK_MESSAGE(problem_of(body).kind == Kind::unreadable, body.substr(0, 20));
  CHECK_NOTHROW(Document{nested(1024)});
  CHECK(problem_of(std::string("\0{\0}", 4)).kind == Kind::not_json); // UTF-16
}

TEST_CASE("an empty body misses everything") {
  const Problem problem = problem_of("");
  CHECK(problem.kind == Kind::invalid);
  REQUIRE(problem.details.size() == 1);
  CHECK(problem.details[0].type == "missing");
  CHECK(problem.details[0].input == "null");
}

TEST_CASE("where a text stops being JSON, as Python 3.11 says it") {
  struct Case {
    const char* text;
    std::size_t position;
    const char* reason;
  };
  for (const Case& c : std::vector<Case>{{"   ", 3, "Expecting value"},
                                         {"{", 1, "Expecting property name enclosed in double quotes"},
                                         {"{\"a\"", 4, "Expecting ':' delimiter"},
                                         {"{\"a\":", 5, "Expecting value"},
                                         {"{\"a\":1", 6, "Expecting ',' delimiter"},
                                         {"{\"a\":1,}", 7, "Expecting property name enclosed in double quotes"},
                                         {"[1,]", 3, "Expecting value"},
                                         {"[1", 2, "Expecting ',' delimiter"},
                                         {"[1 2]", 3, "Expecting ',' delimiter"},
                                         {"{a:1}", 1, "Expecting property name enclosed in double quotes"},
                                         {"\"abc", 0, "Unterminated string starting at"},
                                         {"[\"\\ud800\\\"]", 1, "Unterminated string starting at"},
                                         {"\"a\\x\"", 2, "Invalid \\escape"},
                                         {"\"\\u123g\"", 2, "Invalid \\uXXXX escape"},
                                         {"\"\\u", 2, "Invalid \\uXXXX escape"},
                                         {"\"a\tb\"", 2, "Invalid control character at"},
                                         {"[1] x", 4, "Extra data"},
                                         {"01", 1, "Extra data"},
                                         {"1.e", 1, "Extra data"},
                                         {"[1e]", 2, "Expecting ',' delimiter"},
                                         {"[-]", 1, "Expecting value"},
                                         {"{\"a\":\"\xC3\xA9\" x", 9, "Expecting ',' delimiter"},
                                         {"\xEF\xBB\xBF{}", 0, "Unexpected UTF-8 BOM (decode using utf-8-sig)"}}) {
    const auto error = service::json::find_syntax_error(c.text);
    REQUIRE_MESSAGE(error, c.text);
    CHECK_MESSAGE(error->position == c.position, c.text);
    CHECK_MESSAGE(error->reason == c.reason, c.text);
  }
  for (const char* text : {"NaN", "-Infinity", "[Infinity,1e999]", "\"\\ud800\"", "{\"a\":[{}, [], -0.5e+3]}"})
    CHECK_MESSAGE(!service::json::find_syntax_error(text), text);
}

TEST_CASE("values name their place") {
  Document document(R"({"a":{"b":[1,{"c":"x"}]}})");
  const Value c = document.root().object().at("a").object().at("b").array()[1].object().at("c");
  CHECK(service::name_of(c.path()) == "`a.b[1].c`");
  CHECK(c.string() == "x");
  const Problem problem = problem_in([&] { c.boolean(); });
  CHECK(std::string(problem.what()) == "`a.b[1].c`: Input should be a valid boolean");
  CHECK(problem.details[0].input == "\"x\"");
  CHECK(service::name_of(document.root().path()) == "`body`");
}

TEST_CASE("every item that is no string is named, a hundred at most") {
  Document document(R"(["a",null,"b",5,{}])");
  const Problem problem = problem_in([&] { document.root().strings(); });
  REQUIRE(problem.details.size() == 3);
  CHECK(service::name_of(problem.details[1].path) == "`[3]`");
  CHECK(std::string(problem.what()) == "`[1]`: Input should be a valid string (and 2 more)");

  std::string many = "[0";
  for (int i = 0; i < 1000; ++i)
    many += ",0";
  Document large(many + "]");
  CHECK(problem_in([&] { large.root().strings(); }).details.size() == 100);
}

TEST_CASE("a key that is there twice is refused, however it is written") {
  for (const char* body : {R"({"text":1,"text":2})", R"({"te\u0078t":1,"x":0,"text":1})"}) {
    Document document(body);
    const Problem problem = problem_in([&] { document.root().object(); });
    CHECK(problem.kind == Kind::invalid);
    CHECK(problem.details[0].type == "duplicate_key");
    CHECK(service::name_of(problem.details[0].path) == "`text`");
  }
}

TEST_CASE("fields: missing, null, unknown") {
  Document document(R"({"a":null,"b":1})");
  const auto object = document.root().object();
  CHECK(object.find("a"));
  CHECK(!object.optional("a"));
  CHECK(!object.find("c"));
  const Problem missing = problem_in([&] { object.at("c"); });
  CHECK(missing.details[0].type == "missing");
  CHECK(missing.details[0].input == R"({"a":null,"b":1})");
  CHECK(service::name_of(missing.details[0].path) == "`c`");
  CHECK_NOTHROW(object.only({"a", "b", "c"}, [] {}));
  const Problem extra = problem_in([&] { object.only({"a"}, [] {}); });
  CHECK(extra.details[0].type == "extra_forbidden");
  CHECK(service::name_of(extra.details[0].path) == "`b`");
  const Problem both = problem_in([&] { object.only({"a"}, [&] { object.at("c"); }); });
  REQUIRE(both.details.size() == 2);
  CHECK(both.details[0].type == "missing");
  CHECK(both.details[1].type == "extra_forbidden");
}

TEST_CASE("integers are checked before they are used") {
  Document document("[1, 2.0, 1.5, -1, 11, 9223372036854775808, 1e300, -1e300, true, \"1\", 10]");
  const auto items = document.root().array();
  const auto type = [&](std::size_t i) { return problem_in([&] { items[i].integer(0, 10); }).details[0].type; };
  CHECK(items[0].integer(0, 10) == 1);
  CHECK(items[1].integer(0, 10) == 2);
  CHECK(items[10].integer(0, 10) == 10);
  CHECK(type(2) == "int_from_float");
  CHECK(type(3) == "greater_than_equal");
  CHECK(type(4) == "less_than_equal");
  CHECK(type(5) == "less_than_equal");
  CHECK(type(6) == "less_than_equal");
  CHECK(type(7) == "greater_than_equal");
  CHECK(type(8) == "int_type");
  CHECK(type(9) == "int_type");
}

TEST_CASE("documents within each other, and on many threads") {
  Document outer("[1]");
  const Value root = outer.root();
  {
    Document inner("[\"inner\"]");
    CHECK(inner.root().strings()[0] == "inner");
  }
  CHECK(root.array()[0].integer(0, 9) == 1);
  std::vector<std::thread> threads;
  std::vector<std::int64_t> sums(4);
  for (std::size_t t = 0; t < sums.size(); ++t)
    threads.emplace_back([&sums, t] {
      for (int i = 0; i < 100; ++i) {
        Document document("[" + std::to_string(t) + "]");
        sums[t] += document.root().array()[0].integer(0, 9);
      }
    });
  for (std::thread& thread : threads)
    thread.join();
  CHECK(sums == std::vector<std::int64_t>{0, 100, 200, 300});
}

TEST_CASE("numbers in both ways of writing") {
  const auto text = [](float x, service::json::Floats floats) {
    std::string out = "x"; // of which a point before the number is no part
    service::json::append_float(out, x, floats);
    return out.substr(1);
  };
  using service::json::Floats;
  CHECK(text(0.9998536109924316f, Floats::as_double) == "0.9998536109924316");
  CHECK(text(0.9998536109924316f, Floats::shortest) == "0.9998536");
  CHECK(text(1.0f, Floats::shortest) == "1.0");
  CHECK(text(-0.0f, Floats::as_double) == "-0.0");
  CHECK(text(std::numeric_limits<float>::max(), Floats::shortest) == "3.4028235e+38");
}
