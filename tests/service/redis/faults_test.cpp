// RedisCache behind a network, and before servers, that do whatever they like.

#include "asking.hpp"
#include "fault_proxy.hpp"
#include "redis_server.hpp"

#include <condition_variable>
#include <mutex>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/inference/redis_value.hpp"

namespace {

/// With a row "a" in it.
struct Network {
  Network() { Asker(patient(at_port(proxy.port()))).put_and_get("a"); }

  RedisServer server;
  FaultProxy proxy{server.socket()};
};

/// Gives up soon, but not within what a busy machine needs for an honest answer.
RedisOptions impatient(const RedisUrl& url) {
  RedisOptions options = patient(url);
  options.budget = 100ms;
  return options;
}

/// A port at which nobody listens.
std::uint16_t closed_port() {
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  REQUIRE(bind(descriptor, reinterpret_cast<sockaddr*>(&name), size) == 0);
  REQUIRE(getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &size) == 0);
  close(descriptor);
  return ntohs(name.sin_port);
}

/// A resolver that knows the name when it is told to, and does not answer before.
class Resolver {
public:
  RedisResolve function(std::uint16_t port) const {
    return [state = state_, port](const RedisUrl&) {
      std::unique_lock<std::mutex> lock(state->mutex);
      ++state->calls;
      state->wake.wait(lock, [&] { return state->answers; });
      return resolve_redis(at_port(port));
    };
  }
  void answer() {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->answers = true;
    state_->wake.notify_all();
  }
  int calls() const {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    return state_->calls;
  }
  ~Resolver() { answer(); }

private:
  struct State {
    std::mutex mutex;
    std::condition_variable wake;
    bool answers = false;
    int calls = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

} // namespace

TEST_CASE("refused: at once, and each pause again") {
  Asker asker(patient(at_port(closed_port())));
  asker.wait_for_open();
  CHECK(asker.get(numbered_keys("a", 5)) == 0);
  CHECK(asker.stats().timeouts == 0);
  CHECK(asker.stats().connects == 0);
}

TEST_CASE("a name that nobody knows") {
  RedisUrl url;
  url.host = "no-such-host.invalid";
  RedisOptions options = impatient(url);
  Asker asker(options);
  asker.wait_for_open();
  asker.get({"a"});
  CHECK(asker.took < 90ms);
}

TEST_CASE("a resolver that does not answer delays neither calls nor the end, and is asked once") {
  Network network;
  Resolver resolver;
  RedisUrl url;
  url.host = "redis.svc";
  RedisOptions options = impatient(url);
  options.resolve = resolver.function(network.proxy.port());
  auto asker = std::make_unique<Asker>(options);
  asker->wait_for_open();
  CHECK(resolver.calls() == 1);

  SUBCASE("it never does") {
    const auto start = Clock::now();
    asker.reset();
    CHECK(Clock::now() - start < 1s);
  }
  SUBCASE("it does at last") {
    std::this_thread::sleep_for(500ms);
    CHECK(asker->open());
    resolver.answer();
    asker->wait_for("a");
    CHECK(resolver.calls() == 1);
  }
  SUBCASE("it throws") {
    options.resolve = [](const RedisUrl&) -> std::vector<RedisAddress> { throw std::runtime_error("no"); };
    Asker(options).wait_for_open();
  }
}

TEST_CASE("a name is looked up again once its address fails") {
  Network one, two;
  std::atomic<std::uint16_t> port{one.proxy.port()};
  std::atomic<int> calls{0};
  RedisUrl url;
  url.host = "redis.svc";
  RedisOptions options = patient(url);
  options.resolve = [&](const RedisUrl&) {
    ++calls;
    return resolve_redis(at_port(port));
  };
  Asker asker(options);
  asker.wait_for("a");
  one.server.kill_clients();
  CHECK(asker.has("a"));
  CHECK(calls == 1);
  port = two.proxy.port();
  one.server.kill();
  asker.wait_for("a");
  CHECK(calls > 1);
}

TEST_CASE("the second address is tried when the first fails") {
  Network network;
  const std::uint16_t closed = closed_port();
  RedisUrl url;
  url.host = "redis.svc";
  RedisOptions options = patient(url);
  options.resolve = [&](const RedisUrl&) {
    auto addresses = resolve_redis(at_port(closed));
    addresses.push_back(resolve_redis(at_port(network.proxy.port())).front());
    return addresses;
  };
  Asker asker(options);
  CHECK(asker.has("a"));
  CHECK(asker.stats().errors == 0);
}

TEST_CASE("a slow network costs the budget until it costs nothing, and is used again when it is fast") {
  Network network;
  Asker asker(impatient(at_port(network.proxy.port())));
  asker.wait_for("a");
  Fault fault;
  SUBCASE("a little too slow") { fault.delay = 150ms; }
  SUBCASE("1 s") { fault.delay = 1s; }
  SUBCASE("30 s") { fault.delay = 30s; }
  SUBCASE("a black hole") { fault.swallow = true; }
  network.proxy.set(fault);
  CHECK(asker.get({"a"}) == 0);
  CHECK(asker.took >= 100ms);
  CHECK(asker.stats().timeouts == 1);
  asker.wait_for_open();
  asker.get({"a"});
  CHECK(asker.took < 90ms);
  CHECK(network.proxy.harmed() > 0);
  const int connections = network.proxy.connections();
  std::this_thread::sleep_for(1s);
  CHECK(asker.open());
  CHECK(network.proxy.connections() - connections <= 6); // an attempt each 200 ms
  network.proxy.set({});
  asker.wait_for("a");
}

TEST_CASE("a network that is slow, but not too slow, is used") {
  Network network;
  Asker asker(patient(at_port(network.proxy.port())));
  Fault fault;
  SUBCASE("latency") { fault.delay = 10ms; }
  SUBCASE("a byte a packet") { fault.drip = true; }
  network.proxy.set(fault);
  for (int i = 0; i < 10; ++i)
    CHECK(asker.get({"a", "b", "a"}) == 2);
  CHECK(asker.stats().connects == 1);
}

TEST_CASE("answers that came in time count, though others did not") {
  Network network;
  Asker asker(impatient(at_port(network.proxy.port())));
  asker.wait_for("a");
  Fault fault;
  // The answer to "a", the beginning of another
  fault.instead = "$" + std::to_string(RedisValue::size(row_of("a").size())) + "\r\n" +
                  network.server.ask({"GET", redis_key("model", "a")}).value() + "\r\n$100\r\n";
  network.proxy.set(fault);
  CHECK(asker.get({"a", "a", "a"}) == 1);
  CHECK(asker.took >= 100ms);
  network.proxy.set({});
  asker.wait_for("a");
}

TEST_CASE("connections are cut after k bytes, for every k") {
  Network network;
  const std::size_t whole = std::string("+PONG\r\n$24\r\n\r\n").size() + RedisValue::size(row_of("a").size());
  for (const bool reset : {false, true})
    for (std::size_t k = 0; k < whole; ++k) {
      CAPTURE(k);
      Fault fault;
      fault.cut_after = k;
      fault.reset = reset;
      network.proxy.set(fault);
      Asker asker(patient(at_port(network.proxy.port())));
      CHECK(asker.get({"a"}) == 0);
      CHECK(asker.stats().timeouts == 0); // the end is seen
      CHECK(asker.stats().connects <= 2);
      network.proxy.set({});
      asker.wait_for("a");
    }
  CHECK(network.proxy.harmed() > 0);
}

TEST_CASE("replies that are none, or none to this: a miss, a new connection, and it goes on") {
  Network network;
  RedisOptions options = patient(at_port(network.proxy.port()));
  options.max_row_floats = 1000;
  Asker asker(options);
  asker.wait_for("a");
  std::string nested;
  for (int i = 0; i < 1'000'000; ++i)
    nested += "*1\r\n";
  const std::string value = network.server.ask({"GET", redis_key("model", "a")}).value();
  const std::string bulk = "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  for (const std::string& reply :
       {std::string(":1\r\n"), std::string("+OK\r\n"), std::string("$-1\r\n"), std::string("*1\r\n") + bulk,
        std::string("*-1\r\n"), std::string("*-2\r\n"), std::string("*0\r\n"), std::string("*1000000000\r\n"), nested,
        std::string("$-2\r\n"), "$2147483648\r\n" + std::string(10'000'000, 'x'), std::string(10'000'000, '+'),
        std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string(1000, '\0'), std::string("%1\r\n"), bulk + bulk,
        bulk + "+OK\r\n"}) {
    const auto connects = asker.stats().connects.load();
    Fault fault;
    fault.instead = reply;
    network.proxy.set(fault);
    CAPTURE(reply.substr(0, 30));
    asker.get({"a"});
    network.proxy.set({});
    asker.wait_for("a");
    CHECK(asker.stats().connects == connects + 1);
    CHECK(asker.stats().timeouts == 0);
  }
}

TEST_CASE("a reply that never ends costs the budget") {
  Network network;
  Asker asker(impatient(at_port(network.proxy.port())));
  asker.wait_for("a");
  Fault fault;
  fault.instead = "$2147483648\r\nbut no more";
  network.proxy.set(fault);
  CHECK(asker.get({"a"}) == 0);
  CHECK(asker.stats().timeouts == 1);
  network.proxy.set({});
  asker.wait_for("a");
}

TEST_CASE("errors instead of rows: misses on the same connection until there are too many") {
  Network network;
  Asker asker(patient(at_port(network.proxy.port())));
  asker.wait_for("a");
  Fault fault;
  SUBCASE("loading") { fault.instead = "-LOADING Redis is loading the dataset in memory\r\n"; }
  SUBCASE("log in") { fault.instead = "-NOAUTH Authentication required.\r\n"; }
  SUBCASE("elsewhere") { fault.instead = "-MOVED 3999 127.0.0.1:6381\r\n"; }
  SUBCASE("no memory") { fault.instead = "-OOM command not allowed when used memory > 'maxmemory'.\r\n"; }
  SUBCASE("read only") { fault.instead = "-READONLY You can't write against a read only replica.\r\n"; }
  SUBCASE("without a word") { fault.instead = "-\r\n"; }
  network.proxy.set(fault);
  for (int i = 0; i < 3; ++i)
    CHECK(asker.get({"a"}) == 0);
  CHECK(asker.stats().connects == 1);
  CHECK(asker.get({"a"}) == 0);
  for (const auto end = Clock::now() + 5s; !asker.open() && Clock::now() < end;) // which comes after the answer
    std::this_thread::sleep_for(1ms);
  CHECK(asker.open());
  CHECK(asker.stats().errors == 4);
  const int connections = network.proxy.connections();
  for (const auto end = Clock::now() + 1s; Clock::now() < end; std::this_thread::sleep_for(1ms))
    asker.get({"a"});
  CHECK(network.proxy.connections() - connections <= 6);
  network.proxy.set({});
  asker.wait_for("a");
}

TEST_CASE("no greeting, no use: until there is one") {
  Network network;
  Fault fault;
  SUBCASE("loading") { fault.greeting = "-LOADING Redis is loading the dataset in memory\r\n"; }
  SUBCASE("log in") { fault.greeting = "-NOAUTH Authentication required.\r\n"; }
  SUBCASE("too many clients") { fault.greeting = "-ERR max number of clients reached\r\n"; }
  SUBCASE("not Redis") { fault.greeting = "SSH-2.0-OpenSSH_9.2\r\n"; }
  SUBCASE("a row") { fault.greeting = "$5\r\nhello\r\n"; }
  SUBCASE("closed") { fault.cut_after = 0; }
  SUBCASE("reset") {
    fault.cut_after = 0;
    fault.reset = true;
  }
  network.proxy.set(fault);
  Asker asker(patient(at_port(network.proxy.port())));
  CHECK(asker.get({"a"}) == 0);
  asker.wait_for_open();
  CHECK(asker.stats().timeouts == 0);
  CHECK(asker.stats().connects == 0);
  network.proxy.set({});
  asker.wait_for("a");
}

TEST_CASE("replies out of step: never another key's row, and in step again") {
  Network network;
  Asker asker(patient(at_port(network.proxy.port())));
  asker.put_and_get("b");
  const std::string value = network.server.ask({"GET", redis_key("model", "b")}).value();
  network.server.kill_clients();
  asker.wait_for("a");
  Fault fault;
  fault.insert = "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  network.proxy.set(fault);
  CHECK(asker.get({"a", "b", "a", "b"}) == 0);
  network.proxy.set({});
  asker.put_and_get("a");
  asker.put_and_get("b");
}

TEST_CASE("a late reply is not taken for that to the next call") {
  Network network;
  Asker asker(impatient(at_port(network.proxy.port())));
  asker.put_and_get("b");
  asker.wait_for("a");
  for (int i = 0; i < 3; ++i) {
    const auto connects = asker.stats().connects.load();
    Fault fault;
    fault.delay = 150ms;
    network.proxy.set(fault);
    CHECK(asker.get({"a"}) == 0);
    network.proxy.set({});
    asker.wait_for("b");
    CHECK(asker.stats().connects == connects + 1);
  }
}

TEST_CASE("rows that Redis does not confirm are given up, and so is the connection") {
  Network network;
  RedisOptions options = impatient(at_port(network.proxy.port()));
  Asker asker(options);
  asker.wait_for("a");
  Fault fault;
  fault.swallow = true;
  network.proxy.set(fault);
  asker.put("b");
  const auto end = Clock::now() + 5s;
  while (asker.stats().dropped == 0 && Clock::now() < end)
    std::this_thread::sleep_for(10ms);
  CHECK(asker.stats().dropped == 1);
  network.proxy.set({});
  asker.wait_for("a");
}
