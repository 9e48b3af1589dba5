#pragma once
// config.json of a converted model: always that of a DistilBERT, under Hugging Face's keys.

#include "../examples/common/json_text.hpp"

#include <distilbert/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace convert {

/// The JSON text. Labels are written for models with a classifier only. What DistilBERT lacks (BERT's tanh in the
/// pooler, another epsilon) is written under keys that DistilBertConfig reads and Hugging Face ignores.
inline std::string config_json(const distilbert::DistilBertConfig& config, bool has_classifier) {
  using namespace distilbert;
  std::string json = "{\n";
  const auto key = [&](std::string_view name) -> std::string& {
    json += json.size() == 2 ? "  " : ",\n  ";
    cli::append_json_string(json, name);
    return json += ": ";
  };
  const auto text = [&](std::string_view name, std::string_view value) { cli::append_json_string(key(name), value); };
  const auto number = [&](std::string_view name, auto value) { cli::append_number(key(name), value); };

  key("architectures") += has_classifier ? R"(["DistilBertForSequenceClassification"])" : R"(["DistilBertModel"])";
  text("model_type", "distilbert");
  number("vocab_size", config.vocab_size);
  number("max_position_embeddings", config.max_position_embeddings);
  number("dim", config.dim);
  number("hidden_dim", config.hidden_dim);
  number("n_layers", config.n_layers);
  number("n_heads", config.n_heads);
  text("activation", config.activation == Activation::gelu ? "gelu" : "relu");
  number("pad_token_id", config.pad_token_id);
  if (config.pre_classifier_activation == Activation::tanh)
    text("pre_classifier_activation", "tanh");
  if (config.layer_norm_eps != DistilBertConfig().layer_norm_eps)
    number("layer_norm_eps", config.layer_norm_eps);
  if (has_classifier) {
    key("id2label") += '{';
    for (std::size_t id = 0; id < config.num_labels(); ++id) {
      json += (id == 0 ? "\"" : ", \"") + std::to_string(id) + "\": ";
      cli::append_json_string(json, config.id2label[id]);
    }
    json += '}';
    key("label2id") += '{';
    for (std::size_t id = 0; id < config.num_labels(); ++id) {
      json += id == 0 ? "" : ", ";
      cli::append_json_string(json, config.id2label[id]);
      json += ": " + std::to_string(id);
    }
    json += '}';
    if (config.problem_type)
      text("problem_type", *config.problem_type == ProblemType::regression ? "regression"
                           : *config.problem_type == ProblemType::single_label_classification
                               ? "single_label_classification"
                               : "multi_label_classification");
  }
  return json + "\n}\n";
}

} // namespace convert
