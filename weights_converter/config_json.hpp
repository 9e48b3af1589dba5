#pragma once
// config.json of a converted model: always that of a DistilBERT, under Hugging Face's keys.

#include "../examples/common/json_text.hpp"

#include <distilbert/config.hpp>
#include <distilbert/weights/packed_model.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace convert {

/// Hugging Face's class of the model.
inline std::string architecture(const distilbert::DistilBertConfig& config, const distilbert::PackedModel& model) {
  if (model.has("classifier"))
    return config.has_architecture("ForMultipleChoice") ? "DistilBertForMultipleChoice"
           : model.has("pre_classifier")                ? "DistilBertForSequenceClassification"
                                                        : "DistilBertForTokenClassification";
  return model.has("qa_outputs")        ? "DistilBertForQuestionAnswering"
         : model.has("vocab_projector") ? "DistilBertForMaskedLM"
                                        : "DistilBertModel";
}

/// The JSON text. Labels are written for models with a classifier only. What DistilBERT lacks (BERT's tanh in the
/// pooler, another epsilon, token types) is written under keys that DistilBertConfig reads and Hugging Face ignores.
inline std::string config_json(const distilbert::DistilBertConfig& config, const distilbert::PackedModel& model) {
  using namespace distilbert;
  std::string json = "{\n";
  const auto key = [&](std::string_view name) -> std::string& {
    json += json.size() == 2 ? "  " : ",\n  ";
    cli::append_json_string(json, name);
    return json += ": ";
  };
  const auto text = [&](std::string_view name, std::string_view value) { cli::append_json_string(key(name), value); };
  const auto number = [&](std::string_view name, auto value) { cli::append_number(key(name), value); };

  key("architectures") += "[\"" + architecture(config, model) + "\"]";
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
  if (config.type_vocab_size > 0)
    number("type_vocab_size", config.type_vocab_size);
  if (model.has("classifier")) {
    key("id2label") += '{';
    for (std::size_t id = 0; id < config.num_labels(); ++id) {
      json += (id == 0 ? "\"" : ", \"") + std::to_string(id) + "\": ";
      cli::append_json_string(json, config.id2label[id]);
    }
    json += '}';
    key("label2id") += '{';
    for (const auto& [label, id] : config.label_ids()) {
      json += json.back() == '{' ? "" : ", ";
      cli::append_json_string(json, label);
      json += ": " + (id ? std::to_string(*id) : "null");
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
