#include <service/http/head.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace service;

namespace {

unsigned request_line(std::string_view line) {
  Head head;
  return read_request_line(line, head).status;
}

/// Status of a whole head; `fields` are lines with \n.
unsigned status(std::string_view method, std::string fields, std::string_view version = "HTTP/1.1",
                Head* out = nullptr) {
  Head head;
  const Refusal refused = read_request_line(std::string(method) + " / " + std::string(version), head);
  REQUIRE_FALSE(refused);
  for (std::size_t end; !fields.empty(); fields.erase(0, end + 1)) {
    end = fields.find('\n');
    REQUIRE(end != fields.npos);
    if (const Refusal refusal = read_field_line(fields.substr(0, end), head.request.fields))
      return refusal.status;
  }
  const Refusal refusal = finish_head(head, 1000);
  if (out != nullptr)
    *out = head;
  return refusal.status;
}

unsigned post(const std::string& fields) { return status("POST", "Host: a\n" + fields); }

} // namespace

TEST_CASE("request lines and their targets") {
  const struct {
    const char* line;
    const char *path, *query;
  } good[] = {
      {"GET / HTTP/1.1", "/", ""},
      {"GET /a?b=%20c?d HTTP/1.1", "/a", "b=%20c?d"},
      {"GET /a? HTTP/1.0", "/a", ""},
      {"GET /%41%2f%25%c3%A9 HTTP/1.1", "/A/%\xc3\xa9", ""},
      {"GET http://h HTTP/1.1", "/", ""},
      {"GET http://h?x HTTP/1.1", "/", "x"},
      {"GET HTTPS://[::1]:8000/a?b HTTP/1.1", "/a", "b"},
      {"OPTIONS * HTTP/1.1", "*", ""},
      {"get / HTTP/1.9", "/", ""},
  };
  for (const auto& row : good) {
    CAPTURE(row.line);
    Head head;
    CHECK(read_request_line(row.line, head).status == 0);
    CHECK(head.request.path == row.path);
    CHECK(head.request.query == row.query);
  }
  Head head;
  CHECK(read_request_line("GET /%00%0d%0a HTTP/1.1", head).status == 0);
  CHECK(head.request.path == std::string("/\0\r\n", 4));
}

TEST_CASE("versions") {
  Head head;
  CHECK_FALSE(read_request_line("GET / HTTP/1.0", head));
  CHECK(head.http_1_0);
  CHECK_FALSE(read_request_line("GET / HTTP/1.1", head));
  CHECK_FALSE(head.http_1_0);
  for (const char* version : {"HTTP/2.0", "HTTP/9.9", "HTTP/0.9"})
    CHECK(request_line("GET / " + std::string(version)) == 505);
  for (const char* version : {"http/1.1", "HTTP/1.10", "HTTP/11", "HTTP/1,1", "HTTP/1.", "HTTP/x.1", "HTTPS/1.1", ""})
    CHECK(request_line("GET / " + std::string(version)) == 400);
}

TEST_CASE("request lines that are refused") {
  for (const char* line : {"GET /",
                           "GET",
                           "",
                           " ",
                           " / HTTP/1.1",
                           "GET  / HTTP/1.1",
                           "GET /  HTTP/1.1",
                           "GET / HTTP/1.1 ",
                           "GET\t/ HTTP/1.1",
                           "G@T / HTTP/1.1",
                           "GET * HTTP/1.1",
                           "GET a HTTP/1.1",
                           "GET /#a HTTP/1.1",
                           "GET /\x80 HTTP/1.1",
                           "GET /% HTTP/1.1",
                           "GET /%4 HTTP/1.1",
                           "GET /%4g HTTP/1.1",
                           "GET http:///a HTTP/1.1",
                           "GET http://u@h/ HTTP/1.1",
                           "GET ftp://h/ HTTP/1.1",
                           "GET http:/h HTTP/1.1",
                           "GET http://h:x/ HTTP/1.1"}) {
    CAPTURE(line);
    CHECK(request_line(line) == 400);
  }
  CHECK(request_line("CONNECT a:443 HTTP/1.1") == 405);
  CHECK(request_line("TRACE / HTTP/1.1") == 405);
  const std::string longest = "/" + std::string(HeadLimits::target - 1, 'a');
  CHECK(request_line("GET " + longest + " HTTP/1.1") == 0);
  CHECK(request_line("GET " + longest + "a HTTP/1.1") == 414);
}

TEST_CASE("field lines") {
  std::vector<Field> fields;
  CHECK_FALSE(read_field_line("X-Name:  a b\t", fields));
  CHECK_FALSE(read_field_line("x!:", fields));
  CHECK_FALSE(read_field_line("Y:a:b\x80", fields));
  REQUIRE(fields.size() == 3);
  CHECK(fields[0].name == "x-name");
  CHECK(fields[0].value == "a b");
  CHECK(fields[1].value.empty());
  CHECK(fields[2].value == "a:b\x80");
  for (const char* line : {" X: a", "\tX: a", "X : a", "X", ": a", "X\x80: a", "X Y: a", "X(: a", "\"X\": a"}) {
    CAPTURE(line);
    CHECK(read_field_line(line, fields).status == 400);
  }
}

TEST_CASE("Host") {
  CHECK(status("GET", "") == 400);
  CHECK(status("GET", "", "HTTP/1.0") == 0);
  CHECK(status("GET", "Host: a\nHost: a\n") == 400);
  CHECK(status("GET", "Host: a\nHost: a\n", "HTTP/1.0") == 400);
  for (const char* host : {"", "a b", "a/b", "u@a", "a:b", "a:1:2", ":80", "[::1", "[]", "[::1]x", "a,b c", "\x80"}) {
    CAPTURE(host);
    CHECK(status("GET", "Host: " + std::string(host) + "\n") == 400);
  }
  for (const char* host : {"a", "a.example:8000", "a:", "[::1]", "[::1]:80", "127.0.0.1", "a_b-c%20"})
    CHECK(status("GET", "Host: " + std::string(host) + "\n") == 0);
}

TEST_CASE("Content-Length") {
  Head head;
  CHECK(status("POST", "Host: a\nContent-Length: 002\n", "HTTP/1.1", &head) == 0);
  CHECK(head.length == 2);
  CHECK(post("Content-Length: 1000\n") == 0);
  for (const char* value : {"1001", "9223372036854775808", "18446744073709551615", "107374182400"})
    CHECK(post("Content-Length: " + std::string(value) + "\n") == 413);
  for (const char* value :
       {"-1", "+2", "0x2", "2_0", "", "abc", "2abc", "2.0", "18446744073709551616", "2, 2", "2,2", "2 2", "\xb2"}) {
    CAPTURE(value);
    CHECK(post("Content-Length: " + std::string(value) + "\n") == 400);
  }
  CHECK(post("Content-Length: 2\nContent-Length: 2\n") == 400);
  CHECK(post("Content-Length: 2\nContent-Length: 3\n") == 400);
}

TEST_CASE("Transfer-Encoding") {
  Head head;
  CHECK(status("POST", "Host: a\nTransfer-Encoding: Chunked\n", "HTTP/1.1", &head) == 0);
  CHECK(head.chunked);
  for (const char* value : {"xchunked", "identity", "gzip, chunked", "chunked, gzip", "gzip"})
    CHECK(post("Transfer-Encoding: " + std::string(value) + "\n") == 501);
  for (const char* value :
       {",chunked", "chunked,", "chunked, chunked", "chunked;ext", "chunked; a=b", "", "\"chunked\"",
        "\x0b"
        "chunked",
        "chunked chunked"}) {
    CAPTURE(value);
    CHECK(post("Transfer-Encoding: " + std::string(value) + "\n") == 400);
  }
  CHECK(post("Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n") == 400);
  CHECK(post("Transfer-Encoding: chunked\nContent-Length: 2\n") == 400);
  CHECK(post("Content-Length: 2\nTransfer-Encoding: chunked\n") == 400);
  CHECK(post("Content-Length: 2000\nTransfer-Encoding: chunked\n") == 400);
  CHECK(status("POST", "Transfer-Encoding: chunked\n", "HTTP/1.0") == 400);
}

TEST_CASE("Connection, Expect and the type of the body") {
  const auto keeps = [](const std::string& fields, const char* version = "HTTP/1.1") {
    Head head;
    CHECK(status("GET", "Host: a\n" + fields, version, &head) == 0);
    return head.keep_alive;
  };
  CHECK(keeps(""));
  CHECK_FALSE(keeps("Connection: Close\n"));
  CHECK_FALSE(keeps("Connection: keep-alive, x\nConnection: close\n"));
  CHECK_FALSE(keeps("", "HTTP/1.0"));
  CHECK(keeps("Connection: Keep-Alive\n", "HTTP/1.0"));

  Head head;
  CHECK(status("POST", "Host: a\nExpect: 100-Continue\nContent-Length: 2\n", "HTTP/1.1", &head) == 0);
  CHECK(head.expects_continue);
  CHECK(status("POST", "Host: a\nExpect: 100-continue\nContent-Length: 2\n", "HTTP/1.0", &head) == 0);
  CHECK_FALSE(head.expects_continue);
  CHECK(post("Expect: something\n") == 417);
  CHECK(post("Expect: 100-continue\nContent-Length: 1001\n") == 413);

  for (const char* type : {"", "application/json", "Application/JSON; charset=utf-8", "application/problem+json",
                           "application/octet-stream", "text/json"})
    CHECK(post("Content-Type: " + std::string(type) + "\n") == 0);
  for (const char* type :
       {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "json"})
    CHECK(post("Content-Type: " + std::string(type) + "\n") == 415);
  CHECK(status("GET", "Host: a\nContent-Type: text/plain\n") == 0);
  CHECK(post("Content-Encoding: gzip\n") == 415);
  CHECK(post("Content-Encoding: identity\n") == 0);
}
