#include "inference.hpp"

#include <exception>
#include <utility>

namespace service {

Inference::Inference(std::shared_ptr<const Engine> engine, const InferenceOptions& options)
    : engine_(std::move(engine)), options_(options) {
  for (std::size_t i = 0; i < options.workers; ++i)
    workers_.emplace_back([this] { work(); });
}

Inference::~Inference() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_)
    worker.join();
  for (Waiting& waiting : queue_)
    waiting.done({Failure{Failure::Kind::draining, "the service is about to end"}, {}});
}

void Inference::ask(Ask ask, Done done) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (queue_.size() < options_.queue_texts) {
      queue_.push_back({std::move(ask), std::move(done), Clock::now()});
      wake_.notify_one();
      return;
    }
  }
  done({Failure{Failure::Kind::overloaded, "the queue is full"}, {}});
}

std::size_t Inference::waiting() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return queue_.size();
}

void Inference::work() {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (stop_)
      return;
    Waiting next = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();

    Answer answer;
    const auto start = Clock::now();
    answer.queued = start - next.since;
    try {
      for (Row& row : engine_->run(next.ask.output, next.ask.texts))
        answer.rows.push_back(std::make_shared<const Row>(std::move(row)));
    } catch (const std::exception& e) {
      answer.failure = Failure{Failure::Kind::internal, e.what()};
    }
    answer.computed = Clock::now() - start;
    next.done(std::move(answer));
  }
}

} // namespace service
