#include "open_inference_stats.hpp"

#include "../../common/json_text.hpp"

namespace service {

void ModelStatistics::succeeded(const Answer& answer, Duration whole, Duration input, Duration output) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::uint64_t texts = answer.rows.size(), computed = texts - answer.cached;
  const std::uint64_t executions = computed > 0 ? 1 : 0;
  const std::lock_guard<std::mutex> lock(mutex_);
  last_ = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  texts_ += texts;
  executions_ += executions;
  success_.add(1, whole);
  queue_.add(1, answer.queued);
  input_.add(1, input);
  infer_.add(executions, answer.computed);
  output_.add(1, output);
  hit_.add(answer.cached, Duration(0));
  miss_.add(computed, Duration(0));
}

void ModelStatistics::failed(Duration whole) {
  const std::lock_guard<std::mutex> lock(mutex_);
  fail_.add(1, whole);
}

std::string ModelStatistics::json(const std::string& name, const std::string& version) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::string out = "{\"model_stats\":[{\"name\":";
  cli::append_json_string(out, name);
  out += ",\"version\":";
  cli::append_json_string(out, version);
  out += ",\"last_inference\":" + std::to_string(last_) + ",\"inference_count\":" + std::to_string(texts_) +
         ",\"execution_count\":" + std::to_string(executions_) + ",\"inference_stats\":";
  const struct {
    const char* name;
    const Sum& sum;
  } sums[] = {{"success", success_},     {"fail", fail_},           {"queue", queue_},
              {"compute_input", input_}, {"compute_infer", infer_}, {"compute_output", output_},
              {"cache_hit", hit_},       {"cache_miss", miss_}};
  char separator = '{';
  for (const auto& each : sums) {
    out += separator + std::string("\"") + each.name + "\":{\"count\":" + std::to_string(each.sum.count) +
           ",\"ns\":" + std::to_string(each.sum.time.count()) + '}';
    separator = ',';
  }
  return out + "},\"batch_stats\":[]}]}";
}

} // namespace service
