#pragma once
// config.json of a DistilBERT or BERT model: the sizes and names that everything else is built from, each checked
// before it is multiplied or allocated.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include <simdjson.h>

#include "error.hpp"
#include "quote.hpp"
#include "mapped_file.hpp"

namespace distilbert {

/// gelu is the exact one, x * Phi(x) through erf (Hugging Face's "gelu"), not its tanh approximation.
enum class Activation { gelu, relu, tanh };

enum class ModelFamily { distilbert, bert };

/// What the scores of a classifier mean, under Hugging Face's names.
enum class ProblemType { regression, single_label_classification, multi_label_classification };

/// Names of labels with their ids. No id: what stands there is not that of a label.
using LabelIds = std::vector<std::pair<std::string, std::optional<std::size_t>>>;

/// Upper limits. They are far above any published model, and low enough that no product of two sizes leaves 64 bits.
struct ConfigLimits {
  static constexpr std::size_t file_bytes = std::size_t{1} << 20;
  static constexpr std::size_t rows = std::size_t{1} << 24; // of an embedding table: vocabulary, positions
  static constexpr std::size_t dim = std::size_t{1} << 16;
  static constexpr std::size_t hidden_dim = std::size_t{1} << 16;
  static constexpr std::size_t layers = 1024;
  static constexpr std::size_t labels = std::size_t{1} << 16;
  // of a product, padding included: a sum of that many products of two bytes fits 32 bits
  static constexpr std::size_t inputs = std::size_t{1} << 16;
  static_assert(hidden_dim <= inputs && inputs * 127 * 255 <= 0x7fffffff);
};

/// The configuration of a model. A default-constructed one is DistilBERT-base; one that was read is consistent: every
/// size is at least 1 and within ConfigLimits, n_heads divides dim, and there is at least one label.
///
/// Keys that a file lacks take Hugging Face's defaults of DistilBertConfig or BertConfig; keys that the forward pass
/// does not need (dropout and the like) are ignored; a key given twice counts the second time, as in Python.
/// Three keys let a BERT that distilbert-convert made a DistilBERT keep what sets it apart: pre_classifier_activation,
/// and layer_norm_eps and type_vocab_size, which Hugging Face has in BERT's configuration only.
///
/// Heads are recognized by their tensors, with two exceptions, for which the tensors say too little. A model one of
/// whose architectures ends in "ForMultipleChoice" scores each choice on its own: it has one label, whatever id2label
/// says. One that ends in "ForTokenClassification" does not use the pooler that old files of a BERT hold.
///
/// Errors: invalid_config names the key, what was expected and what was found; unsupported_architecture is a valid
/// configuration of something else: another model_type, activation or kind of position, or a decoder.
struct DistilBertConfig {
  ModelFamily model_type = ModelFamily::distilbert;
  std::vector<std::string> architectures; // Hugging Face's class names
  std::size_t vocab_size = 30522;
  std::size_t max_position_embeddings = 512;
  std::size_t type_vocab_size = 0; // BERT's token types; 0: a DistilBERT, which has none
  std::size_t dim = 768;
  std::size_t hidden_dim = 3072; // width of the feed-forward part
  std::size_t n_layers = 6;
  std::size_t n_heads = 12;
  Activation activation = Activation::gelu;                // gelu or relu
  Activation pre_classifier_activation = Activation::relu; // relu, or tanh as in BERT's pooler
  float layer_norm_eps = 1e-12f;
  std::int32_t pad_token_id = 0;
  bool tie_word_embeddings = true; // whether the masked LM's vocab_projector.weight is the word embeddings'
  std::vector<std::string> id2label = {"LABEL_0", "LABEL_1"}; // [num_labels]
  LabelIds label2id; // in the file's order, need not agree with id2label; not read where there is no id2label
  std::optional<ProblemType> problem_type;

  std::size_t head_dim() const { return dim / n_heads; }
  std::size_t num_labels() const { return id2label.size(); }
  /// label2id, or where that is empty id2label the other way round
  LabelIds label_ids() const;
  /// Whether one of the architectures ends so: "ForMultipleChoice".
  bool has_architecture(std::string_view ending) const;

  static DistilBertConfig from_json(std::string_view json);
  /// Reads at most ConfigLimits::file_bytes; adds MappedFile::open's errors.
  static DistilBertConfig from_file(const std::filesystem::path& path);
  /// Reads directory / "config.json".
  static DistilBertConfig from_pretrained(const std::filesystem::path& directory);
};

namespace detail {

/// How one family of models spells what all have.
struct ConfigKeys {
  const char *dim, *hidden_dim, *n_layers, *n_heads, *activation;
};

inline constexpr ConfigKeys distilbert_keys = {"dim", "hidden_dim", "n_layers", "n_heads", "activation"};
inline constexpr ConfigKeys bert_keys = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                                         "hidden_act"};

/// A word of config.json and what it means to us.
template <class T> using Choice = std::pair<std::string_view, T>;

class ConfigReader {
public:
  explicit ConfigReader(std::string_view json) {
    if (json.size() > ConfigLimits::file_bytes)
      throw Error(ErrorCode::file_too_large, "at most " + std::to_string(ConfigLimits::file_bytes) +
                                                 " bytes expected, " + std::to_string(json.size()) + " found");
    const simdjson::padded_string padded(json); // an empty view may hold a null pointer, which simdjson would copy from
    if (const auto error = parser_.parse(padded).get(root_))
      throw Error(ErrorCode::invalid_config, simdjson::error_message(error));
  }

  DistilBertConfig read() const {
    DistilBertConfig config;
    constexpr Choice<ModelFamily> families[] = {{"distilbert", ModelFamily::distilbert}, {"bert", ModelFamily::bert}};
    config.model_type = required_word("model_type", families);
    const bool bert = config.model_type == ModelFamily::bert;
    const ConfigKeys& keys = bert ? bert_keys : distilbert_keys;

    config.vocab_size = size("vocab_size", config.vocab_size, ConfigLimits::rows);
    config.max_position_embeddings =
        size("max_position_embeddings", config.max_position_embeddings, ConfigLimits::rows);
    config.dim = size(keys.dim, config.dim, ConfigLimits::dim);
    config.hidden_dim = size(keys.hidden_dim, config.hidden_dim, ConfigLimits::hidden_dim);
    config.n_layers = size(keys.n_layers, bert ? 12 : config.n_layers, ConfigLimits::layers);
    config.n_heads = size(keys.n_heads, config.n_heads, config.dim);
    if (config.dim % config.n_heads != 0)
      fail(keys.n_heads, "a divisor of " + std::to_string(config.dim), std::to_string(config.n_heads));
    if (config.n_heads * ((config.head_dim() + 15) / 16 * 16) > ConfigLimits::inputs)
      fail(keys.n_heads, "heads of more channels", std::to_string(config.n_heads));

    constexpr Choice<Activation> activations[] = {{"gelu", Activation::gelu}, {"relu", Activation::relu}};
    config.activation = word(keys.activation, activations).value_or(Activation::gelu);
    constexpr Choice<Activation> head_activations[] = {{"relu", Activation::relu}, {"tanh", Activation::tanh}};
    config.pre_classifier_activation =
        word("pre_classifier_activation", head_activations).value_or(bert ? Activation::tanh : Activation::relu);
    config.layer_norm_eps = epsilon("layer_norm_eps", config.layer_norm_eps);
    config.type_vocab_size = size("type_vocab_size", default_token_types(config), ConfigLimits::rows);
    config.tie_word_embeddings = flag("tie_word_embeddings", true);
    config.pad_token_id = static_cast<std::int32_t>(integer("pad_token_id", 0, config.vocab_size - 1).value_or(0));
    if (bert)
      check_bert();
    read_labels(config);
    read_architectures(config);
    if (config.has_architecture("ForMultipleChoice")) {
      config.id2label = {"LABEL_0"};
      config.label2id.clear();
    }
    return config;
  }

private:
  using Element = simdjson::dom::element;

  /// tanh gives away a BERT that was made a DistilBERT when only token type 0 was kept.
  static std::size_t default_token_types(const DistilBertConfig& config) {
    if (config.model_type == ModelFamily::bert)
      return 2;
    return config.pre_classifier_activation == Activation::tanh ? 1 : 0;
  }

  void check_bert() const {
    constexpr Choice<bool> positions[] = {{"absolute", true}};
    word("position_embedding_type", positions); // any other throws
    for (const char* key : {"is_decoder", "add_cross_attention"})
      if (flag(key, false))
        throw Error(ErrorCode::unsupported_architecture, std::string(key) + " is true: this library runs encoders");
  }

  void read_labels(DistilBertConfig& config) const {
    constexpr Choice<ProblemType> problem_types[] = {
        {"regression", ProblemType::regression},
        {"single_label_classification", ProblemType::single_label_classification},
        {"multi_label_classification", ProblemType::multi_label_classification}};
    config.problem_type = word("problem_type", problem_types);

    const auto num_labels = integer("num_labels", 1, ConfigLimits::labels);
    if (const auto labels = find("id2label")) {
      config.id2label = label_names(*labels);
      if (num_labels && *num_labels != config.id2label.size())
        fail("id2label", std::to_string(*num_labels) + " labels, as num_labels says,",
             std::to_string(config.id2label.size()));
      if (const auto ids = find("label2id"))
        config.label2id = ids_of_names(*ids, config.num_labels());
    } else if (num_labels) {
      config.id2label.clear();
      for (std::uint64_t i = 0; i < *num_labels; ++i)
        config.id2label.push_back("LABEL_" + std::to_string(i));
    }
  }

  /// {"0": "NEGATIVE", "1": "POSITIVE"}, in any order, as a list.
  std::vector<std::string> label_names(Element element) const {
    simdjson::dom::object labels;
    if (element.get(labels) != simdjson::SUCCESS)
      fail("id2label", "an object", found(element));
    const std::size_t count = labels.size();
    if (count == 0 || count > ConfigLimits::labels)
      fail("id2label", "1 to " + std::to_string(ConfigLimits::labels) + " labels", std::to_string(count));
    std::vector<std::optional<std::string_view>> names(count);
    for (const auto& [key, value] : labels) {
      std::size_t id = count;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size() || id >= count || names[id])
        fail("id2label", "the keys 0 to " + std::to_string(count - 1) + ", each once,", quote(key));
      std::string_view name;
      if (value.get(name) != simdjson::SUCCESS)
        fail("id2label", "a string for " + quote(key), found(value));
      names[id] = name;
    }
    std::vector<std::string> result;
    for (const auto& name : names)
      result.emplace_back(*name);
    return result;
  }

  /// {"NEGATIVE": 0, "POSITIVE": 1}. A wrong id is no error here: most heads do not look at it.
  LabelIds ids_of_names(Element element, std::size_t num_labels) const {
    simdjson::dom::object labels;
    if (element.get(labels) != simdjson::SUCCESS)
      fail("label2id", "an object", found(element));
    LabelIds result;
    std::unordered_map<std::string_view, std::size_t> places;
    for (const auto& [name, value] : labels) {
      const auto [place, fresh] = places.try_emplace(name, result.size());
      if (fresh)
        result.emplace_back(name, std::nullopt);
      std::uint64_t id = 0;
      const bool known = value.get(id) == simdjson::SUCCESS && id < num_labels;
      result[place->second].second = known ? std::optional<std::size_t>(id) : std::nullopt;
    }
    return result;
  }

  void read_architectures(DistilBertConfig& config) const {
    const auto element = find("architectures");
    if (!element)
      return;
    simdjson::dom::array names;
    if (element->get(names) != simdjson::SUCCESS)
      fail("architectures", "an array of strings", found(*element));
    for (const Element item : names) {
      std::string_view name;
      if (item.get(name) != simdjson::SUCCESS)
        fail("architectures", "an array of strings", found(item));
      config.architectures.emplace_back(name);
    }
  }

  /// The value of a key; none if the key is missing or null.
  std::optional<Element> find(std::string_view key) const {
    std::optional<Element> result;
    for (const auto& field : root_)
      if (field.key == key)
        result = field.value;
    if (result && result->is_null())
      result.reset();
    return result;
  }

  std::optional<std::uint64_t> integer(const char* key, std::uint64_t least, std::uint64_t most) const {
    const auto element = find(key);
    if (!element)
      return std::nullopt;
    std::uint64_t value = 0;
    if (element->get(value) != simdjson::SUCCESS || value < least || value > most)
      fail(key, "an integer from " + std::to_string(least) + " to " + std::to_string(most), found(*element));
    return value;
  }

  std::size_t size(const char* key, std::size_t fallback, std::size_t most) const {
    return integer(key, 1, most).value_or(fallback);
  }

  float epsilon(const char* key, float fallback) const {
    const auto element = find(key);
    if (!element)
      return fallback;
    double value = 0;
    if (element->get(value) != simdjson::SUCCESS || !(value >= 1e-30 && value <= 1))
      fail(key, "a number from 1e-30 to 1", found(*element));
    return static_cast<float>(value);
  }

  bool flag(const char* key, bool fallback) const {
    const auto element = find(key);
    bool value = fallback;
    if (element && element->get(value) != simdjson::SUCCESS)
      fail(key, "true or false", found(*element));
    return value;
  }

  /// One of a few words, each with its meaning; none if the key is missing.
  template <class T, std::size_t n> std::optional<T> word(const char* key, const Choice<T> (&words)[n]) const {
    const auto element = find(key);
    if (!element)
      return std::nullopt;
    std::string expected;
    for (const auto& [name, meaning] : words)
      expected += (expected.empty() ? "" : " or ") + quote(name);
    std::string_view text;
    if (element->get(text) != simdjson::SUCCESS)
      fail(key, expected, found(*element));
    for (const auto& [name, meaning] : words)
      if (text == name)
        return meaning;
    throw Error(ErrorCode::unsupported_architecture, mismatch(key, expected, quote(text)));
  }

  template <class T, std::size_t n> T required_word(const char* key, const Choice<T> (&words)[n]) const {
    const auto value = word(key, words);
    if (!value)
      throw Error(ErrorCode::invalid_config, std::string(key) + " is missing");
    return *value;
  }

  /// A value as it may stand in a message.
  static std::string found(Element element) {
    std::string_view text;
    if (element.get(text) == simdjson::SUCCESS)
      return quote(text);
    if (element.is_array())
      return "an array";
    if (element.is_object())
      return "an object";
    return simdjson::minify(element);
  }

  static std::string mismatch(const std::string& key, const std::string& expected, const std::string& found) {
    return key + ": " + expected + " expected, " + found + " found";
  }

  [[noreturn]] static void fail(const std::string& key, const std::string& expected, const std::string& found) {
    throw Error(ErrorCode::invalid_config, mismatch(key, expected, found));
  }

  simdjson::dom::parser parser_;
  simdjson::dom::object root_;
};

} // namespace detail

inline bool DistilBertConfig::has_architecture(std::string_view ending) const {
  return std::any_of(architectures.begin(), architectures.end(), [&](const std::string& name) {
    return name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
  });
}

inline LabelIds DistilBertConfig::label_ids() const {
  LabelIds ids = label2id;
  for (std::size_t id = 0; label2id.empty() && id < num_labels(); ++id)
    ids.emplace_back(id2label[id], id);
  return ids;
}

inline DistilBertConfig DistilBertConfig::from_json(std::string_view json) { return detail::ConfigReader(json).read(); }

inline DistilBertConfig DistilBertConfig::from_file(const std::filesystem::path& path) {
  const MappedFile file = MappedFile::open(path, Memory::copy, ConfigLimits::file_bytes);
  try {
    return from_json(file.text());
  } catch (const Error& e) {
    rethrow_within(path.string(), e);
  }
}

inline DistilBertConfig DistilBertConfig::from_pretrained(const std::filesystem::path& directory) {
  return from_file(directory / "config.json");
}

} // namespace distilbert
