#pragma once
// Model directories with random weights that are never stored: a counter-based generator gives them, bit for bit as
// golden/random_weights.py does, which explains it.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace distilbert::test {

/// A model in the words of both languages: random_weights.Shape.
struct Shape {
  std::string family = "distilbert"; // or "bert"
  std::size_t vocab = 100, positions = 512, dim = 32, hidden_dim = 64, n_layers = 2, n_heads = 4;
  std::size_t labels = 2;        // 0: an encoder without head
  std::string head = "sequence"; // or "token", "qa", "mlm" (tied to the word embeddings), "multiple_choice"
  std::string activation = "gelu", problem_type{}, dtype = "F32", prefix = "distilbert.";
  std::uint64_t seed = 1;
};

struct Tensor {
  std::string name; // without prefix
  std::vector<std::size_t> size;
  std::vector<float> values;
};

inline std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

inline std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

/// The 64-bit words of the stream (seed, name).
class Stream {
public:
  Stream(std::uint64_t seed, std::string_view name) : next_(splitmix64(fnv1a(name) ^ seed)) {}
  std::uint64_t next() { return splitmix64(next_++); }

private:
  std::uint64_t next_;
};

/// Token ids of random text number `text`.
inline std::vector<std::int32_t> random_ids(const Shape& shape, std::size_t text, std::size_t length) {
  Stream stream(shape.seed, "ids." + std::to_string(text));
  std::vector<std::int32_t> ids(length);
  for (std::int32_t& id : ids)
    id = static_cast<std::int32_t>(stream.next() % shape.vocab);
  return ids;
}

inline std::uint16_t bf16_bits(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}
inline float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

/// For |x| well below 65504.
inline std::uint16_t fp16_bits(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(std::fabs(x));
  const bool subnormal = std::fabs(x) < 0x1p-14f;
  const std::uint32_t magnitude = subnormal ? static_cast<std::uint32_t>(std::nearbyint(std::fabs(x) * 0x1p24f))
                                            : ((bits + 0xFFF + (bits >> 13 & 1)) >> 13) - (112u << 10);
  return static_cast<std::uint16_t>(magnitude | (std::signbit(x) ? 0x8000u : 0u));
}
inline float from_fp16(std::uint16_t bits) {
  const std::uint32_t magnitude = bits & 0x7FFFu;
  const float x = magnitude < 0x400 ? static_cast<float>(magnitude) * 0x1p-24f
                                    : std::bit_cast<float>((magnitude << 13) + (112u << 23));
  return bits & 0x8000u ? -x : x;
}

inline float rounded(float x, std::string_view dtype) {
  return dtype == "F16" ? from_fp16(fp16_bits(x)) : dtype == "BF16" ? from_bf16(bf16_bits(x)) : x;
}

inline std::pair<double, double> mean_and_std(std::string_view name, std::size_t columns) {
  const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
  if (name == "vocab_layer_norm.weight" || name == "cls.predictions.transform.LayerNorm.weight")
    return {10.0, 1.0};
  if (name.ends_with("LayerNorm.weight") || name.ends_with("layer_norm.weight"))
    return {1.0, 0.1};
  if (name.ends_with(".bias"))
    return {0.0, 0.1};
  if (has("embeddings."))
    return {0.0, 0.05};
  if (name == "qa_outputs.weight")
    return {0.0, 3.0 / std::sqrt(static_cast<double>(columns))};
  const bool sharp = has("q_lin") || has("k_lin") || has("query") || has("key");
  return {0.0, (sharp ? 1.5 : 1.0) / std::sqrt(static_cast<double>(columns))};
}

inline Tensor random_tensor(const Shape& shape, std::string name, std::vector<std::size_t> size) {
  constexpr double word_sum_std = 37837.2;
  const auto [mean, std] = mean_and_std(name, size.back());
  const auto offset = static_cast<std::int64_t>(std::floor(mean / std * word_sum_std + 0.5)) - 131070;
  const auto scale = static_cast<float>(std / word_sum_std);
  std::size_t count = 1;
  for (const std::size_t n : size)
    count *= n;
  Stream stream(shape.seed, name);
  std::vector<float> values(count);
  for (float& value : values) {
    const std::uint64_t word = stream.next();
    const std::uint64_t sum = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48);
    value = rounded(static_cast<float>(static_cast<std::int64_t>(sum) + offset) * scale, shape.dtype);
  }
  return {std::move(name), std::move(size), std::move(values)};
}

/// All tensors of the model, in the order of random_weights.tensors.
inline std::vector<Tensor> random_tensors(const Shape& shape) {
  std::vector<Tensor> all;
  const bool bert = shape.family == "bert";
  const auto add = [&](std::string name, std::vector<std::size_t> size) {
    all.push_back(random_tensor(shape, std::move(name), std::move(size)));
  };
  const auto linear = [&](const std::string& name, std::size_t out, std::size_t in) {
    add(name + ".weight", {out, in});
    add(name + ".bias", {out});
  };
  const auto norm = [&](const std::string& name) {
    add(name + ".weight", {shape.dim});
    add(name + ".bias", {shape.dim});
  };
  add("embeddings.word_embeddings.weight", {shape.vocab, shape.dim});
  add("embeddings.position_embeddings.weight", {shape.positions, shape.dim});
  if (bert)
    add("embeddings.token_type_embeddings.weight", {2, shape.dim});
  norm("embeddings.LayerNorm");
  using Names = std::array<std::string, 8>;
  const Names names =
      bert ? Names{"attention.self.query",       "attention.self.key", "attention.self.value", "attention.output.dense",
                   "attention.output.LayerNorm", "intermediate.dense", "output.dense",         "output.LayerNorm"}
           : Names{"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
                   "sa_layer_norm",   "ffn.lin1",        "ffn.lin2",        "output_layer_norm"};
  for (std::size_t i = 0; i < shape.n_layers; ++i) {
    const std::string layer = (bert ? "encoder.layer." : "transformer.layer.") + std::to_string(i) + ".";
    for (std::size_t k = 0; k < 4; ++k)
      linear(layer + names[k], shape.dim, shape.dim);
    norm(layer + names[4]);
    linear(layer + names[5], shape.hidden_dim, shape.dim);
    linear(layer + names[6], shape.dim, shape.hidden_dim);
    norm(layer + names[7]);
  }
  const bool sequence = shape.head == "sequence" || shape.head == "multiple_choice";
  if (bert && (shape.labels == 0 || sequence))
    linear("pooler.dense", shape.dim, shape.dim);
  if (shape.labels == 0)
    return all;
  if (shape.head == "qa") {
    linear("qa_outputs", 2, shape.dim);
  } else if (shape.head == "mlm") {
    linear(bert ? "cls.predictions.transform.dense" : "vocab_transform", shape.dim, shape.dim);
    norm(bert ? "cls.predictions.transform.LayerNorm" : "vocab_layer_norm");
    add(bert ? "cls.predictions.bias" : "vocab_projector.bias", {shape.vocab});
  } else {
    if (!bert && sequence)
      linear("pre_classifier", shape.dim, shape.dim);
    linear("classifier", shape.head == "multiple_choice" ? 1 : shape.labels, shape.dim);
  }
  return all;
}

/// Weighted sum of all bit patterns: differs if the two generators differ anywhere.
inline std::uint64_t checksum(const std::vector<Tensor>& tensors) {
  std::uint64_t total = 0, position = 0;
  for (const Tensor& tensor : tensors)
    for (const float value : tensor.values)
      total += std::bit_cast<std::uint32_t>(value) * (2 * position++ + 1);
  return total;
}

/// A folder that goes away with its owner.
class TemporaryDirectory {
public:
  TemporaryDirectory()
      : path_(std::filesystem::temp_directory_path() / ("distilbert-test-" + std::to_string(std::random_device{}()))) {
    if (!std::filesystem::create_directory(path_))
      throw std::runtime_error("cannot make " + path_.string());
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  if (!file.flush())
    throw std::runtime_error("cannot write " + path.string());
}

/// The end of Hugging Face's class name.
inline std::string class_suffix(const Shape& shape) {
  if (shape.labels == 0)
    return "Model";
  return shape.head == "sequence" ? "ForSequenceClassification"
         : shape.head == "token"  ? "ForTokenClassification"
         : shape.head == "qa"     ? "ForQuestionAnswering"
         : shape.head == "mlm"    ? "ForMaskedLM"
                                  : "ForMultipleChoice";
}

/// config.json with Hugging Face's keys.
inline std::string config_json(const Shape& shape) {
  const bool bert = shape.family == "bert";
  std::string json = "{\"model_type\": \"" + shape.family + "\", \"architectures\": [\"" +
                     (bert ? "Bert" : "DistilBert") + class_suffix(shape) + "\"], \"" +
                     (bert ? "hidden_act" : "activation") + "\": \"" + shape.activation + "\"";
  const auto add = [&](const char* key, std::size_t value) {
    json += ", \"" + std::string(key) + "\": " + std::to_string(value);
  };
  add("vocab_size", shape.vocab);
  add("max_position_embeddings", shape.positions);
  add(bert ? "hidden_size" : "dim", shape.dim);
  add(bert ? "intermediate_size" : "hidden_dim", shape.hidden_dim);
  add(bert ? "num_hidden_layers" : "n_layers", shape.n_layers);
  add(bert ? "num_attention_heads" : "n_heads", shape.n_heads);
  if (bert)
    add("type_vocab_size", 2);
  if (!shape.problem_type.empty())
    json += ", \"problem_type\": \"" + shape.problem_type + "\"";
  for (std::size_t i = 0; i < shape.labels; ++i)
    json += (i ? ", \"" : ", \"id2label\": {\"") + std::to_string(i) + "\": \"label " + std::to_string(i) + "\"";
  return json + (shape.labels ? "}}" : "}");
}

/// model.safetensors: 8 bytes of header length, the header, the tensors end to end.
inline void write_safetensors(const std::filesystem::path& path, const Shape& shape,
                              const std::vector<Tensor>& tensors) {
  constexpr std::array<std::string_view, 5> heads{"pre_classifier", "classifier", "qa_outputs", "vocab_", "cls."};
  const std::size_t element = shape.dtype == "F32" ? 4 : 2;
  std::string header = "{", data;
  for (const Tensor& tensor : tensors) {
    const bool head =
        std::any_of(heads.begin(), heads.end(), [&](std::string_view start) { return tensor.name.starts_with(start); });
    std::string size;
    for (const std::size_t n : tensor.size)
      size += (size.empty() ? "" : ",") + std::to_string(n);
    header += (header.size() > 1 ? ",\"" : "\"") + (head ? "" : shape.prefix) + tensor.name + "\":{\"dtype\":\"" +
              shape.dtype + "\",\"shape\":[" + size + "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + tensor.values.size() * element) + "]}";
    for (const float value : tensor.values) {
      const std::uint32_t bits = shape.dtype == "F16"    ? fp16_bits(value)
                                 : shape.dtype == "BF16" ? bf16_bits(value)
                                                         : std::bit_cast<std::uint32_t>(value);
      for (std::size_t byte = 0; byte < element; ++byte)
        data += static_cast<char>(bits >> 8 * byte & 0xFF);
    }
  }
  header += "}";
  std::string length;
  for (std::size_t byte = 0; byte < 8; ++byte)
    length += static_cast<char>(header.size() >> 8 * byte & 0xFF);
  write_file(path, length + header + data);
}

/// Five special tokens, then "w5", "w6", ...: a word for every further id.
inline std::string vocabulary(const Shape& shape) {
  std::string lines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (std::size_t id = 5; id < shape.vocab; ++id)
    lines += "w" + std::to_string(id) + "\n";
  return lines;
}

/// Writes config.json, model.safetensors and vocab.txt as Hugging Face would.
inline void write_model(const std::filesystem::path& directory, const Shape& shape,
                        const std::vector<Tensor>& tensors) {
  write_file(directory / "config.json", config_json(shape));
  write_file(directory / "vocab.txt", vocabulary(shape));
  write_safetensors(directory / "model.safetensors", shape, tensors);
}

/// A random model and the folder it lies in.
struct RandomModel {
  explicit RandomModel(const Shape& model_shape) : RandomModel(model_shape, random_tensors(model_shape)) {}
  /// The same with tensors that the caller has changed.
  RandomModel(Shape model_shape, std::vector<Tensor> model_tensors)
      : shape(std::move(model_shape)), tensors(std::move(model_tensors)) {
    write_model(directory.path(), shape, tensors);
  }
  const std::filesystem::path& path() const { return directory.path(); }

  TemporaryDirectory directory;
  Shape shape;
  std::vector<Tensor> tensors;
};

} // namespace distilbert::test
