#include <service/http/server.hpp>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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

using namespace service;
using namespace std::chrono_literals;

namespace {

/// A client that blocks, for ten seconds at most.
class Client {
public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::close(socket_); }

  void send(const std::string& bytes) {
    REQUIRE(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }

  /// All bytes until the server closes.
  std::string receive() {
    std::string all;
    char bytes[4096];
    for (ssize_t size; (size = ::recv(socket_, bytes, sizeof bytes, 0)) > 0;)
      all.append(bytes, static_cast<std::size_t>(size));
    return all;
  }

private:
  int socket_;
};

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
