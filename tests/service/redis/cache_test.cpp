// RedisCache and a real Redis: in good order, out of order, gone and back.

#include "asking.hpp"
#include "redis_server.hpp"

#include <csignal>
#include <mutex>

#include "service/inference/redis_value.hpp"

namespace {

std::string stored_at(const std::string& key) { return redis_key("model", key); }

} // namespace

TEST_CASE("what is put is found, by its key and model alone") {
  RedisServer server;
  Asker asker(patient(at_socket(server.socket())));
  CHECK(asker.get(numbered_keys("a", 3)) == 0);
  CHECK(asker.stats().misses == 3);
  for (const std::string& key : numbered_keys("a", 100))
    asker.put(key);
  asker.put_and_get("last");
  CHECK(asker.get(numbered_keys("a", 200)) == 100);
  CHECK(asker.get({"a1", "no", "a1", "a99"}) == 3);
  CHECK(asker.get({}) == 0);
  asker.put_and_get(std::string("\0\r\n\xFF", 4));
  CHECK(asker.stats().errors == 0);
  CHECK(asker.stats().connects == 1);
  CHECK(server.ask({"GET", stored_at("a1")}) == RedisValue::encode(stored_at("a1"), row_of("a1")));

  RedisOptions other = patient(at_socket(server.socket()));
  other.fingerprint = "another model";
  CHECK(Asker(other).get({"a1", "a2"}) == 0);
  CHECK(Asker(patient(at_socket(server.socket()))).get({"a1", "a2"}) == 2);
}

TEST_CASE("rows stay for their time") {
  RedisServer server;
  RedisOptions options = patient(at_socket(server.socket()));
  options.ttl = 1000s;
  Asker(options).put_and_get("a");
  const int ttl = std::stoi(server.ask({"TTL", stored_at("a")}).value());
  CHECK(ttl > 900);
  CHECK(ttl <= 1000);

  options.ttl = 0s;
  Asker(options).put_and_get("b");
  CHECK(server.ask({"TTL", stored_at("b")}) == "-1");

  options.ttl = 1s;
  Asker asker(options);
  asker.put_and_get("c");
  const auto end = Clock::now() + 5s;
  while (asker.has("c") && Clock::now() < end)
    std::this_thread::sleep_for(50ms);
  CHECK_FALSE(asker.has("c"));
}

TEST_CASE("rows that are too long or not finite are not stored; the longest is") {
  RedisServer server;
  RedisOptions options = patient(at_socket(server.socket()));
  options.max_row_floats = 100'000;
  Asker asker(options);
  asker.cache().put("nan", std::make_shared<const Row>(Row{1, std::numeric_limits<float>::quiet_NaN()}));
  asker.cache().put("long", std::make_shared<const Row>(100'001, 1.0F));
  asker.cache().put("longest", std::make_shared<const Row>(100'000, 1.0F));
  asker.put_and_get("after");
  CHECK(server.ask({"EXISTS", stored_at("nan")}) == "0");
  CHECK(server.ask({"EXISTS", stored_at("long")}) == "0");
  CHECK(asker.stats().dropped == 2);
  std::promise<Row> longest;
  asker.cache().get({"longest"}, [&](auto rows) { longest.set_value(rows[0] ? *rows[0] : Row()); });
  CHECK(longest.get_future().get() == Row(100'000, 1.0F));
}

TEST_CASE("many threads ask and store at once") {
  RedisServer server;
  Asker asker(patient(at_socket(server.socket())));
  std::atomic<int> answers{0}, wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string key = std::to_string((i * 7 + t) % 50);
        asker.cache().put(key, std::make_shared<const Row>(row_of(key)));
        asker.cache().get({key, "none"}, [&, key](auto rows) {
          ++answers;
          wrong += rows.size() != 2 || rows[1] || (rows[0] && *rows[0] != row_of(key));
        });
      }
    });
  for (std::thread& thread : threads)
    thread.join();
  const auto end = Clock::now() + 10s;
  while (answers < 800 && Clock::now() < end)
    std::this_thread::sleep_for(1ms);
  CHECK(answers == 800);
  CHECK(wrong == 0);
  CHECK(asker.get({"0", "1"}) == 2);
}

TEST_CASE("log-in and database") {
  RedisServer server({"--user", "default", "on", ">of the default user", "~*", "+@all", "--user", "me", "on", ">mine",
                      "~distilbert:*", "+getrange", "+set", "+unlink", "+ping", "+select"});
  RedisUrl url = at_socket(server.socket());
  url.password = "of the default user";
  url.database = 3;
  Asker(patient(url)).put_and_get("a");
  url.user = "me";
  url.password = "mine";
  CHECK(Asker(patient(url)).get({"a"}) == 1);
  url.database = 0;
  CHECK(Asker(patient(url)).get({"a"}) == 0);

  SUBCASE("no password") { url.user = url.password = ""; }
  SUBCASE("a wrong password") { url.password = "yours"; }
  SUBCASE("no such user") { url.user = "nobody"; }
  SUBCASE("no such database") { url.database = 999; }
  std::mutex mutex;
  std::string why;
  RedisOptions options = patient(url);
  options.log = [&](bool up, std::string_view reason) {
    const std::lock_guard<std::mutex> lock(mutex);
    why.append(up ? "up" : "").append(reason);
  };
  Asker refused(options);
  refused.wait_for_open();
  CHECK(refused.stats().errors > 0);
  CHECK(refused.stats().connects == 0);
  const std::lock_guard<std::mutex> lock(mutex);
  CHECK((why == "PING: NOAUTH" || why == "AUTH: WRONGPASS" || why == "SELECT: ERR"));
}

TEST_CASE("a Redis that refuses is known before somebody asks") {
  RedisServer server;
  RedisUrl url = at_socket(server.socket());
  url.database = 999;
  RedisOptions options = patient(url);
  options.pause = 50ms;
  Asker asker(options);
  for (const auto end = Clock::now() + 10s; !asker.open() && Clock::now() < end;)
    std::this_thread::sleep_for(5ms);
  CHECK(asker.open());
}

TEST_CASE("a value that is not ours is a miss, and deleted") {
  RedisServer server;
  RedisOptions options = patient(at_socket(server.socket()));
  options.max_row_floats = 1000;
  Asker asker(options);
  asker.put_and_get("good");
  const std::string key = stored_at("bad");
  const std::string good = RedisValue::encode(key, row_of("bad"));
  const auto poison = [&](std::string_view value) { server.ask({"SET", key, value}); };

  SUBCASE("JSON") { poison("{\"label\": 1}"); }
  SUBCASE("a single byte") { poison("x"); }
  SUBCASE("cut") { poison(good.substr(0, good.size() - 1)); }
  SUBCASE("longer") { poison(good + "\1\2\3\4"); }
  SUBCASE("another version") { poison("\2" + good.substr(1)); }
  SUBCASE("another count") { poison(good.substr(0, 4) + "\1" + good.substr(5)); }
  SUBCASE("another float") { poison(good.substr(0, good.size() - 1) + "\1"); }
  SUBCASE("another key's value") { poison(server.ask({"GET", stored_at("good")}).value()); }
  SUBCASE("the same key's of another model") { poison(RedisValue::encode(redis_key("other", "bad"), row_of("bad"))); }
  SUBCASE("NaN, with a checksum that fits") {
    poison(RedisValue::encode(key, {1, std::numeric_limits<float>::quiet_NaN()}));
  }
  SUBCASE("too long, with a checksum that fits") { poison(RedisValue::encode(key, Row(1001, 1.0F))); }
  SUBCASE("huge") { CHECK(server.ask({"SETRANGE", key, "100000000", "x"}) == "100000001"); }
  SUBCASE("a list") { server.ask({"RPUSH", key, "1"}); }

  CHECK(server.ask({"EXISTS", key}) == "1");
  CHECK(asker.get({"good", "bad", "none"}) == 1);
  CHECK(asker.stats().bad_values == 1);
  CHECK(asker.stats().errors == 1);
  CHECK(asker.get({"bad"}) == 0);
  CHECK(server.ask({"EXISTS", key}) == "0");
  asker.put_and_get("bad");
  CHECK(asker.stats().connects == 1);
}

TEST_CASE("Redis is absent at first") {
  RedisServer server({}, false);
  Asker asker(patient(at_socket(server.socket())));
  CHECK(asker.get({"a", "b"}) == 0);
  CHECK(asker.stats().errors == 2);
  CHECK(asker.stats().timeouts == 0);
  asker.wait_for_open();
  for (int i = 0; i < 1000; ++i)
    asker.put(std::to_string(i));
  server.start();
  asker.put_and_get("a", 2s);
}

TEST_CASE("a killed Redis comes back; default times") {
  RedisServer server;
  RedisOptions options = patient(at_socket(server.socket()));
  options.pause = RedisOptions().pause;
  Asker asker(options);
  for (int i = 0; i < 2; ++i) {
    asker.put_and_get("a");
    server.kill();
    asker.wait_for_open();
    for (int calls = 0; calls < 1000; ++calls)
      asker.get({"a"});
    CHECK(asker.stats().timeouts == 0);
    server.start();
    asker.put_and_get("a", 2s);
  }
  CHECK(asker.stats().connects == 3);
}

TEST_CASE("Redis restarts under load") {
  RedisServer server;
  Asker asker(patient(at_socket(server.socket())));
  std::atomic<bool> stop{false};
  std::thread load([&] {
    for (int i = 0; !stop; ++i) {
      asker.put(std::to_string(i % 10));
      asker.get({std::to_string(i % 10), std::to_string((i + 1) % 10)});
    }
  });
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(100ms);
    server.kill();
    std::this_thread::sleep_for(50ms);
    server.start();
  }
  const auto hits = asker.stats().hits.load();
  const auto end = Clock::now() + 2s;
  while (asker.stats().hits == hits && Clock::now() < end)
    std::this_thread::sleep_for(1ms);
  CHECK(asker.stats().hits > hits);
  stop = true;
  load.join();
}

TEST_CASE("connections closed by Redis: 100 of 100 calls are served") {
  RedisServer server;
  Asker asker(patient(at_socket(server.socket())));
  asker.put_and_get("a");
  for (int i = 0; i < 100; ++i) {
    CHECK(server.kill_clients() == 1);
    CHECK(asker.has("a"));
  }
  CHECK(asker.stats().connects == 101);
  CHECK(asker.stats().errors == 0);
}

TEST_CASE("connections closed by Redis while calls are under way: each is tried once more") {
  RedisServer server;
  Asker asker(patient(at_socket(server.socket())));
  asker.put_and_get("a");
  constexpr int kills = 20;
  std::atomic<bool> done{false};
  std::thread killer([&] {
    for (int i = 0; i < kills; ++i) {
      server.kill_clients();
      std::this_thread::sleep_for(20ms);
    }
    done = true;
  });
  std::size_t lost = 0;
  while (!done)
    lost += 1 - asker.get({"a"});
  killer.join();
  CHECK(asker.stats().connects > 2);
  CHECK(lost <= kills / 2); // a call is lost where its second connection was killed, too
}

TEST_CASE("Redis closes idle connections (`timeout 1`)") {
  RedisServer server({"--timeout", "1"});
  Asker asker(patient(at_socket(server.socket())));
  asker.put_and_get("a");
  const auto connects = asker.stats().connects.load();
  for (int i = 0; i < 2; ++i) {
    std::this_thread::sleep_for(2500ms);
    CHECK(server.ask({"PING"}) == "PONG");
    CHECK(asker.has("a"));
  }
  CHECK(asker.stats().connects == connects + 2);
  CHECK(asker.stats().errors == 0);
}

TEST_CASE("a stopped Redis costs the budget, then nothing, and is back when it goes on") {
  RedisServer server;
  RedisOptions options = patient(at_socket(server.socket()));
  Asker(options).put_and_get("a");
  options.budget = 50ms;
  Asker asker(options);
  asker.wait_for("a");
  server.signal(SIGSTOP);
  CHECK(asker.get({"a"}) == 0);
  CHECK(asker.took >= 50ms);
  CHECK(asker.stats().timeouts == 1);
  asker.wait_for_open();
  asker.get({"a"});
  CHECK(asker.took < 50ms);
  std::this_thread::sleep_for(500ms);
  CHECK(asker.open());
  server.signal(SIGCONT);
  asker.wait_for("a", 5s);
}

TEST_CASE("Redis refuses to store: rows are found all the same") {
  RedisServer server;
  Asker asker(patient(at_socket(server.socket())));
  asker.put_and_get("a");
  SUBCASE("a replica") {
    server.ask({"REPLICAOF", "127.0.0.1", "1"});
    server.ask({"CONFIG", "SET", "replica-serve-stale-data", "yes"});
  }
  SUBCASE("no memory left") { server.ask({"CONFIG", "SET", "maxmemory", "1"}); }
  const auto dropped = asker.stats().dropped.load();
  const auto stored = asker.stats().stored.load();
  for (int i = 0; i < 20; ++i) {
    asker.put("b" + std::to_string(i));
    CHECK(asker.has("a"));
  }
  CHECK(asker.stats().dropped > dropped);
  CHECK(asker.stats().stored == stored);
  CHECK(asker.stats().connects == 1);
  CHECK_FALSE(asker.open());
  server.ask({"REPLICAOF", "NO", "ONE"});
  server.ask({"CONFIG", "SET", "maxmemory", "0"});
  asker.put_and_get("b", 5s);
}

TEST_CASE("no more rows wait to be stored than the queue may hold") {
  RedisServer server;
  RedisOptions options = patient(at_socket(server.socket()));
  options.queue_bytes = 100'000;
  Asker asker(options);
  asker.put_and_get("a");
  server.signal(SIGSTOP);
  const auto row = std::make_shared<const Row>(1000, 1.0F);
  for (int i = 0; i < 1000; ++i) // which would never end if one waited for Redis
    asker.cache().put(std::to_string(i), row);
  CHECK(asker.stats().dropped > 800);
  server.signal(SIGCONT);
  asker.put_and_get("b");
}

TEST_CASE("the end answers what waits") {
  RedisServer server;
  RedisOptions options = patient(at_socket(server.socket()));
  options.budget = 60s;
  std::atomic<int> answers{0};
  const auto start = Clock::now();
  {
    RedisCache cache(options);
    server.signal(SIGSTOP);
    for (int i = 0; i < 10; ++i)
      cache.get({"a", "b"}, [&](auto rows) { answers += rows.size() == 2 && !rows[0] && !rows[1]; });
  }
  CHECK(answers == 10);
  CHECK(Clock::now() - start < 5s);
}
