// Each allocation of the server fails once: who is under way may get no answer, but whoever comes next does.

#include "../failing_allocations.hpp"
#include "client.hpp"

#include <service/http/router.hpp>
#include <service/http/server.hpp>

#include <doctest/doctest.h>

#include <string>
#include <thread>

using namespace service;
using namespace service::test;
using namespace std::chrono_literals;

namespace {

const std::string echo =
    "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 40\r\n\r\n" + std::string(40, 'x');

std::string ask(const Server& server) {
  Client client(server.port());
  client.send(echo);
  return client.receive();
}

void check_served(const Server& server) {
  const std::string answer = ask(server);
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.ends_with(std::string(40, 'x')));
}

} // namespace

TEST_CASE("whatever fails for one request, the next is served") {
  spared = true;
  Router router;
  router.add("POST", "/echo", [](const auto& request, const Respond& respond) {
    respond({200, "text/plain", {}, request->body});
  });
  ServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  options.threads = 2;
  Server server(options, [&](Request request, Respond respond) {
    const auto whose = std::make_shared<std::string>(request.path); // as services keep something of a request
    router.handle(std::move(request), [whose, respond](Response response) {
      response.fields.push_back({"X-Path", *whose + std::string(30, '/')});
      respond(std::move(response));
    });
  });
  check_served(server);
  int failed = 0;
  for (int k = 0; k < 60; ++k) {
    CAPTURE(k);
    left_elsewhere = k;
    const Clock::time_point begin = Clock::now();
    ask(server);
    CHECK(Clock::now() - begin < 8s); // less than the client's patience
    failed += left_elsewhere.exchange(never) == never;
    check_served(server);
  }
  CHECK(failed > 20);
  CHECK(failed < 60); // the last went through
  CHECK(server.finish(8s));
  CHECK(server.connections() == 0);
}
