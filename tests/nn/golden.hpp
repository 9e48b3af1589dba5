#pragma once
// Golden files of golden/: the answers of Hugging Face transformers. make_goldens.py says how they came to be.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <distilbert/tasks/sequence_classification.hpp>
#include <simdjson.h>

#include "random_model.hpp"

namespace distilbert::test {

/// The fp32 answers may differ from the reference's by this part of the largest one: some ten times what fp32 itself
/// is off on these models (make_goldens.py prints it).
inline constexpr double golden_tolerance = 2e-5;

using Json = simdjson::dom::element;

/// A whole golden file.
class GoldenFile {
public:
  explicit GoldenFile(const std::string& name, const std::string& folder = "nn")
      : root_(parser_.load(DISTILBERT_SOURCE_DIR "/tests/" + folder + "/golden/" + name).value()) {}
  Json operator[](const char* key) const { return root_[key].value(); }

private:
  simdjson::dom::parser parser_;
  Json root_;
};

// by value, for a range-for does not keep what the list came from
inline simdjson::dom::array list_of(Json element) { return element.get_array().value(); }
inline std::string text_of(Json element) { return std::string(element.get_string().value()); }
inline std::size_t size_of(Json element) { return static_cast<std::size_t>(element.get_uint64().value()); }

/// [[a, b], [c]] as a list of lists.
template <class Number> std::vector<std::vector<Number>> rows_of(Json element) {
  std::vector<std::vector<Number>> rows;
  for (const Json row : list_of(element)) {
    rows.emplace_back();
    for (const Json number : list_of(row))
      rows.back().push_back(static_cast<Number>(number.get_double().value()));
  }
  return rows;
}

/// The shape in a golden case.
inline Shape shape_of(Json json) {
  const auto text = [&](const char* key) { return text_of(json[key].value()); };
  const auto size = [&](const char* key) { return size_of(json[key].value()); };
  return {.family = text("family"),
          .vocab = size("vocab"),
          .positions = size("positions"),
          .dim = size("dim"),
          .hidden_dim = size("hidden_dim"),
          .n_layers = size("n_layers"),
          .n_heads = size("n_heads"),
          .labels = size("labels"),
          .head = text("head"),
          .activation = text("activation"),
          .problem_type = text("problem_type"),
          .dtype = text("dtype"),
          .prefix = text("prefix"),
          .seed = size("seed")};
}

/// The checksum in a golden case, of the weights that the reference had.
inline std::uint64_t checksum_of(Json json) { return std::stoull(text_of(json["checksum"].value()), nullptr, 16); }

/// One random model of random_models.json with the answers to its texts, which ran alone.
struct GoldenCase {
  std::string name;
  Shape shape;
  std::uint64_t checksum;
  std::vector<std::size_t> lengths;
  std::vector<std::vector<float>> answers; // logits; of an encoder its first and its last hidden state

  explicit GoldenCase(Json json)
      : name(text_of(json["name"].value())), shape(shape_of(json)), checksum(checksum_of(json)),
        answers(rows_of<float>(json["answers"].value())) {
    for (const Json length : list_of(json["lengths"].value()))
      lengths.push_back(size_of(length));
  }
};

/// Largest difference between two lists of answers, as part of the largest answer expected. NaN counts as infinite.
template <class A, class B> double relative_difference(const std::vector<A>& found, const std::vector<B>& expected) {
  if (found.size() != expected.size())
    return INFINITY;
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(expected[i])));
    const double d = std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    difference = std::isnan(d) ? INFINITY : std::max(difference, d);
  }
  return difference / largest;
}

template <class T> std::vector<T> joined(const std::vector<std::vector<T>>& rows) {
  std::vector<T> all;
  for (const auto& row : rows)
    all.insert(all.end(), row.begin(), row.end());
  return all;
}

/// What the library answers to a golden case, all texts as one ragged batch.
inline std::vector<float> library_answers(const GoldenCase& golden, const RandomModel& model) {
  Batch batch;
  for (std::size_t i = 0; i < golden.lengths.size(); ++i) {
    const std::vector<std::int32_t> ids = random_ids(golden.shape, i, golden.lengths[i]);
    batch.add(ids.data(), ids.size());
  }
  const auto config = DistilBertConfig::from_pretrained(model.path());
  const auto weights = PackedModel::from_pretrained(model.path(), config);
  Workspace workspace(config);
  if (golden.shape.labels > 0) {
    std::vector<float> logits(batch.texts() * golden.shape.labels);
    DistilBertForSequenceClassification::load(weights, config).forward(batch, workspace, logits.data());
    return logits;
  }
  const Rows hidden = DistilBertModel::load(weights, config).forward(batch, workspace);
  std::vector<float> answers;
  for (std::size_t i = 0; i < batch.texts(); ++i)
    for (const std::size_t token : {batch.offsets[i], batch.offsets[i + 1] - 1})
      for (std::size_t c = 0; c < golden.shape.dim; ++c)
        answers.push_back(hidden(static_cast<Eigen::Index>(token), static_cast<Eigen::Index>(c)));
  return answers;
}

} // namespace distilbert::test
