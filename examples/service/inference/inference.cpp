#include "inference.hpp"

#include "../observe/metrics.hpp"
#include "batch_run.hpp"
#include "flights.hpp"
#include "lru_cache.hpp"
#include "remote_cache.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace service {

class Inference::Work {
public:
  Work(std::shared_ptr<const Engine> engine, const InferenceOptions& options)
      : engine_(std::move(engine)), options_(options), cache_(options.cache_bytes), flights_(options.metrics) {
    try {
      for (std::size_t i = 0; i < std::max<std::size_t>(options.workers, 1); ++i)
        workers_.emplace_back([this] { work(); });
    } catch (...) {
      stop();
      throw;
    }
  }

  void stop() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_)
      worker.join();
    Answered answered;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      looked_up_.wait(lock, [this] { return lookups_ == 0; });
      flights_.fail_queued(Failure::Kind::draining, draining, answered);
      changed();
    }
    deliver(answered);
  }

  const Engine& engine() const { return *engine_; }
  std::size_t waiting() const { return waiting_; }

  void ask(Ask ask, Done done) {
    if (ask.texts.empty())
      return done({});
    const auto call = std::make_shared<PendingAsk>();
    std::vector<TextKey> keys;
    keys.reserve(ask.texts.size());
    for (const distilbert::Encoding& text : ask.texts) {
      std::optional<TextKey> key = TextKey::of(ask.output, text);
      if (!key)
        return done({Failure{Failure::Kind::invalid, "a type id for each token expected"}, {}});
      keys.push_back(std::move(*key));
    }
    call->caller = std::move(ask.caller);
    call->deadline = ask.deadline;
    call->asked = Clock::now();
    call->done = std::move(done);
    call->answer.rows.resize(keys.size());

    Departure departure;
    if (!admit(call, std::move(keys), departure))
      return tell(*call);
    if (departure.lookup)
      look_up(std::move(departure));
  }

private:
  /// Flights of one call that the remote cache is asked for.
  struct Lookup {
    Flights::List flights;
    std::atomic<bool> answered{false};
  };
  struct Departure {
    std::shared_ptr<Lookup> lookup;
    std::vector<std::string> keys;
    RemoteCache::Found found;
  };

  /// Answers the call if that can be done at once, or puts its texts on their way: whether it has to wait.
  bool admit(const std::shared_ptr<PendingAsk>& call, std::vector<TextKey> keys, Departure& departure) {
    const std::unique_lock<std::mutex> lock(mutex_);
    Answer& answer = call->answer;
    const auto refuse = [&](Failure::Kind kind, const char* message) {
      answer.failure = Failure{kind, message};
      answer.rows.clear();
      return false;
    };
    if (stop_)
      return refuse(Failure::Kind::draining, draining);
    for (std::size_t i = 0; i < keys.size(); ++i)
      answer.rows[i] = cache_.find(keys[i]);
    call->missing = static_cast<std::size_t>(std::count(answer.rows.begin(), answer.rows.end(), nullptr));
    if (call->missing > options_.queue_texts - std::min(flights_.waiting(), options_.queue_texts))
      return refuse(Failure::Kind::overloaded, "the queue is full");
    answer.cached = keys.size() - call->missing;
    const std::size_t begun = call->missing ? board(call, std::move(keys), departure) : 0;
    count("memory", "hit", answer.cached);
    count("memory", "joined", call->missing - begun);
    count("memory", "miss", begun);
    changed();
    return call->missing > 0;
  }

  /// Lets the call wait for the rows that it lacks, for each that nobody waits for yet by a flight of its own; returns
  /// how many those are.
  std::size_t board(const std::shared_ptr<PendingAsk>& call, std::vector<TextKey> keys, Departure& departure) {
    Flights::List fresh;
    try {
      for (std::size_t i = 0; i < keys.size(); ++i) {
        if (call->answer.rows[i])
          continue;
        Flight* flight = flights_.find(keys[i]);
        if (!flight)
          flight = &flights_.begin(fresh, std::move(keys[i]), call->asked);
        flights_.join(*flight, call, i);
      }
      if (options_.remote && !fresh.empty()) {
        for (const Flight& flight : fresh)
          departure.keys.push_back(flight.key.bytes());
        departure.lookup = std::make_shared<Lookup>();
        departure.found = [this, lookup = departure.lookup](const std::vector<std::shared_ptr<const Row>>& rows) {
          found(*lookup, rows);
        };
      }
    } catch (...) {
      call->answered = true;
      while (!fresh.empty())
        flights_.end(fresh, fresh.begin());
      throw;
    }
    const std::size_t begun = fresh.size();
    if (departure.lookup) {
      departure.lookup->flights = std::move(fresh);
      ++lookups_;
    } else {
      queue(fresh);
    }
    return begun;
  }

  void queue(Flights::List& flights) {
    const bool several = flights.size() > 1;
    if (flights.empty())
      return;
    while (!flights.empty())
      flights_.queue(flights, flights.begin());
    several ? wake_.notify_all() : wake_.notify_one();
  }

  void look_up(Departure departure) noexcept {
    try {
      options_.remote->get(std::move(departure.keys), departure.found);
    } catch (const std::exception&) {
      found(*departure.lookup, {});
    }
  }

  /// The remote cache's answer: rows for some flights of a lookup, the others wait for the model.
  void found(Lookup& lookup, const std::vector<std::shared_ptr<const Row>>& rows) noexcept {
    if (lookup.answered.exchange(true))
      return;
    std::size_t hits = 0, errors = 0, i = 0;
    for (Flight& flight : lookup.flights) {
      if (i < rows.size() && rows[i])
        ++(fits(flight.key, *rows[i]) ? (flight.row = rows[i], hits) : errors);
      ++i;
    }
    count("redis", "hit", hits);
    count("redis", "error", errors);
    count("redis", "miss", lookup.flights.size() - hits - errors);
    Answered answered;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (auto flight = lookup.flights.begin(); flight != lookup.flights.end();) {
        const auto landed = flight++;
        if (landed->row)
          land(lookup.flights, landed, false, answered);
      }
      queue(lookup.flights);
      changed();
    }
    deliver(answered);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--lookups_ == 0)
      looked_up_.notify_all(); // with the lock held: the destructor waits for it
  }

  /// Whether a row that comes from outside can be the text's.
  bool fits(const TextKey& key, const Row& row) const {
    return row.size() == engine_->row_size(key.output(), key.tokens()) &&
           std::all_of(row.begin(), row.end(), [](float value) { return std::isfinite(value); });
  }

  void work() {
    for (;;) {
      Answered answered;
      Flights::List batch;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [this] { return stop_ || flights_.queued(); });
        if (stop_)
          return;
        batch = flights_.take(options_.batch_tokens, Clock::now(), answered);
        changed();
      }
      deliver(answered);
      if (batch.empty())
        continue;
      run_batch(*engine_, batch, options_.metrics);
      settle(batch);
    }
  }

  void settle(Flights::List& batch) noexcept {
    std::vector<std::pair<std::string, std::shared_ptr<const Row>>> rows; // for the remote cache
    try {
      for (const Flight& flight : batch)
        if (options_.remote && flight.row)
          rows.emplace_back(flight.key.bytes(), flight.row);
    } catch (const std::exception&) { // it does without
    }
    Answered answered;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      while (!batch.empty()) {
        if (batch.front().row)
          land(batch, batch.begin(), true, answered);
        else
          flights_.crash(batch, batch.begin(), answered);
      }
      changed();
    }
    deliver(answered);
    try {
      for (auto& [key, row] : rows)
        options_.remote->put(std::move(key), std::move(row));
    } catch (const std::exception&) {
    }
  }

  /// Under the lock.
  void land(Flights::List& list, Flights::List::iterator flight, bool by_model, Answered& answered) noexcept {
    std::shared_ptr<const Row> row = flight->row;
    TextKey key = flights_.land(list, flight, by_model, answered);
    try {
      cache_.insert(std::move(key), std::move(row));
    } catch (const std::exception&) { // is computed again next time
    }
  }

  void tell(PendingAsk& call) {
    const Done done = std::move(call.done);
    done(std::move(call.answer));
  }

  void deliver(Answered& answered) noexcept {
    while (const std::shared_ptr<PendingAsk> call = answered.next()) {
      try {
        tell(*call);
      } catch (...) { // this thread has other calls to serve
      }
    }
  }

  /// Under the lock: shows how many texts wait now.
  void changed() {
    waiting_ = flights_.waiting();
    if (options_.metrics)
      options_.metrics->queue(waiting_);
  }

  void count(std::string_view tier, std::string_view result, std::size_t texts) const {
    if (options_.metrics && texts > 0)
      options_.metrics->cache(tier, result, texts);
  }

  static constexpr const char* draining = "the service is about to end";

  const std::shared_ptr<const Engine> engine_;
  const InferenceOptions options_;
  std::atomic<std::size_t> waiting_{0};

  std::mutex mutex_; // of all below but the threads
  std::condition_variable wake_, looked_up_;
  LruCache cache_;
  Flights flights_;
  std::size_t lookups_ = 0; // of the remote cache, under way
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

Inference::Inference(std::shared_ptr<const Engine> engine, const InferenceOptions& options)
    : work_(std::make_unique<Work>(std::move(engine), options)) {}

Inference::~Inference() { work_->stop(); } // while work_ is there: who is answered asks for the engine

const Engine& Inference::engine() const { return work_->engine(); }

void Inference::ask(Ask ask, Done done) { work_->ask(std::move(ask), std::move(done)); }

std::size_t Inference::waiting() const { return work_->waiting(); }

} // namespace service
