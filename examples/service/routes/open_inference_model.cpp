#include "open_inference_model.hpp"

#include "../../common/json_text.hpp"
#include "scores.hpp"
#include "vectors.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace service {

namespace {

using Texts = std::vector<std::string_view>;
using Numbers = std::vector<std::int64_t>;

[[noreturn]] void refuse(const std::string& why) { throw Problem(Problem::Kind::invalid, why); }

const InputTensor* find(const std::vector<InputTensor>& inputs, std::string_view name) {
  const auto input =
      std::find_if(inputs.begin(), inputs.end(), [name](const InputTensor& each) { return each.spec->name == name; });
  return input == inputs.end() ? nullptr : &*input;
}

void add_written(const InputTensor& text, const InputTensor* pair, Call& call) {
  check_batch_size(text.shape[0], call.context.max_bulk_texts);
  const auto& first = std::get<Texts>(text.values);
  if (pair == nullptr) {
    for (const std::string_view each : first)
      call.add(each, {}, "text");
    return;
  }
  if (pair->shape != text.shape)
    refuse("'text_pair' must have the shape of 'text'");
  for (std::size_t i = 0; i < first.size(); ++i)
    call.add(first[i], std::get<Texts>(pair->values)[i], {}, "text");
}

/// Rows of token ids, of which each ends where its attention mask does.
class IdRows {
public:
  IdRows(const std::vector<InputTensor>& inputs, const Engine& engine)
      : engine_(engine), ids_(*find(inputs, "input_ids")), columns_(ids_.shape[1]) {
    const auto numbers = [&](std::string_view name) -> const Numbers* {
      const InputTensor* input = find(inputs, name);
      if (input == nullptr)
        return nullptr;
      if (input->shape != ids_.shape)
        refuse("'" + std::string(name) + "' must have the shape of 'input_ids'");
      return &std::get<Numbers>(input->values);
    };
    mask_ = numbers("attention_mask");
    types_ = numbers("token_type_ids");
  }

  std::size_t count() const { return ids_.shape[0]; }

  distilbert::Encoding encoding(std::size_t row) const {
    const std::size_t length = length_of(row), start = row * columns_;
    if (length > engine_.max_length())
      refuse("'input_ids': row " + std::to_string(row) + " has " + std::to_string(length) +
             " tokens, the model reads " + std::to_string(engine_.max_length()));
    distilbert::Encoding encoding;
    for (std::size_t i = start; i < start + length; ++i) {
      encoding.ids.push_back(checked("input_ids", std::get<Numbers>(ids_.values)[i], engine_.config().vocab_size, row));
      encoding.type_ids.push_back(
          types_ ? checked("token_type_ids", (*types_)[i], engine_.config().type_vocab_size, row) : 0);
    }
    return encoding;
  }

private:
  std::size_t length_of(std::size_t row) const {
    if (mask_ == nullptr)
      return columns_;
    const auto begin = mask_->begin() + static_cast<std::ptrdiff_t>(row * columns_);
    const auto end = begin + static_cast<std::ptrdiff_t>(columns_), padding = std::find(begin, end, 0);
    if (padding == begin || std::any_of(begin, padding, [](std::int64_t x) { return x != 1; }) ||
        std::any_of(padding, end, [](std::int64_t x) { return x != 0; }))
      refuse("'attention_mask': row " + std::to_string(row) + " is not ones followed by zeros");
    return static_cast<std::size_t>(padding - begin);
  }

  static std::int32_t checked(const char* name, std::int64_t id, std::size_t limit, std::size_t row) {
    if (id < 0 || static_cast<std::uint64_t>(id) >= limit)
      refuse("'" + std::string(name) + "': row " + std::to_string(row) + " holds " + std::to_string(id) +
             ", ids lie in [0, " + std::to_string(limit) + ")");
    return static_cast<std::int32_t>(id);
  }

  const Engine& engine_;
  const InputTensor& ids_;
  std::size_t columns_;
  const Numbers *mask_, *types_;
};

/// The rows of an answer, ready to be written.
class Outputs {
public:
  Outputs(const Engine& engine, const Answer& answer) : labels_(engine.config().id2label) {
    for (const auto& row : answer.rows) {
      if (engine.task() == Task::embedder) {
        rows_.push_back(embedding_of(*row, true));
      } else {
        rows_.push_back(*row);
        scores_.push_back(scores_of(engine.config(), *row));
      }
    }
  }

  OutputTensor tensor(const WantedOutput& wanted) const {
    const std::string& name = wanted.spec->name;
    OutputTensor tensor{name, wanted.spec->datatype, {rows_.size()}, {}};
    if (name == "label") {
      std::vector<std::string> labels;
      for (const std::vector<float>& scores : scores_)
        labels.push_back(labels_[best_of(scores)]);
      tensor.values = std::move(labels);
    } else if (name == "score") {
      std::vector<float> best;
      for (const std::vector<float>& scores : scores_)
        best.push_back(scores[best_of(scores)]);
      tensor.values = std::move(best);
    } else {
      const auto& rows = name == "probabilities" ? scores_ : rows_;
      return wanted.classes > 0 ? classification(name, rows, wanted.classes) : matrix(name, rows);
    }
    return tensor;
  }

private:
  static std::size_t best_of(const std::vector<float>& scores) {
    return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  }

  /// The best classes of each row, as Triton writes them: "0.9:1:POSITIVE".
  OutputTensor classification(const std::string& name, const std::vector<std::vector<float>>& rows,
                              std::size_t classes) const {
    classes = std::min(classes, labels_.size());
    std::vector<std::string> best;
    for (const std::vector<float>& row : rows) {
      const std::vector<std::size_t> ranking = ranking_of(row);
      for (std::size_t k = 0; k < classes; ++k) {
        std::string& text = best.emplace_back();
        cli::append_number(text, row[ranking[k]]);
        text += ':' + std::to_string(ranking[k]) + ':' + labels_[ranking[k]];
      }
    }
    return {name, Datatype::bytes, {rows.size(), classes}, std::move(best)};
  }

  static OutputTensor matrix(const std::string& name, const std::vector<std::vector<float>>& rows) {
    std::vector<float> all;
    for (const std::vector<float>& row : rows)
      all.insert(all.end(), row.begin(), row.end());
    const std::size_t columns = rows.empty() ? 0 : rows.front().size();
    return {name, Datatype::fp32, {rows.size(), columns}, std::move(all)};
  }

  const std::vector<std::string>& labels_;
  std::vector<std::vector<float>> rows_, scores_; // logits or vectors; scores of a classifier
};

} // namespace

ModelTensors tensors_of(const Engine& engine) {
  ModelTensors tensors;
  tensors.inputs = {{"text", Datatype::bytes, {-1}}};
  if (engine.task() != Task::embedder)
    tensors.inputs.push_back({"text_pair", Datatype::bytes, {-1}});
  tensors.inputs.push_back({"input_ids", Datatype::int64, {-1, -1}});
  tensors.inputs.push_back({"attention_mask", Datatype::int64, {-1, -1}});
  if (engine.config().type_vocab_size > 0)
    tensors.inputs.push_back({"token_type_ids", Datatype::int64, {-1, -1}});

  if (engine.task() == Task::embedder) {
    tensors.outputs = {{"embedding", Datatype::fp32, {-1, static_cast<std::int64_t>(engine.width())}}};
    return tensors;
  }
  const auto labels = static_cast<std::int64_t>(engine.config().num_labels());
  if (engine.task() == Task::classifier)
    tensors.outputs = {{"label", Datatype::bytes, {-1}},
                       {"score", Datatype::fp32, {-1}},
                       {"probabilities", Datatype::fp32, {-1, labels}}};
  else
    tensors.outputs = {{"score", Datatype::fp32, {-1}}};
  tensors.outputs.push_back({"logits", Datatype::fp32, {-1, labels}});
  return tensors;
}

void add_texts(const std::vector<InputTensor>& inputs, Call& call) {
  const InputTensor* text = find(inputs, "text");
  const InputTensor* pair = find(inputs, "text_pair");
  if (text != nullptr && inputs.size() == (pair == nullptr ? 1u : 2u))
    return add_written(*text, pair, call);
  if (text != nullptr || pair != nullptr || find(inputs, "input_ids") == nullptr)
    refuse("the inputs must be 'text', or 'input_ids' with those that belong to it");
  const IdRows rows(inputs, call.context.engine());
  check_batch_size(rows.count(), call.context.max_bulk_texts);
  for (std::size_t row = 0; row < rows.count(); ++row)
    call.add(rows.encoding(row), 0);
}

void check_classification(const std::vector<WantedOutput>& wanted) {
  for (const WantedOutput& output : wanted)
    if (output.classes > 0 && output.spec->name != "probabilities" && output.spec->name != "logits")
      refuse("output '" + output.spec->name + "' has no classes, which 'classification' asks for");
}

std::vector<OutputTensor> output_tensors(const std::vector<WantedOutput>& wanted, const Engine& engine,
                                         const Answer& answer) {
  const Outputs outputs(engine, answer);
  std::vector<OutputTensor> tensors;
  for (const WantedOutput& each : wanted)
    tensors.push_back(outputs.tensor(each));
  return tensors;
}

} // namespace service
