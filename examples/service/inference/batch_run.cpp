#include "batch_run.hpp"

#include "../observe/log.hpp"

#include <distilbert/error.hpp>

#include <iterator>
#include <memory>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace service {

namespace {

using Iterator = Flights::List::iterator;

/// Whether the fault is the text's or the model's.
Failure::Kind kind_of(distilbert::ErrorCode code) {
  switch (code) {
  case distilbert::ErrorCode::invalid_token_id:
  case distilbert::ErrorCode::text_too_long:
  case distilbert::ErrorCode::invalid_argument: return Failure::Kind::invalid;
  case distilbert::ErrorCode::non_finite_result: return Failure::Kind::model;
  default: return Failure::Kind::internal;
  }
}

void report(Failure::Kind kind, std::string_view what) {
  if (kind != Failure::Kind::invalid)
    log(LogLevel::error, "the model failed", {{"what", what}});
}

/// Throws what the engine does, and std::bad_alloc; then some flights may have their rows.
void run_or_throw(const Engine& engine, Iterator first, Iterator last, Metrics* metrics) {
  std::vector<distilbert::Encoding> texts;
  std::size_t tokens = 0;
  for (Iterator flight = first; flight != last; ++flight) {
    texts.push_back(flight->key.text());
    tokens += texts.back().size();
  }
  const auto start = Clock::now();
  std::vector<Row> rows = engine.run(first->key.output(), texts);
  const auto computed = Clock::now() - start;
  if (metrics)
    metrics->batch(texts.size(), tokens, computed);
  if (rows.size() != texts.size())
    throw std::logic_error("another number of rows than of texts");
  std::size_t i = 0;
  for (Iterator flight = first; flight != last; ++flight, ++i) {
    flight->row = std::make_shared<const Row>(std::move(rows[i]));
    flight->computed = computed;
  }
}

/// Whether there was no failure; else all flights from first to last have the reason, and no row.
bool run(const Engine& engine, Iterator first, Iterator last, Metrics* metrics) noexcept {
  Failure::Kind kind = Failure::Kind::internal;
  const char* message = "the model's run failed";
  try {
    run_or_throw(engine, first, last, metrics);
    return true;
  } catch (const distilbert::Error& e) {
    kind = kind_of(e.code());
    message = distilbert::describe(e.code()); // what() may say more, but of a text by its place in the batch
    report(kind, e.what());
  } catch (const std::bad_alloc&) {
    message = "the memory for it cannot be had";
    report(kind, message);
  } catch (const std::exception& e) {
    report(kind, e.what());
  } catch (...) {
    report(kind, "an exception without words");
  }
  for (; first != last; ++first) {
    first->row = nullptr;
    first->failure = kind;
    first->message = message;
  }
  return false;
}

} // namespace

void run_batch(const Engine& engine, Flights::List& batch, Metrics* metrics) noexcept {
  if (run(engine, batch.begin(), batch.end(), metrics) || batch.size() == 1)
    return;
  for (Iterator flight = batch.begin(); flight != batch.end(); ++flight)
    run(engine, flight, std::next(flight), metrics);
}

} // namespace service
