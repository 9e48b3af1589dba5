#include <service/http/request_reader.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace service;

namespace {

/// What a reader makes of a stream in pieces: a line for each request, then the status that refuses or what it waits
/// for.
class Reading {
public:
  void feed(std::string_view bytes) {
    while (!bytes.empty() && reader_.state() != RequestReader::State::refused) {
      bytes.remove_prefix(reader_.read(bytes));
      if (reader_.state() == RequestReader::State::expects) {
        result_ += "100 ";
        reader_.go_on();
      }
      if (reader_.state() == RequestReader::State::complete) {
        const Request request = reader_.take();
        result_ += request.method + ' ' + request.path + ' ' + request.body + '|';
        reader_.next();
      }
    }
  }

  std::string result() const {
    switch (reader_.state()) {
    case RequestReader::State::idle: return result_;
    case RequestReader::State::head: return result_ + "head";
    case RequestReader::State::body: return result_ + "body";
    case RequestReader::State::refused: return result_ + std::to_string(reader_.refusal().status);
    default: return result_ + "?";
    }
  }

private:
  RequestReader reader_{20'000};
  std::string result_;
};

std::string whole(std::string_view bytes) {
  Reading reading;
  reading.feed(bytes);
  return reading.result();
}

/// The same for the bytes whole, cut in two at every place, and one by one.
std::string read(const std::string& bytes) {
  const std::string expected = whole(bytes);
  const std::size_t step = bytes.size() < 2'000 ? 1 : 997;
  for (std::size_t cut = 0; cut < bytes.size(); cut += step) {
    Reading reading;
    reading.feed(std::string_view(bytes).substr(0, cut));
    reading.feed(std::string_view(bytes).substr(cut));
    REQUIRE(reading.result() == expected);
  }
  Reading reading;
  for (const char& c : bytes)
    reading.feed({&c, 1});
  REQUIRE(reading.result() == expected);
  return expected;
}

std::string chunked(const std::string& body) {
  return read("POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body);
}

const std::string get = "GET /h HTTP/1.1\r\nHost: a\r\n\r\n";

std::string lines(std::size_t count, const std::string& line) {
  std::string all = "GET /h HTTP/1.1\r\nHost: a\r\n";
  while (count-- > 0)
    all += line;
  return all + "\r\n";
}

} // namespace

TEST_CASE("requests, one after the other") {
  CHECK(read(get) == "GET /h |");
  CHECK(read(get + get + get) == "GET /h |GET /h |GET /h |");
  CHECK(read("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get) == "POST /e hello|GET /h |");
  CHECK(read("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell") == "body");
  CHECK(read("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello}") == "POST /e hello|400");
  CHECK(read("GET /h HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab") == "GET /h ab|");
  CHECK(read(get + "GET /h HTTP/1.1\r\n\r\n") == "GET /h |400");
  CHECK(read("POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab") ==
        "100 POST /e ab|");
  CHECK(read("POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 20001\r\n\r\n") == "413");
}

TEST_CASE("the ends of lines") {
  CHECK(read("\r\n" + get) == "GET /h |");
  CHECK(read(get + "\r\n" + get) == "GET /h |GET /h |");
  CHECK(read("\r\n\r\n" + get) == "400");
  for (const char* bytes :
       {"\n", "GET /h HTTP/1.1\n", "GET /h HTTP/1.1\r\nHost: a\n", "GET /h HTTP/1.1\r\nHost: a\r\n\n",
        "GET /h HTTP/1.1\rHost", "GET /h HTTP/1.1\r\nHost: a\rb", "GET /h HTTP/1.1\r\r\n",
        "GET /h HTTP/1.1\r\nHost: a\r\n b", "GET /h HTTP/1.1\r\n Host: a\r\n", "GET /h HTTP/1.1\r\nHost: a\r\nX: \x01",
        "GET /\x7f", "\x16\x03\x01", "{", "GET /\r\n"}) {
    CAPTURE(bytes);
    const std::string result = read(bytes);
    CHECK((result == "400" || result == "head"));
    CHECK(read(std::string(bytes) + "\r\n\r\n") == "400");
  }
  CHECK(read(std::string("GET /h HTTP/1.1\r\nHost: a\r\nX: ") + char{}) == "400");
  CHECK(read("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == "505");
}

TEST_CASE("limits of the head") {
  CHECK(read("GET /" + std::string(8'191, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n").substr(0, 6) == "GET /a");
  CHECK(read("GET /" + std::string(8'192, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n") == "414");
  CHECK(read("GET /" + std::string(70'000, 'a')) == "414");
  CHECK(read(std::string(1'000'000, 'A')) == "414");
  CHECK(read(lines(99, "X: a\r\n")) == "GET /h |");
  CHECK(read(lines(100, "X: a\r\n")) == "431");
  CHECK(read(lines(1, "X: " + std::string(16'000, 'a') + "\r\n")) == "GET /h |");
  CHECK(read(lines(1, "X: " + std::string(16'400, 'a') + "\r\n")) == "431");
  CHECK(read(lines(3, "X: " + std::string(6'000, 'a') + "\r\n")) == "431");
  CHECK(read(lines(1, "X: " + std::string(2'000'000, 'a') + "\r\n")) == "431");
}

TEST_CASE("chunked bodies") {
  CHECK(chunked("2\r\nab\r\n0\r\n\r\n") == "POST /e ab|");
  CHECK(chunked("0\r\n\r\n" + get) == "POST /e |GET /h |");
  CHECK(chunked("a\r\n0123456789\r\n00A\r\n0123456789\r\n0\r\n\r\n") == "POST /e 01234567890123456789|");
  CHECK(chunked("0000000000000002\r\nab\r\n0\r\n\r\n") == "POST /e ab|");
  CHECK(chunked("2;a=b\r\nab\r\n0;c\r\n\r\n") == "POST /e ab|");
  CHECK(chunked("2;" + std::string(256, 'x') + "\r\nab\r\n0\r\n\r\n") == "POST /e ab|");
  CHECK(chunked("2\r\nab\r\n0\r\nContent-Length: 9\r\nX: y\r\n\r\n" + get) == "POST /e ab|GET /h |");
  for (const char* body : {"ZZ\r\n",
                           "0x2\r\nab\r\n",
                           "+2\r\n",
                           "-2\r\n",
                           " 2\r\n",
                           "2 \r\n",
                           "2 ;a=b\r\n",
                           "\r\n",
                           "00000000000000002\r\n",
                           "11111111111111111\r\n",
                           "000000000000000000000000000000\r\n",
                           "2;a\n",
                           "2;a\rb",
                           "2\nab\r\n",
                           "2\r\nab\n",
                           "2\r\nabc",
                           "2\r\nab0\r\n\r\n",
                           "2\r\nab\r\n0\n",
                           "2\r\nab\r\n0\r\n\n",
                           "0\r\nno colon\r\n",
                           "0\r\n X: a\r\n"}) {
    CAPTURE(body);
    CHECK(chunked(body) == "400");
  }
  CHECK(chunked("2;" + std::string(100'000, 'x')) == "400");
  CHECK(chunked("8000000000000000\r\n") == "413");
  CHECK(chunked("4e21\r\n") == "413");
  CHECK(chunked("4e20\r\n") == "body");
  CHECK(chunked("1\r\na\r\n4e20\r\n") == "413");
  CHECK(chunked("0\r\nX: " + std::string(2'000'000, 'a')) == "431");
  std::string many = "0\r\n";
  for (int i = 0; i < 101; ++i)
    many += "X: a\r\n";
  CHECK(chunked(many) == "431");
}

TEST_CASE("the end of the stream") {
  RequestReader reader(100);
  reader.end();
  CHECK(reader.state() == RequestReader::State::idle);
  reader.read("G");
  reader.end();
  CHECK(reader.refusal().status == 400);
}
