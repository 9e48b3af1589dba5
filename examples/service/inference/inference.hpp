#pragma once
// The way of encoded texts to their answers: cache, queue, batch, model.

#include "../http/message.hpp"
#include "engine.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
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

struct InferenceOptions {
  std::size_t workers = 1;              // threads that run the model, a batch each
  std::size_t batch_tokens = 256;       // a worker takes what waits up to so many tokens, and at least one text
  std::size_t queue_texts = 16384;      // most texts that wait
  std::size_t cache_bytes = 32'000'000; // of the cache in this process; 0: none
};

/// Thread-safe.
class Inference {
public:
  using Done = std::function<void(Answer)>;

  Inference(std::shared_ptr<const Engine> engine, const InferenceOptions& options);
  Inference(const Inference&) = delete;
  Inference& operator=(const Inference&) = delete;
  /// Answers what waits with `draining`, finishes what runs.
  ~Inference();

  const Engine& engine() const { return *engine_; }

  /// Calls done exactly once: before ask() returns, or later on one of the workers.
  void ask(Ask ask, Done done);

  /// Texts that wait for a worker.
  std::size_t waiting() const;

private:
  struct Waiting {
    Ask ask;
    Done done;
    Clock::time_point since;
  };

  void work();

  std::shared_ptr<const Engine> engine_;
  InferenceOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> queue_;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

} // namespace service
