// Each allocation on the way of a call fails once: that call throws or fails, and all others are served.

#include "service/failing_allocations.hpp"
#include "service/inference/fake_engine.hpp"
#include "service/inference/remote_cache.hpp"

#include <doctest/doctest.h>

#include <map>
#include <thread>

using namespace service;
using namespace service::test;

namespace {

class Table : public RemoteCache {
public:
  void get(std::vector<std::string> keys, Found found) override {
    std::vector<std::shared_ptr<const Row>> rows(keys.size());
    if (!rows.empty())
      rows[0] = known_;
    found(std::move(rows));
  }
  void put(std::string, std::shared_ptr<const Row>) override {}

private:
  std::shared_ptr<const Row> known_ = std::make_shared<const Row>(Row{50, 51});
};

/// Four new texts, one of them twice.
Ask call_of(std::int32_t number) {
  Ask call;
  for (const std::int32_t id : {0, 1, 2, 1, 3})
    call.texts.push_back(text({10'000 + 10 * number + id, 1, 2, 3}));
  return call;
}

void wait_for(const std::atomic<int>& answers) {
  while (answers == 0)
    std::this_thread::yield();
}

void check_served(Inference& inference, std::int32_t number) {
  const Answer answer = ask(inference, call_of(number)).get();
  REQUIRE_FALSE(answer.failure);
  CHECK(answer.rows.size() == 5);
  CHECK(answer.rows[1] == answer.rows[3]);
  CHECK(inference.waiting() == 0);
}

} // namespace

TEST_CASE("while a call is taken in: it throws and is forgotten, or is answered") {
  spared = true;
  Table table;
  for (RemoteCache* remote : {static_cast<RemoteCache*>(nullptr), static_cast<RemoteCache*>(&table)}) {
    InferenceOptions options;
    options.remote = remote;
    const auto engine = std::make_shared<FakeEngine>();
    Inference inference(engine, options);
    int thrown = 0;
    for (int k = 0; k < 200; ++k) {
      std::atomic<int> answers{0};
      bool threw = false;
      Ask call = call_of(k);
      left_here = k;
      try {
        inference.ask(std::move(call), [&answers](const Answer&) { ++answers; });
      } catch (const std::bad_alloc&) {
        threw = true;
      }
      left_here = never;
      if (!threw)
        wait_for(answers);
      thrown += threw;
      check_served(inference, k);
      CHECK(answers == (threw ? 0 : 1));
    }
    CHECK(thrown > 20);
    CHECK(thrown < 200); // the last went through
  }
}

TEST_CASE("while a worker is at it: the call fails or is answered, and the worker goes on") {
  spared = true;
  Table table;
  for (RemoteCache* remote : {static_cast<RemoteCache*>(nullptr), static_cast<RemoteCache*>(&table)}) {
    InferenceOptions options;
    options.remote = remote;
    const auto engine = std::make_shared<FakeEngine>();
    Inference inference(engine, options);
    int failed = 0;
    for (int k = 0; k < 150; ++k) {
      std::atomic<int> answers{0}, failures{0};
      left_elsewhere = k;
      inference.ask(call_of(k), [&](const Answer& answer) {
        failures += answer.failure.has_value();
        ++answers;
      });
      wait_for(answers);
      left_elsewhere = never;
      failed += failures;
      check_served(inference, k);
      CHECK(answers == 1);
    }
    CHECK(failed < 150);
  }
}
