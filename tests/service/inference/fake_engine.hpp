#pragma once
// An engine that answers by arithmetic, fails on demand, and can be held up; and one who asks.

#include "service/inference/inference.hpp"

#include <distilbert/error.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <future>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

namespace service::test {

using distilbert::Encoding;

/// A text of these ids and type ids.
inline Encoding text(std::vector<std::int32_t> ids, std::vector<std::int32_t> type_ids = {}) {
  Encoding encoding;
  encoding.ids = std::move(ids);
  encoding.type_ids = std::move(type_ids);
  return encoding;
}

/// Ids on which the fake engine fails, each in its way.
constexpr std::int32_t non_finite = 900, invalid_id = 901, no_memory = 902, strange = 903, too_few_rows = 904;

/// Two labels, or two dimensions.
class FakeEngine : public Engine {
public:
  explicit FakeEngine(Task task = Task::classifier) : task_(task) { config_.dim = 2; }

  Task task() const override { return task_; }
  const distilbert::DistilBertConfig& config() const override { return config_; }
  const distilbert::Tokenizer& tokenizer() const override { return tokenizer_; }
  distilbert::Precision precision() const override { return distilbert::Precision::fp32; }
  std::size_t max_length() const override { return 512; }

  /// What run() answers to a text.
  static Row row(Output output, const Encoding& text) {
    if (output == Output::tokens) {
      Row row;
      for (std::size_t i = 0; i < text.size(); ++i)
        row.insert(row.end(), {static_cast<float>(text.ids[i]), static_cast<float>(text.type_ids[i])});
      return row;
    }
    float sum = 0, types = 0.5f;
    for (std::size_t i = 0; i < text.size(); ++i) {
      sum = sum * 3 + static_cast<float>(text.ids[i]);
      types += static_cast<float>(text.type_ids[i]);
    }
    return {sum, types};
  }

  std::vector<Row> run(Output output, const std::vector<Encoding>& texts) const override {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      batches_.push_back(texts);
      outputs_.push_back(output);
      changed_.notify_all();
      changed_.wait(lock, [this] { return open_; });
    }
    std::vector<Row> rows;
    for (const Encoding& text : texts) {
      const auto has = [&](std::int32_t id) { return std::count(text.ids.begin(), text.ids.end(), id) > 0; };
      if (has(non_finite))
        throw distilbert::Error(distilbert::ErrorCode::non_finite_result, "text 3");
      if (has(invalid_id))
        throw distilbert::Error(distilbert::ErrorCode::invalid_token_id, "text 3");
      if (has(no_memory) && failures_-- > 0)
        throw std::bad_alloc();
      if (has(strange))
        throw 5;
      rows.push_back(row(output, text));
      if (has(too_few_rows))
        rows.clear();
    }
    return rows;
  }

  /// Holds up every run until open().
  void close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = false;
  }
  void open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  /// Waits until so many batches came.
  void wait_for(std::size_t batches) const {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return batches_.size() >= batches; });
  }
  /// All batches that came, in order.
  std::vector<std::vector<Encoding>> batches() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return batches_;
  }
  /// The first id of each text of a batch.
  std::vector<std::int32_t> batch(std::size_t number) const {
    std::vector<std::int32_t> ids;
    const std::vector<std::vector<Encoding>> all = batches();
    for (const Encoding& text : all.at(number))
      ids.push_back(text.ids.at(0));
    return ids;
  }
  std::vector<Output> outputs() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return outputs_;
  }
  /// Texts that were run, in all.
  std::size_t texts() const {
    std::size_t sum = 0;
    for (const auto& batch : batches())
      sum += batch.size();
    return sum;
  }
  /// How often a text with no_memory fails.
  void fail(int times) { failures_ = times; }

private:
  Task task_;
  distilbert::DistilBertConfig config_;
  distilbert::Tokenizer tokenizer_ = distilbert::Tokenizer::from_vocabulary("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable std::vector<std::vector<Encoding>> batches_;
  mutable std::vector<Output> outputs_;
  bool open_ = true;
  mutable std::atomic<int> failures_{0};
};

/// Asks, and gives the answer when it comes.
inline std::future<Answer> ask(Inference& inference, Ask ask) {
  auto promise = std::make_shared<std::promise<Answer>>();
  inference.ask(std::move(ask), [promise](Answer answer) { promise->set_value(std::move(answer)); });
  return promise->get_future();
}
inline std::future<Answer> ask(Inference& inference, std::vector<Encoding> texts) {
  Ask call;
  call.texts = std::move(texts);
  return ask(inference, std::move(call));
}

inline bool is_ready(const std::future<Answer>& answer) {
  return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

} // namespace service::test
