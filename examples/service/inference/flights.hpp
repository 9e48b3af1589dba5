#pragma once
// The texts that somebody waits for: each once, however many ask for it, in the order in which a model shall take them.

#include "inference.hpp"
#include "text_key.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

namespace service {

/// An ask() until its answer.
struct PendingAsk {
  std::shared_ptr<Caller> caller;
  Clock::time_point deadline, asked;
  Inference::Done done;
  Answer answer;
  std::size_t missing = 0;            // rows that are not there yet
  bool answered = false;              // nobody waits for its texts any more
  std::shared_ptr<PendingAsk> behind; // the next in a line of Answered
};

/// Calls that have got their answer, in a line until they can be told without a lock. Adding one allocates nothing.
class Answered {
public:
  void add(std::shared_ptr<PendingAsk> call);
  /// Adds it, failed.
  void fail(std::shared_ptr<PendingAsk> call, Failure::Kind kind, const char* message);
  /// Takes the first out; null if there is none.
  std::shared_ptr<PendingAsk> next();

private:
  std::shared_ptr<PendingAsk> first_, last_;
};

/// A text on its way, and who waits for its row.
struct Flight {
  struct Waiter {
    std::shared_ptr<PendingAsk> call;
    std::size_t text; // index in the call
  };

  explicit Flight(TextKey of) : key(std::move(of)) {}

  TextKey key;
  std::vector<Waiter> waiters; // the first of which has waited longest
  Clock::time_point since;     // from when on
  std::size_t waiting = 0;     // of the waiters, how many Flights::waiting() counts

  // What the model said: a row, or why there is none; for whoever took the flight.
  std::shared_ptr<const Row> row;
  Failure::Kind failure = Failure::Kind::internal;
  const char* message = "";
  std::chrono::nanoseconds computed{0};
};

/// Flights are in one list at a time and go from one to another without being copied: nothing that happens to a text
/// after begin() allocates. Not thread-safe.
class Flights {
public:
  using List = std::list<Flight>;

  /// Tells `metrics`, unless that is null, how long each text of each call waited in a queue.
  explicit Flights(Metrics* metrics = nullptr) : metrics_(metrics) {}

  /// The flight of an equal text, or null.
  Flight* find(const TextKey& key) const;
  /// Begins the flight of a text that has none: the last of `list`, in which it stays until queue() or end(). Throws
  /// std::bad_alloc, and then has changed nothing.
  Flight& begin(List& list, TextKey key, Clock::time_point since);
  /// Lets a call wait for the flight's row. Throws std::bad_alloc, and then has changed nothing.
  void join(Flight& flight, const std::shared_ptr<PendingAsk>& call, std::size_t text);

  /// Lets a flight of `list` wait for its turn, behind those that have waited longer.
  void queue(List& list, List::iterator flight);
  /// Takes what a model shall run next: of one Output, the longest waiting first, up to so many tokens and at least one
  /// text; none if nobody waits. Who has gone, or is too late, is failed and not waited for.
  List take(std::size_t most_tokens, Clock::time_point now, Answered& answered);

  /// Gives all waiters the flight's row, and ends it; returns its key. Of what a model computed, the first waiter's
  /// part is not counted as cached.
  TextKey land(List& list, List::iterator flight, bool by_model, Answered& answered);
  /// Fails the call that waited longest for the flight's reason; if others wait, it is queued again, else it ends.
  void crash(List& list, List::iterator flight, Answered& answered);
  /// Fails all waiters of all flights that are queued, and ends those.
  void fail_queued(Failure::Kind kind, const char* message, Answered& answered);
  /// Forgets a flight and takes it out of the list; returns its key.
  TextKey end(List& list, List::iterator flight);

  bool queued() const { return !queues_[0].empty() || !queues_[1].empty(); }
  /// Texts that wait for a model, and those that joined a text while the model has it.
  std::size_t waiting() const { return waiting_; }

private:
  void waited(const PendingAsk& call, Clock::time_point now) const;
  void count(Flight& flight, std::size_t waiting);
  void prune(Flight& flight, Clock::time_point now, Answered& answered);

  std::unordered_map<const TextKey*, Flight*, SameKey, SameKey> all_;
  std::array<List, 2> queues_; // by Output
  std::size_t waiting_ = 0;
  Metrics* metrics_;
};

} // namespace service
