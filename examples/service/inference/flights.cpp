#include "flights.hpp"

#include "../observe/metrics.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

namespace service {

void Answered::add(std::shared_ptr<PendingAsk> call) {
  call->answered = true;
  (last_ ? last_->behind : first_) = call;
  last_ = std::move(call);
}

void Answered::fail(std::shared_ptr<PendingAsk> call, Failure::Kind kind, const char* message) {
  call->answer.rows.clear();
  call->answer.failure = Failure{kind, {}};
  try {
    call->answer.failure->message = message;
  } catch (const std::exception&) { // the kind alone must do
  }
  add(std::move(call));
}

std::shared_ptr<PendingAsk> Answered::next() {
  std::shared_ptr<PendingAsk> call = std::move(first_);
  if (!call)
    return nullptr;
  first_ = std::move(call->behind);
  if (!first_)
    last_ = nullptr;
  return call;
}

Flight* Flights::find(const TextKey& key) const {
  const auto found = all_.find(&key);
  return found == all_.end() ? nullptr : found->second;
}

Flight& Flights::begin(List& list, TextKey key, Clock::time_point since) {
  Flight& flight = list.emplace_back(std::move(key));
  flight.since = since;
  try {
    all_.emplace(&flight.key, &flight);
  } catch (...) {
    list.pop_back();
    throw;
  }
  return flight;
}

void Flights::join(Flight& flight, const std::shared_ptr<PendingAsk>& call, std::size_t text) {
  flight.waiters.push_back({call, text});
  count(flight, flight.waiting + 1);
}

void Flights::queue(List& list, List::iterator flight) {
  List& queue = queues_[static_cast<std::size_t>(flight->key.output())];
  auto place = queue.end();
  while (place != queue.begin() && std::prev(place)->since > flight->since)
    --place;
  queue.splice(place, list, flight);
}

Flights::List Flights::take(std::size_t most_tokens, Clock::time_point now, Answered& answered) {
  List taken;
  List& queue =
      queues_[queues_[0].empty() || (!queues_[1].empty() && queues_[1].front().since < queues_[0].front().since)];
  for (std::size_t tokens = 0; !queue.empty();) {
    Flight& flight = queue.front();
    prune(flight, now, answered);
    if (flight.waiters.empty()) {
      end(queue, queue.begin());
      continue;
    }
    tokens += flight.key.tokens();
    if (!taken.empty() && tokens > most_tokens)
      break;
    for (const Flight::Waiter& waiter : flight.waiters) {
      PendingAsk& call = *waiter.call;
      call.answer.queued = std::max<std::chrono::nanoseconds>(call.answer.queued, now - call.asked);
      waited(call, now);
    }
    count(flight, 0);
    taken.splice(taken.end(), queue, queue.begin());
  }
  return taken;
}

TextKey Flights::land(List& list, List::iterator flight, bool by_model, Answered& answered) {
  bool cached = !by_model;
  for (Flight::Waiter& waiter : flight->waiters) {
    PendingAsk& call = *waiter.call;
    if (call.answered)
      continue;
    call.answer.rows[waiter.text] = flight->row;
    call.answer.cached += cached;
    call.answer.computed = std::max(call.answer.computed, flight->computed);
    cached = true;
    if (--call.missing == 0)
      answered.add(std::move(waiter.call));
  }
  return end(list, flight);
}

void Flights::crash(List& list, List::iterator flight, Answered& answered) {
  auto& waiters = flight->waiters;
  const auto drop_answered = [&] {
    std::erase_if(waiters, [](const Flight::Waiter& waiter) { return waiter.call->answered; });
  };
  drop_answered();
  if (!waiters.empty())
    answered.fail(waiters.front().call, flight->failure, flight->message);
  drop_answered();
  if (waiters.empty()) {
    end(list, flight);
    return;
  }
  count(*flight, waiters.size());
  queue(list, flight);
}

void Flights::fail_queued(Failure::Kind kind, const char* message, Answered& answered) {
  for (List& queue : queues_)
    while (!queue.empty()) {
      for (Flight::Waiter& waiter : queue.front().waiters)
        if (!waiter.call->answered)
          answered.fail(std::move(waiter.call), kind, message);
      end(queue, queue.begin());
    }
}

TextKey Flights::end(List& list, List::iterator flight) {
  count(*flight, 0);
  all_.erase(&flight->key);
  TextKey key = std::move(flight->key);
  list.erase(flight);
  return key;
}

void Flights::waited(const PendingAsk& call, Clock::time_point now) const {
  if (metrics_)
    metrics_->waited(now - call.asked);
}

void Flights::count(Flight& flight, std::size_t waiting) {
  waiting_ = waiting_ - flight.waiting + waiting;
  flight.waiting = waiting;
}

void Flights::prune(Flight& flight, Clock::time_point now, Answered& answered) {
  std::erase_if(flight.waiters, [&](Flight::Waiter& waiter) {
    PendingAsk& call = *waiter.call;
    if (!call.answered && call.caller && call.caller->gone)
      answered.fail(waiter.call, Failure::Kind::gone, "the caller has left");
    else if (!call.answered && call.deadline <= now)
      answered.fail(waiter.call, Failure::Kind::timeout, "the deadline passed before the model had time");
    if (call.answered)
      waited(call, now);
    return call.answered;
  });
}

} // namespace service
