#include "client.hpp"

#include <service/http/server.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace service;
using service::test::Client;
using namespace std::chrono_literals;

namespace {

ServerOptions local(std::size_t threads = 1) {
  ServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  options.threads = threads;
  return options;
}

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

} // namespace

TEST_CASE("what cannot be listened at is said in a line") {
  Server server(local(), [](const Request&, const Respond&) {});
  ServerOptions options = local();
  options.port = server.port();
  CHECK_THROWS_WITH_AS(
      Server(options, nullptr),
      ("cannot listen at 127.0.0.1:" + std::to_string(server.port()) + ": Address already in use").c_str(),
      std::system_error);
  options.host = "not an address";
  CHECK_THROWS_AS(Server(options, nullptr), std::system_error);
}

TEST_CASE("answers without a handler are told of") {
  ServerOptions options = local();
  options.max_connections = 1;
  std::mutex mutex;
  std::string told;
  options.on_own_answer = [&](std::string_view method, unsigned status) {
    const std::lock_guard lock(mutex);
    told.append(method).append(" ").append(std::to_string(status)).append(";");
  };
  Server server(options, [](const Request& request, const Respond& respond) {
    if (request.path == "/throws")
      throw std::runtime_error("thrown");
    respond({});
  });
  const auto send = [&](const std::string& bytes) {
    while (server.connections() > 0)
      std::this_thread::yield();
    Client client(server.port());
    client.send(bytes);
    client.receive();
  };
  send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  send("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  send("nonsense\r\n\r\n");
  send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n");
  send("GET /throws HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  while (server.connections() > 0)
    std::this_thread::yield();
  Client first(server.port()), one_too_many(server.port());
  CHECK(one_too_many.receive().rfind("HTTP/1.1 503", 0) == 0);
  const std::lock_guard lock(mutex);
  CHECK(told == "OPTIONS 204; 400;POST 413; 500; 503;");
}

TEST_CASE("answers come from any thread, to the connection that asked") {
  Server server(local(3), [](const Request& request, const Respond& respond) {
    std::thread([path = request.path, respond] { respond({200, {}, {}, path}); }).detach();
  });
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->send("GET /" + std::to_string(i) + "! HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  }
  for (int i = 0; i < 50; ++i) {
    const std::string answer = clients[static_cast<std::size_t>(i)]->receive();
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.ends_with("\r\n\r\n/" + std::to_string(i) + "!"));
  }
}

TEST_CASE("an answer may come after the server has gone, or twice") {
  std::promise<Respond> asked;
  std::shared_ptr<Caller> caller;
  auto server = std::make_optional<Server>(local(), [&](const Request& request, Respond respond) {
    caller = request.caller;
    asked.set_value(std::move(respond));
  });
  Client client(server->port());
  client.send(get);
  const Respond respond = asked.get_future().get();
  CHECK_FALSE(caller->gone);
  SUBCASE("after the server has gone") {
    server.reset();
    CHECK(caller->gone);
    CHECK(client.receive().empty());
    respond({});
  }
  SUBCASE("twice") {
    respond({200, {}, {}, "first"});
    respond({200, {}, {}, "second"});
    CHECK(server->finish(10s));
    const std::string answer = client.receive();
    CHECK(answer.ends_with("first"));
    CHECK_FALSE(caller->gone);
  }
}

TEST_CASE("finish waits for what has been asked, as long as it may") {
  std::promise<Respond> asked;
  Server server(local(2), [&](const Request&, Respond respond) { asked.set_value(std::move(respond)); });
  Client client(server.port());
  client.send(get);
  const Respond respond = asked.get_future().get();
  SUBCASE("answered in time") {
    auto finished = std::async(std::launch::async, [&] { return server.finish(20s); });
    std::this_thread::sleep_for(100ms);
    respond({200, {}, {}, "late"});
    CHECK(finished.get());
    const std::string answer = client.receive();
    CHECK(answer.find("Connection: close\r\n") != answer.npos);
    CHECK(answer.ends_with("late"));
  }
  SUBCASE("not answered") {
    CHECK_FALSE(server.finish(100ms));
    CHECK(client.receive().empty());
  }
  CHECK(server.connections() == 0);
  CHECK(server.finish(1s));
}

TEST_CASE("what a handler throws is answered") {
  Server server(local(), [](const Request&, const Respond&) { throw std::runtime_error("no"); });
  Client client(server.port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  CHECK(client.receive().starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
}

TEST_CASE("who will get no answer is told so by the end of the connection") {
  std::promise<Respond> held;
  Server server(local(), [&](const Request& request, Respond respond) {
    if (request.path == "/held")
      held.set_value(std::move(respond));
  });
  Client patient(server.port());
  patient.send("GET /held HTTP/1.0\r\n\r\n");
  Client client(server.port());
  client.send(get);
  const Clock::time_point begin = Clock::now();
  CHECK(client.receive().empty());
  CHECK(Clock::now() - begin < 8s); // less than this client's patience
  held.get_future().get()({200, {}, {}, "late"});
  CHECK(patient.receive().ends_with("late"));
}

TEST_CASE("all bodies together have a limit") {
  std::mutex mutex;
  std::vector<std::pair<Request, Respond>> held;
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return held.size();
  };
  ServerOptions options = local(2);
  options.max_total_body_bytes = 250'000;
  Server server(options, [&](Request request, Respond respond) {
    if (request.body.empty())
      return respond({});
    const std::lock_guard lock(mutex);
    held.emplace_back(std::move(request), std::move(respond));
  });
  const auto post = [](std::size_t sent, std::size_t size = 100'000) {
    return "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
           std::string(sent, 'x');
  };
  const auto refused = [&](std::size_t sent, std::size_t size = 100'000) {
    Client client(server.port());
    client.send(post(sent, size));
    const std::string answer = client.receive();
    CHECK(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    CHECK(answer.find("Retry-After: 1\r\n") != answer.npos);
    CHECK(answer.find("Connection: close\r\n") != answer.npos);
  };
  // What is only said to come takes no room.
  Client announcing(server.port());
  announcing.send(post(10, 2'000'000));
  auto first = std::make_unique<Client>(server.port());
  Client second(server.port());
  first->send(post(100'000));
  while (count() < 1)
    std::this_thread::yield();
  second.send(post(100'000));
  while (count() < 2)
    std::this_thread::yield();

  refused(100'000);
  refused(60'000, 2'000'000); // before it is whole
  Client(server.port()).send(post(40'000));
  Client bare(server.port());
  bare.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(bare.receive().starts_with("HTTP/1.1 200 OK\r\n"));

  SUBCASE("a client that has gone does not make room, as its request is there still") {
    first->reset_at_end();
    first.reset();
    while (!held[0].first.caller->gone)
      std::this_thread::yield();
    refused(100'000);
  }
  SUBCASE("an answer does") {
    held[0].second({});
    held[0] = {};
    CHECK(first->receive().starts_with("HTTP/1.1 200 OK\r\n"));
    std::vector<std::unique_ptr<Client>> third; // the client may have its answer before there is room again
    while (count() < 3) {
      third.push_back(std::make_unique<Client>(server.port()));
      third.back()->send(post(100'000));
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    refused(100'000);
  }
  held.clear();
}

TEST_CASE("answers that nobody reads have a limit, too") {
  constexpr std::size_t large = 40'000'000, small = 60'000;
  ServerOptions options = local(2);
  options.max_total_body_bytes = large + small / 2; // small ones do not count
  Server server(options, [&](const Request& request, const Respond& respond) {
    respond({200, {}, {}, std::string(request.path == "/large" ? large : small, 'x')});
  });
  const auto ask = [](Client& client, const std::string& path) {
    client.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
    std::string head;
    for (std::string byte = "?"; !byte.empty() && !head.ends_with("\r\n\r\n"); head += byte)
      byte = client.receive(1);
    return head;
  };
  Client idler(server.port()), refused(server.port()), other(server.port());
  CHECK(ask(idler, "/large").starts_with("HTTP/1.1 200"));
  const std::string refusal = ask(refused, "/large");
  CHECK(refusal.starts_with("HTTP/1.1 503"));
  CHECK(refusal.find("Retry-After: 1\r\n") != refusal.npos);
  CHECK(ask(other, "/small").starts_with("HTTP/1.1 200"));
  CHECK(other.receive(small).size() == small);

  CHECK(idler.receive(large).size() == large); // all three stay open
  std::string head;                            // the idler may have had its answer before there is room again
  for (const auto end = Clock::now() + 10s; !head.starts_with("HTTP/1.1 200") && Clock::now() < end;) {
    Client client(server.port());
    head = ask(client, "/large");
  }
  CHECK(head.starts_with("HTTP/1.1 200"));
}
