#pragma once
// The way of encoded texts to their answers: cache, queue, batch, model.

#include "../http/message.hpp"
#include "engine.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace service {

/// Why a call got no answer.
struct Failure {
  enum class Kind {
    overloaded, // the queue is full: try again later
    draining,   // the service is about to end
    timeout,    // the deadline passed before the texts' turn came
    gone,       // the caller left; nobody will read this
    invalid,    // a text that the model cannot take
    model,      // the model failed on a text: a result that is not finite
    internal,   // anything else
  };
  Kind kind;
  std::string message; // a sentence for people; holds nothing of the text
};

/// One call: all of its texts are answered, or none is.
struct Ask {
  std::vector<distilbert::Encoding> texts;
  Output output = Output::pooled;
  std::shared_ptr<Caller> caller = std::make_shared<Caller>();
  Clock::time_point deadline = Clock::time_point::max();
};

/// What became of a call.
struct Answer {
  std::optional<Failure> failure;
  std::vector<std::shared_ptr<const Row>> rows; // one for each text, unless it failed
  std::size_t cached = 0;                       // how many of them no model had to compute for this call
  std::chrono::nanoseconds queued{0};           // the longest that a text waited for its turn
  std::chrono::nanoseconds computed{0};         // the longest that the model took for a batch with one of the texts
};

class Metrics;
class RemoteCache;

struct InferenceOptions {
  std::size_t workers = 1;        // threads that run the model, a batch each; best as many as the model has; at least 1
  std::size_t batch_tokens = 256; // a worker takes what waits up to so many tokens, and at least one text
  std::size_t queue_texts = 16384;      // most texts that wait; a call for more that are not cached is never answered
  std::size_t cache_bytes = 32'000'000; // of the cache in this process; 0: none
  RemoteCache* remote = nullptr;        // may be null; outlives Inference
  Metrics* metrics = nullptr;           // may be null; outlives Inference
};

/// A text whose row is in the cache of this process gets it at once. Of those that are asked for already, by this call
/// or another, a call waits for the same row. The others are looked up in the remote cache, if there is one, and then
/// wait for the model, in the order in which they were asked for: a free worker takes at once what has waited longest,
/// from as many calls as there are. A worker that works alone has all threads of the model.
///
/// What happens to one call happens to no other: a text on which the model fails, a caller that leaves, a deadline that
/// passes fail their own call, and texts that others wait for, too, are run for those. Rows do not depend on the
/// company. Thread-safe.
class Inference {
public:
  using Done = std::function<void(Answer)>;

  /// Starts the workers. Throws std::system_error if the system gives no thread.
  Inference(std::shared_ptr<const Engine> engine, const InferenceOptions& options);
  Inference(const Inference&) = delete;
  Inference& operator=(const Inference&) = delete;
  /// Answers what waits with `draining`, finishes what runs, waits for the remote cache's answers. No ask() may begin
  /// once it has.
  ~Inference();

  const Engine& engine() const;

  /// Calls done exactly once: before ask() returns, or later on one of the workers or a thread of the remote cache,
  /// which it holds up for as long as it takes. No lock is held then: done may ask again. What it throws later is lost.
  /// If there is not room for all texts that have to wait, the call is refused with `overloaded` at once.
  /// Throws std::bad_alloc, and then never calls done; and what done throws before ask() returns.
  void ask(Ask ask, Done done);

  /// Texts that wait for a worker. As cheap as reading a number.
  std::size_t waiting() const;

private:
  class Work;
  std::unique_ptr<Work> work_;
};

} // namespace service
