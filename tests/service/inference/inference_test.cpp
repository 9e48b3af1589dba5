// Batches, the order of turns, bounds, single flight, and that one call's trouble is no other's.

#include "service/inference/fake_engine.hpp"

#include "service/observe/log.hpp"
#include "service/observe/metrics.hpp"

#include <doctest/doctest.h>

#include <string>
#include <thread>

#include <unistd.h>

using namespace service;
using namespace service::test;

namespace {

/// One worker whose model is busy with the text {1} until the engine is opened; what is asked meanwhile waits.
struct Busy {
  explicit Busy(InferenceOptions options = {}, Task task = Task::classifier)
      : engine(std::make_shared<FakeEngine>(task)), inference(engine, options) {
    engine->close();
    first = ask(inference, {text({1})});
    engine->wait_for(1);
  }
  ~Busy() { engine->open(); }

  std::shared_ptr<FakeEngine> engine;
  Inference inference;
  std::future<Answer> first;
};

Row row(std::vector<std::int32_t> ids) {
  return FakeEngine::row(Output::pooled, text(ids, std::vector<std::int32_t>(ids.size())));
}

Failure::Kind failure_of(std::future<Answer> answer) {
  const Answer a = answer.get();
  REQUIRE(a.failure);
  CHECK(a.rows.empty());
  CHECK_FALSE(a.failure->message.empty());
  return a.failure->kind;
}

/// The only row of an answer.
Row row_of(std::future<Answer> answer) {
  const Answer a = answer.get();
  REQUIRE_FALSE(a.failure);
  REQUIRE(a.rows.size() == 1);
  return *a.rows[0];
}

InferenceOptions one_text_a_batch() {
  InferenceOptions options;
  options.batch_tokens = 1;
  return options;
}

} // namespace

TEST_CASE("rows come in the order of the texts") {
  const auto engine = std::make_shared<FakeEngine>();
  Inference inference(engine, {});
  const Answer answer = ask(inference, {text({7, 8}), text({9}), text({7}, {1})}).get();
  REQUIRE_FALSE(answer.failure);
  REQUIRE(answer.rows.size() == 3);
  CHECK(*answer.rows[0] == row({7, 8}));
  CHECK(*answer.rows[1] == row({9}));
  CHECK(*answer.rows[2] == Row{7, 1.5f});
  CHECK(answer.cached == 0);
  CHECK(ask(inference, std::vector<Encoding>{}).get().rows.empty());
  CHECK(inference.waiting() == 0);
}

TEST_CASE("what waits is batched up to the token budget, the longest waiting first") {
  InferenceOptions options;
  options.batch_tokens = 6;
  Busy busy(options);
  std::vector<std::future<Answer>> answers;
  answers.push_back(ask(busy.inference, {text({11, 0}), text({12, 0}), text({13, 0})}));
  answers.push_back(ask(busy.inference, {text({14, 0, 0, 0, 0, 0, 0})})); // more than the budget alone
  answers.push_back(ask(busy.inference, {text({15})}));
  answers.push_back(ask(busy.inference, {text({16}), text({17, 0, 0, 0, 0}), text({18})}));
  CHECK(busy.inference.waiting() == 8);
  busy.engine->open();
  for (auto& answer : answers)
    CHECK_FALSE(answer.get().failure);
  REQUIRE(busy.engine->batches().size() == 5);
  CHECK(busy.engine->batch(1) == std::vector{11, 12, 13});
  CHECK(busy.engine->batch(2) == std::vector{14});
  CHECK(busy.engine->batch(3) == std::vector{15, 16}); // 17 waits its turn, and 18 does not pass it
  CHECK(busy.engine->batch(4) == std::vector{17, 18});
  CHECK(busy.inference.waiting() == 0);
}

TEST_CASE("a batch has one output, and the other's turn comes by age, too") {
  Busy busy({}, Task::embedder);
  const auto tokens = [&](std::int32_t id) {
    Ask call;
    call.texts = {text({id, 5})};
    call.output = Output::tokens;
    return ask(busy.inference, std::move(call));
  };
  auto a = ask(busy.inference, {text({21, 5})});
  auto b = tokens(21); // the same ids, another output
  auto c = ask(busy.inference, {text({22})});
  auto d = tokens(23);
  busy.engine->open();
  CHECK(row_of(std::move(a)) == row({21, 5}));
  CHECK(row_of(std::move(b)) == Row{21, 0, 5, 0});
  CHECK(row_of(std::move(c)) == row({22}));
  CHECK(row_of(std::move(d)) == Row{23, 0, 5, 0});
  CHECK(busy.engine->outputs() == std::vector{Output::pooled, Output::pooled, Output::tokens});
  CHECK(busy.engine->batch(1) == std::vector{21, 22});
  CHECK(busy.engine->batch(2) == std::vector{21, 23});
}

TEST_CASE("a call of many texts is spread over the workers") {
  const auto engine = std::make_shared<FakeEngine>();
  InferenceOptions options;
  options.workers = 3;
  options.batch_tokens = 4;
  Inference inference(engine, options);
  engine->close();
  std::vector<Encoding> texts;
  for (std::int32_t i = 0; i < 12; ++i)
    texts.push_back(text({100 + i}));
  auto answer = ask(inference, texts);
  engine->wait_for(3); // at once: none of them has come to an end
  engine->open();
  CHECK(answer.get().rows.size() == 12);
  for (std::size_t batch = 0; batch < 3; ++batch)
    CHECK(engine->batch(batch).size() == 4);
}

TEST_CASE("the queue is bounded, and takes a call whole or not at all") {
  InferenceOptions options;
  options.queue_texts = 3;
  Busy busy(options);
  auto a = ask(busy.inference, {text({31}), text({32})});
  CHECK(failure_of(ask(busy.inference, {text({33}), text({34})})) == Failure::Kind::overloaded);
  CHECK(busy.inference.waiting() == 2);
  auto b = ask(busy.inference, {text({35})});
  CHECK(failure_of(ask(busy.inference, {text({36})})) == Failure::Kind::overloaded);
  CHECK(failure_of(ask(busy.inference, {text({31})})) == Failure::Kind::overloaded); // also to wait with others
  busy.engine->open();
  CHECK_FALSE(a.get().failure);
  CHECK(row_of(std::move(b)) == row({35}));
  CHECK(row_of(ask(busy.inference, {text({33})})) == row({33})); // the refused texts left nothing behind
  CHECK(busy.engine->texts() == 5);
  CHECK(failure_of(ask(busy.inference, {text({37}), text({38}), text({39}), text({40})})) == Failure::Kind::overloaded);
  const Answer hits = ask(busy.inference, {text({31}), text({32}), text({33}), text({35})}).get();
  CHECK_FALSE(hits.failure);
  CHECK(hits.cached == 4);
}

TEST_CASE("those who join a text that the model has already count, too") {
  InferenceOptions options;
  options.queue_texts = 2;
  Busy busy(options);
  auto a = ask(busy.inference, {text({1})}), b = ask(busy.inference, {text({1})});
  CHECK(busy.inference.waiting() == 2);
  CHECK(failure_of(ask(busy.inference, {text({1})})) == Failure::Kind::overloaded);
  busy.engine->open();
  CHECK(row_of(std::move(a)) == row({1}));
  CHECK(row_of(std::move(b)) == row({1}));
  CHECK(busy.inference.waiting() == 0);
  CHECK(busy.engine->texts() == 1);
}

TEST_CASE("who has gone, and who is too late, is left out before the work") {
  Busy busy(one_text_a_batch());
  Ask gone, late, both;
  gone.texts = {text({41}), text({42})};
  late.texts = {text({43}), text({44})};
  late.deadline = Clock::now();
  gone.caller->gone = true;
  const auto caller = gone.caller;
  auto a = ask(busy.inference, std::move(gone)), b = ask(busy.inference, std::move(late));
  auto c = ask(busy.inference, {text({45})});
  busy.engine->open();
  CHECK(failure_of(std::move(a)) == Failure::Kind::gone);
  CHECK(failure_of(std::move(b)) == Failure::Kind::timeout);
  CHECK(row_of(std::move(c)) == row({45}));
  CHECK(busy.engine->batches().size() == 2);
  CHECK(busy.inference.waiting() == 0);
}

TEST_CASE("who leaves takes no other along who waits for the same text") {
  Busy busy(one_text_a_batch());
  Ask gone, late;
  gone.texts = {text({51})};
  late.texts = {text({51}), text({52})};
  late.deadline = Clock::now();
  const auto caller = gone.caller;
  auto a = ask(busy.inference, std::move(gone)), b = ask(busy.inference, std::move(late));
  auto c = ask(busy.inference, {text({51})});
  caller->gone = true;
  busy.engine->open();
  CHECK(failure_of(std::move(a)) == Failure::Kind::gone);
  CHECK(failure_of(std::move(b)) == Failure::Kind::timeout);
  const Answer answer = c.get();
  REQUIRE_FALSE(answer.failure);
  CHECK(*answer.rows[0] == row({51}));
  CHECK(answer.cached == 0); // it was run for this call
  CHECK(busy.engine->texts() == 2);
}

TEST_CASE("each text that queued is told of once, also of a call that is too late, and no other") {
  Metrics metrics;
  InferenceOptions options = one_text_a_batch();
  options.metrics = &metrics;
  Busy busy(options);
  auto joined = ask(busy.inference, {text({1})}); // a text that the model has already
  auto served = ask(busy.inference, {text({41}), text({42})});
  Ask late;
  late.texts = {text({43}), text({44}), text({42})};
  late.deadline = Clock::now();
  auto failed = ask(busy.inference, std::move(late));
  busy.engine->open();
  CHECK_FALSE(served.get().failure);
  CHECK(failure_of(std::move(failed)) == Failure::Kind::timeout);
  CHECK(row_of(ask(busy.inference, {text({45})})) == row({45}));            // those before have left the queue
  CHECK_FALSE(ask(busy.inference, {text({45}), text({41})}).get().failure); // from the cache
  const std::string text = metrics.exposition();
  CHECK(text.find("distilbert_queue_seconds_count 7\n") != text.npos); // 1, 41, 42, 43, 44, 42, 45
  const auto of_memory = [&](const std::string& result, const char* texts) {
    return text.find("{result=\"" + result + "\",tier=\"memory\"} " + texts + '\n') != text.npos;
  };
  CHECK(of_memory("hit", "2"));    // 45, 41
  CHECK(of_memory("joined", "2")); // 1, 42
  CHECK(of_memory("miss", "6"));
}

TEST_CASE("equal texts are computed once, within a call and across calls, waiting or running") {
  Busy busy;
  auto running = ask(busy.inference, {text({1})});
  auto a = ask(busy.inference, {text({61}), text({62}), text({61}, {0})});
  auto b = ask(busy.inference, {text({62}), text({63}), text({61}, {1})}); // another type id is another text
  busy.engine->open();
  const Answer of_a = a.get(), of_b = b.get();
  CHECK(row_of(std::move(running)) == row({1}));
  REQUIRE_FALSE(of_a.failure);
  REQUIRE_FALSE(of_b.failure);
  CHECK(of_a.rows[0] == of_a.rows[2]);
  CHECK(of_a.cached == 1);
  CHECK(of_b.rows[0] == of_a.rows[1]);
  CHECK(*of_b.rows[2] == Row{61, 1.5f});
  CHECK(of_b.cached == 1);
  CHECK(busy.engine->texts() == 5);
  CHECK(of_a.queued.count() > 0);
  CHECK(of_a.computed.count() > 0);
  const Answer again = ask(busy.inference, {text({63})}).get();
  CHECK(again.rows[0] == of_b.rows[1]); // the very object, from the cache
  CHECK(again.cached == 1);
  CHECK(again.queued.count() == 0);
}

TEST_CASE("without a cache every call is computed, but only once at a time") {
  InferenceOptions options;
  options.cache_bytes = 0;
  Busy busy(options);
  auto a = ask(busy.inference, {text({71}), text({71})}), b = ask(busy.inference, {text({71})});
  busy.engine->open();
  CHECK(a.get().cached == 1);
  CHECK(b.get().cached == 1);
  CHECK(row_of(ask(busy.inference, {text({71})})) == row({71}));
  CHECK(busy.engine->texts() == 3);
}

TEST_CASE("a text that fails fails its own call, and its batch mates are served") {
  for (const auto& [id, kind] : {std::pair(non_finite, Failure::Kind::model),
                                 {invalid_id, Failure::Kind::invalid},
                                 {strange, Failure::Kind::internal},
                                 {too_few_rows, Failure::Kind::internal}}) {
    const auto token = id; // CAPTURE makes a lambda, for which clang++ 14 takes no structured binding
    CAPTURE(token);
    Busy busy;
    auto a = ask(busy.inference, {text({81}), text({82})});
    auto bad = ask(busy.inference, {text({83}), text({5, id}), text({84})});
    auto b = ask(busy.inference, {text({85}), text({83})}); // a text of the failed call
    busy.engine->open();
    CHECK(failure_of(std::move(bad)) == kind);
    const Answer of_a = a.get(), of_b = b.get();
    REQUIRE_FALSE(of_a.failure);
    REQUIRE_FALSE(of_b.failure);
    CHECK(*of_a.rows[1] == row({82}));
    CHECK(*of_b.rows[0] == row({85}));
    CHECK(*of_b.rows[1] == row({83}));
    CHECK(failure_of(ask(busy.inference, {text({5, id})})) == kind); // it was not cached
    CHECK(row_of(ask(busy.inference, {text({86})})) == row({86}));   // and the worker goes on
    CHECK(busy.inference.waiting() == 0);
  }
}

TEST_CASE("why the model failed is logged, unless the text is to blame") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  LogOptions options;
  options.descriptor = ends[1];
  start_log(options);
  Inference inference(std::make_shared<FakeEngine>(), {});
  for (const std::int32_t id : {non_finite, invalid_id, strange, too_few_rows})
    CHECK(ask(inference, {text({id})}).get().failure);
  options.level = LogLevel::off;
  start_log(options);
  ::close(ends[1]);
  std::string lines(4096, '\0');
  lines.resize(static_cast<std::size_t>(::read(ends[0], lines.data(), lines.size())));
  ::close(ends[0]);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 3);
  CHECK(
      lines.find(R"("level":"ERROR","message":"the model failed","what":"the model's answer is not a finite number)") !=
      lines.npos);
  CHECK(lines.find(R"("what":"another number of rows than of texts")") != lines.npos);
  CHECK(lines.find("an exception without words") != lines.npos);
}

TEST_CASE("memory that is short for one call is there again for those who wait for the same text") {
  Busy busy;
  auto a = ask(busy.inference, {text({no_memory}), text({no_memory})}), b = ask(busy.inference, {text({no_memory})}),
       c = ask(busy.inference, {text({no_memory})});
  busy.engine->fail(2);
  busy.engine->open();
  CHECK(failure_of(std::move(a)) == Failure::Kind::internal);
  CHECK(failure_of(std::move(b)) == Failure::Kind::internal);
  CHECK(row_of(std::move(c)) == row({no_memory}));
  CHECK(busy.inference.waiting() == 0);
}

TEST_CASE("type ids that do not fit their tokens are refused") {
  Inference inference(std::make_shared<FakeEngine>(), {});
  CHECK(failure_of(ask(inference, {text({1, 2}), text({1, 2}, {0})})) == Failure::Kind::invalid);
  CHECK(failure_of(ask(inference, {text({}, {0})})) == Failure::Kind::invalid);
}

TEST_CASE("done may ask again, and what it throws later harms nobody") {
  Busy busy(one_text_a_batch());
  std::promise<Answer> second;
  Ask call, thrower;
  call.texts = {text({91})};
  busy.inference.ask(std::move(call), [&](const Answer&) {
    Ask again;
    again.texts = {text({92})};
    busy.inference.ask(std::move(again), [&](Answer answer) { second.set_value(std::move(answer)); });
  });
  thrower.texts = {text({93})};
  busy.inference.ask(thrower, [](const Answer&) { throw std::runtime_error("of no use"); });
  busy.engine->open();
  CHECK(row_of(second.get_future()) == row({92}));
  CHECK(row_of(ask(busy.inference, {text({94})})) == row({94}));
  CHECK_THROWS_AS(busy.inference.ask(thrower, [](const Answer&) { throw std::runtime_error("a hit"); }),
                  std::runtime_error);
}

TEST_CASE("the end answers what waits, and finishes what runs") {
  const auto engine = std::make_shared<FakeEngine>();
  std::future<Answer> runs, waits, joined;
  std::thread opener;
  {
    Inference inference(engine, {});
    engine->close();
    runs = ask(inference, {text({1})});
    engine->wait_for(1);
    waits = ask(inference, {text({2}), text({1})});
    joined = ask(inference, {text({1})});
    opener = std::thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      engine->open();
    });
  }
  CHECK(row_of(std::move(runs)) == row({1}));
  CHECK(row_of(std::move(joined)) == row({1}));
  CHECK(failure_of(std::move(waits)) == Failure::Kind::draining);
  CHECK(engine->texts() == 1);
  opener.join();
}
