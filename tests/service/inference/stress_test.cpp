// Many threads, few texts, and everything that can go wrong, all at once: each call is answered once, with its own
// rows.

#include "service/inference/fake_engine.hpp"
#include "service/inference/remote_cache.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <thread>

using namespace service;
using namespace service::test;

namespace {

/// Forgets and finds as it likes, half of the time on a thread of its own.
class MoodyRemote : public RemoteCache {
public:
  ~MoodyRemote() override { worker_.join(); }

  void get(std::vector<std::string> keys, Found found) override {
    std::vector<std::shared_ptr<const Row>> rows;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (const std::string& key : keys)
        rows.push_back(random_() % 2 && table_.count(key) ? table_[key] : nullptr);
      if (random_() % 2 && !ended_) {
        later_.emplace_back([found, rows] { found(rows); });
        return;
      }
    }
    found(rows);
  }
  void put(std::string key, std::shared_ptr<const Row> row) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    table_[std::move(key)] = std::move(row);
  }
  void end() { ended_ = true; }

private:
  void work() {
    for (bool last = false; !last;) {
      last = ended_;
      std::vector<std::function<void()>> later;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        later.swap(later_);
      }
      for (const auto& answer : later)
        answer();
      std::this_thread::yield();
    }
  }

  std::mutex mutex_;
  std::mt19937 random_{3};
  std::map<std::string, std::shared_ptr<const Row>> table_;
  std::vector<std::function<void()>> later_;
  std::atomic<bool> ended_{false};
  std::thread worker_{[this] { work(); }};
};

} // namespace

TEST_CASE("eight threads of callers, some of whom leave, and texts of which some fail") {
  const auto engine = std::make_shared<FakeEngine>();
  engine->fail(200);
  MoodyRemote remote;
  InferenceOptions options;
  options.workers = 3;
  options.batch_tokens = 20;
  options.queue_texts = 60;
  options.cache_bytes = 4000; // a dozen rows
  options.remote = &remote;
  constexpr std::size_t threads = 8, calls = 2000;
  std::array<std::atomic<std::size_t>, 8> kinds{}; // by Failure::Kind; the last: none
  std::atomic<std::size_t> answers{0}, wrong{0};
  {
    Inference inference(engine, options);
    std::vector<std::thread> callers;
    for (std::size_t t = 0; t < threads; ++t)
      callers.emplace_back([&, t] {
        std::mt19937 random(static_cast<unsigned>(t));
        for (std::size_t i = 0; i < calls; ++i) {
          Ask call;
          for (std::size_t n = random() % 4 + 1; n > 0; --n) {
            const auto id = static_cast<std::int32_t>(random() % 40);
            call.texts.push_back(text({id, id % 5, 1}, {0, id % 2, 0}));
          }
          if (random() % 20 == 0)
            call.texts.back().ids.back() = std::array{non_finite, invalid_id, no_memory, strange}[random() % 4];
          if (random() % 20 == 0)
            call.deadline = Clock::now() + std::chrono::microseconds(random() % 200);
          const auto caller = call.caller;
          const std::vector<Encoding> texts = call.texts;
          inference.ask(std::move(call), [&, texts](const Answer& answer) {
            ++kinds[answer.failure ? static_cast<std::size_t>(answer.failure->kind) : 7];
            for (std::size_t k = 0; k < answer.rows.size(); ++k)
              wrong += !answer.rows[k] || *answer.rows[k] != FakeEngine::row(Output::pooled, texts[k]);
            wrong += answer.rows.size() != (answer.failure ? 0 : texts.size());
            ++answers;
          });
          if (random() % 20 == 0)
            caller->gone = true;
          if (random() % 8 == 0)
            std::this_thread::yield();
        }
      });
    for (std::thread& caller : callers)
      caller.join();
    while (answers < threads * calls)
      std::this_thread::yield();
    CHECK(inference.waiting() == 0);
    for (std::int32_t id = 0; id < 40; ++id) // and then all is as before
      CHECK(*ask(inference, {text({id})}).get().rows[0] == Row{static_cast<float>(id), 0.5f});
  }
  remote.end();
  CHECK(answers == threads * calls);
  CHECK(wrong == 0);
  CHECK(kinds[static_cast<std::size_t>(Failure::Kind::draining)] == 0);
  CHECK(kinds[7] > 0);
  CHECK(kinds[static_cast<std::size_t>(Failure::Kind::model)] > 0);
  CHECK(kinds[static_cast<std::size_t>(Failure::Kind::invalid)] > 0);
  CHECK(kinds[static_cast<std::size_t>(Failure::Kind::internal)] > 0);
}

TEST_CASE("ends under fire") {
  for (int round = 0; round < 30; ++round) {
    const auto engine = std::make_shared<FakeEngine>();
    MoodyRemote remote;
    std::atomic<std::size_t> answers{0};
    {
      InferenceOptions options;
      options.workers = 2;
      options.remote = &remote;
      Inference inference(engine, options);
      for (std::int32_t i = 0; i < 100; ++i) {
        Ask call;
        call.texts = {text({i}), text({i / 2})};
        inference.ask(std::move(call), [&](const Answer&) { ++answers; });
      }
    }
    CHECK(answers == 100);
    remote.end();
  }
}
