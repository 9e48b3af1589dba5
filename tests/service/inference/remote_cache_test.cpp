// The remote cache between the one in process and the model: asked once a call, believed with care, never waited for.

#include "service/inference/fake_engine.hpp"
#include "service/inference/remote_cache.hpp"
#include "service/inference/text_key.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <thread>

using namespace service;
using namespace service::test;

namespace {

using Rows = std::vector<std::shared_ptr<const Row>>;

/// A table; answers at once, or, held, when it is told.
class FakeRemote : public RemoteCache {
public:
  void get(std::vector<std::string> keys, Found found) override {
    std::unique_lock<std::mutex> lock(mutex_);
    gets_.push_back(keys);
    if (throws)
      throw std::bad_alloc();
    const auto answer = [this, keys, found] {
      Rows rows;
      for (const std::string& key : keys)
        rows.push_back(table_.count(key) ? table_[key] : nullptr);
      if (short_by_one)
        rows.pop_back();
      found(rows);
      if (twice)
        found(Rows(keys.size(), std::make_shared<const Row>(2, 77.f)));
    };
    if (held) {
      later_.push_back(answer);
      return;
    }
    lock.unlock();
    answer();
  }

  void put(std::string key, std::shared_ptr<const Row> row) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    puts_.push_back(key);
    table_[key] = std::move(row);
    if (throws)
      throw std::bad_alloc();
  }

  void release() {
    std::vector<std::function<void()>> later;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      later.swap(later_);
    }
    for (const auto& answer : later)
      answer();
  }

  void know(const Encoding& text, Row row) {
    const std::lock_guard<std::mutex> lock(mutex_);
    table_[TextKey::of(Output::pooled, text)->bytes()] = std::make_shared<const Row>(std::move(row));
  }
  std::vector<std::vector<std::string>> gets() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return gets_;
  }
  std::vector<std::string> puts() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return puts_;
  }

  std::atomic<bool> held{false}, throws{false}, short_by_one{false}, twice{false};

private:
  std::mutex mutex_;
  std::vector<std::vector<std::string>> gets_;
  std::vector<std::string> puts_;
  std::map<std::string, std::shared_ptr<const Row>> table_;
  std::vector<std::function<void()>> later_;
};

/// Both, and the texts that the engine had.
struct Tiers {
  explicit Tiers(InferenceOptions options = {}) {
    options.remote = &remote;
    inference = std::make_unique<Inference>(engine, options);
  }
  std::shared_ptr<FakeEngine> engine = std::make_shared<FakeEngine>();
  FakeRemote remote;
  std::unique_ptr<Inference> inference;
};

/// Waits for what workers do after they answered.
template <class Condition> bool soon(const Condition& condition) {
  for (int i = 0; i < 2000 && !condition(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return condition();
}

} // namespace

TEST_CASE("a call asks once for what is not in memory; what is computed is stored") {
  Tiers tiers;
  tiers.remote.know(text({1}), {50, 51});
  const Answer answer = ask(*tiers.inference, {text({1}), text({2}), text({2}), text({3})}).get();
  REQUIRE_FALSE(answer.failure);
  CHECK(*answer.rows[0] == Row{50, 51});
  CHECK(*answer.rows[1] == Row{2, 0.5f});
  CHECK(answer.cached == 2); // the first, and the third, which is the second
  REQUIRE(tiers.remote.gets().size() == 1);
  CHECK(tiers.remote.gets()[0].size() == 3);
  CHECK(soon([&] { return tiers.remote.puts().size() == 2; }));
  CHECK(tiers.remote.puts()[0] == TextKey::of(Output::pooled, text({2}))->bytes());

  const Answer again = ask(*tiers.inference, {text({3}), text({1})}).get();
  CHECK(*again.rows[1] == Row{50, 51});
  CHECK(again.cached == 2);
  CHECK(tiers.remote.gets().size() == 1);
  CHECK(tiers.engine->texts() == 2);
}

TEST_CASE("a row that cannot be the text's is a miss") {
  for (const Row& bad : {Row{1}, Row{1, 2, 3}, Row{}, Row{1, std::numeric_limits<float>::quiet_NaN()},
                         Row{std::numeric_limits<float>::infinity(), 1}}) {
    Tiers tiers;
    tiers.remote.know(text({1}), bad);
    const Answer answer = ask(*tiers.inference, {text({1})}).get();
    REQUIRE_FALSE(answer.failure);
    CHECK(*answer.rows[0] == Row{1, 0.5f});
    CHECK(answer.cached == 0);
  }
}

TEST_CASE("whatever else the remote cache does, the model answers") {
  Tiers tiers;
  tiers.remote.know(text({1}), {50, 51});
  SUBCASE("it throws") { tiers.remote.throws = true; }
  SUBCASE("it has too few rows") { tiers.remote.short_by_one = true; }
  for (int i = 0; i < 3; ++i) {
    const Answer answer = ask(*tiers.inference, {text({10 + i}), text({20 + i})}).get();
    REQUIRE_FALSE(answer.failure);
    CHECK(*answer.rows[0] == Row{static_cast<float>(10 + i), 0.5f});
    CHECK(*answer.rows[1] == Row{static_cast<float>(20 + i), 0.5f});
  }
}

TEST_CASE("a second answer is not listened to") {
  Tiers tiers;
  tiers.remote.twice = true;
  const Answer answer = ask(*tiers.inference, {text({1})}).get();
  CHECK(*answer.rows[0] == Row{1, 0.5f});
}

TEST_CASE("while it is asked, others join the text, other texts pass, and turns come by age") {
  InferenceOptions options;
  options.batch_tokens = 1;
  options.queue_texts = 5;
  Tiers tiers(options);
  tiers.remote.held = true;
  tiers.remote.know(text({2}), {50, 51});
  auto a = ask(*tiers.inference, {text({1}), text({2})});
  auto b = ask(*tiers.inference, {text({2}), text({1})});
  CHECK(tiers.remote.gets().size() == 1);
  CHECK(tiers.inference->waiting() == 4);
  CHECK(ask(*tiers.inference, {text({3}), text({4})}).get().failure->kind == Failure::Kind::overloaded);
  tiers.remote.held = false;
  CHECK(*ask(*tiers.inference, {text({3})}).get().rows[0] == Row{3, 0.5f});
  CHECK_FALSE(is_ready(a));

  tiers.engine->close();
  auto young = ask(*tiers.inference, {text({5})});
  tiers.engine->wait_for(2);
  auto younger = ask(*tiers.inference, {text({6})});
  tiers.remote.release(); // now 1 waits, longer than 6
  tiers.engine->open();
  const Answer of_a = a.get(), of_b = b.get();
  CHECK(*of_a.rows[1] == Row{50, 51});
  CHECK(of_a.rows[0] == of_b.rows[1]);
  CHECK(of_a.cached == 1);
  CHECK(of_b.cached == 2);
  young.get();
  younger.get();
  CHECK(tiers.engine->batch(2) == std::vector{1});
  CHECK(tiers.engine->batch(3) == std::vector{6});
  CHECK(tiers.inference->waiting() == 0);
}

TEST_CASE("the end waits for its answer, and the calls are told") {
  Tiers tiers;
  tiers.remote.held = true;
  tiers.remote.know(text({2}), {50, 51});
  auto a = ask(*tiers.inference, {text({1})}), b = ask(*tiers.inference, {text({2})});
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    tiers.remote.release();
  });
  tiers.inference.reset();
  CHECK(a.get().failure->kind == Failure::Kind::draining);
  CHECK(*b.get().rows[0] == Row{50, 51});
  later.join();
}
