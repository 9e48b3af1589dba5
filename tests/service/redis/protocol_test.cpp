// Commands out, replies in, whatever the bytes are and however they are cut.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "service/inference/redis_protocol.hpp"

using namespace service;
using namespace std::string_literals;

namespace {

constexpr std::size_t limit = 1000;

struct Read {
  std::vector<std::string> replies; // a letter for the type, and the text
  bool broken = false;
};

Read read(const std::string& bytes, std::size_t piece) {
  RedisReplyReader reader(limit);
  Read read;
  for (std::size_t i = 0; i < bytes.size(); i += piece) {
    reader.feed(std::string_view(bytes).substr(i, piece));
    while (const auto reply = reader.next())
      read.replies.push_back(std::string(1, "sei$n"[static_cast<int>(reply->type)]) + reply->text);
  }
  read.broken = reader.broken();
  return read;
}

} // namespace

TEST_CASE("a command holds any bytes") {
  CHECK(redis_command({"PING"}) == "*1\r\n$4\r\nPING\r\n");
  CHECK(redis_command({"SET", std::string_view("a\0\r\n", 4), ""}) ==
        "*3\r\n$3\r\nSET\r\n$4\r\na\0\r\n\r\n$0\r\n\r\n"s);
}

TEST_CASE("replies come out as they went in, at every cut") {
  const std::string bytes = "+OK\r\n-ERR no such thing\r\n:-42\r\n$0\r\n\r\n$6\r\na\r\nb\r\n\r\n$-1\r\n+\r\n";
  const std::vector<std::string> expected{"sOK", "eERR no such thing", "i-42", "$", "$a\r\nb\r\n", "n", "s"};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Read whole = read(bytes, piece);
    CHECK(whole.replies == expected);
    CHECK_FALSE(whole.broken);
  }
}

TEST_CASE("a reply that is not whole is none") {
  for (const char* bytes : {"", "+", "+OK", "+OK\r", "$", "$5\r\n", "$5\r\nhello", "$5\r\nhello\r", ":12"}) {
    const Read none = read(bytes, 1);
    CHECK(none.replies.empty());
    CHECK_FALSE(none.broken);
  }
}

TEST_CASE("what is no single reply breaks the reader, and nothing comes after it") {
  std::string nested;
  for (int i = 0; i < 1'000'000; ++i)
    nested += "*1\r\n";
  for (const std::string& bytes : {std::string("*0\r\n"),
                                   std::string("*1\r\n+OK\r\n"),
                                   std::string("*-2\r\n"),
                                   std::string("*1000000000\r\n"),
                                   std::string("*9223372036854775807\r\n"),
                                   std::string("*99999999999999999999\r\n"),
                                   nested,
                                   std::string("$-2\r\n"),
                                   std::string("$99999999999999999999\r\n"),
                                   std::string("$x\r\n"),
                                   std::string("$\r\n"),
                                   std::string("$1a\r\n"),
                                   std::string("$01\r\n"),
                                   std::string(":\r\n"),
                                   std::string(":1.5\r\n"),
                                   std::string("_\r\n"),
                                   std::string("%1\r\n"),
                                   std::string("HTTP/1.1 400 Bad Request\r\n\r\n"),
                                   std::string("\0\0\0\0\r\n", 6),
                                   std::string("\r\n")}) {
    for (const std::size_t piece : {std::size_t(1), std::size_t(65536)}) {
      const Read none = read(bytes + "+OK\r\n", piece);
      CAPTURE(bytes.substr(0, 30));
      CHECK(none.replies.empty());
      CHECK(none.broken);
    }
  }
}

TEST_CASE("no reply is gathered that is longer than the limit") {
  for (const std::string& begin :
       {std::string("$2147483648\r\n"), std::string("$536870912\r\n"), std::string("$1001\r\n"),
        std::string("$9223372036854775807\r\n"), std::string("+"), std::string("-"), std::string(":")}) {
    RedisReplyReader reader(limit);
    std::size_t fed = 0;
    reader.feed(begin);
    for (; fed < 10 * limit && reader.next() == nullptr && !reader.broken(); fed += 100)
      reader.feed(std::string(100, '1'));
    CAPTURE(begin);
    CHECK(reader.broken());
    CHECK(fed <= limit + 100);
  }
}

TEST_CASE("many replies at once are not one long one") {
  std::string bytes;
  for (int i = 0; i < 1000; ++i)
    bytes += "$3\r\nabc\r\n";
  const Read all = read(bytes, bytes.size());
  CHECK(all.replies.size() == 1000);
  CHECK_FALSE(all.broken);
}
