#pragma once
// A Hugging Face checkpoint as named fp32 matrices: whatever the file calls a tensor and however it stores it, the rest
// of the library sees DistilBERT's names, checked shapes and floats.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "../config.hpp"
#include "../error.hpp"
#include "../quote.hpp"
#include "../mapped_file.hpp"
#include "safetensors.hpp"
#include "tensor_view.hpp"
#include "widen.hpp"

namespace distilbert {

/// A size that config.json gives, or that is always the same: the two ends of an answer.
enum class Extent { vocabulary, positions, token_types, dim, hidden_dim, labels, ends };

/// What tensors a module has. embedding: weight [rows, columns]; linear: weight [rows, columns] and bias [rows];
/// layer_norm: weight and bias [rows]. tied_linear is linear; its weight is the word embeddings', whatever else the
/// file holds, unless the config's tie_word_embeddings is false.
enum class ModuleKind { embedding, linear, layer_norm, tied_linear };

/// Whether a model must have a module; a head may be missing, but not in part.
enum class Presence { required, required_in_bert, optional };

/// A module of the network: what either family calls it, and its sizes.
struct ModuleSpec {
  const char* name;      // DistilBERT's, which is ours too; '#' stands for the number of the layer
  const char* bert_name; // BERT's
  ModuleKind kind;
  Extent rows = Extent::dim;
  Extent columns = Extent::dim;
  Presence presence = Presence::required;
};

/// Every tensor that the library reads; all others of a file are ignored. Each may carry the prefix "distilbert." or
/// "bert." in the file (the one with the prefix is taken if both are there), and LayerNorm.weight and LayerNorm.bias
/// may be called gamma and beta, as in checkpoints that come from TensorFlow. BERT's cls.predictions.decoder.bias may
/// be called cls.predictions.bias.
inline constexpr ModuleSpec checkpoint_modules[] = {
    {"embeddings.word_embeddings", "embeddings.word_embeddings", ModuleKind::embedding, Extent::vocabulary},
    {"embeddings.position_embeddings", "embeddings.position_embeddings", ModuleKind::embedding, Extent::positions},
    {"embeddings.token_type_embeddings", "embeddings.token_type_embeddings", ModuleKind::embedding, Extent::token_types,
     Extent::dim, Presence::required_in_bert},
    {"embeddings.LayerNorm", "embeddings.LayerNorm", ModuleKind::layer_norm},
    {"transformer.layer.#.attention.q_lin", "encoder.layer.#.attention.self.query", ModuleKind::linear},
    {"transformer.layer.#.attention.k_lin", "encoder.layer.#.attention.self.key", ModuleKind::linear},
    {"transformer.layer.#.attention.v_lin", "encoder.layer.#.attention.self.value", ModuleKind::linear},
    {"transformer.layer.#.attention.out_lin", "encoder.layer.#.attention.output.dense", ModuleKind::linear},
    {"transformer.layer.#.sa_layer_norm", "encoder.layer.#.attention.output.LayerNorm", ModuleKind::layer_norm},
    {"transformer.layer.#.ffn.lin1", "encoder.layer.#.intermediate.dense", ModuleKind::linear, Extent::hidden_dim},
    {"transformer.layer.#.ffn.lin2", "encoder.layer.#.output.dense", ModuleKind::linear, Extent::dim,
     Extent::hidden_dim},
    {"transformer.layer.#.output_layer_norm", "encoder.layer.#.output.LayerNorm", ModuleKind::layer_norm},
    {"pre_classifier", "pooler.dense", ModuleKind::linear, Extent::dim, Extent::dim, Presence::optional},
    {"classifier", "classifier", ModuleKind::linear, Extent::labels, Extent::dim, Presence::optional},
    {"qa_outputs", "qa_outputs", ModuleKind::linear, Extent::ends, Extent::dim, Presence::optional},
    {"vocab_transform", "cls.predictions.transform.dense", ModuleKind::linear, Extent::dim, Extent::dim,
     Presence::optional},
    {"vocab_layer_norm", "cls.predictions.transform.LayerNorm", ModuleKind::layer_norm, Extent::dim, Extent::dim,
     Presence::optional},
    {"vocab_projector", "cls.predictions.decoder", ModuleKind::tied_linear, Extent::vocabulary, Extent::dim,
     Presence::optional},
};

/// The weights of a DistilBERT or BERT model in Hugging Face's own layout. Immutable, safe from many threads at once;
/// copies share the bytes of the file. Tensors are stored as F32, F16 or BF16; other types are refused, F64 among them,
/// since nothing here rounds a weight without being asked.
class Checkpoint {
public:
  /// Reads directory / "model.safetensors". A model split into several files (model.safetensors.index.json) is refused
  /// with advice, so no name inside a file ever becomes a path. Errors: SafeTensors::open's and the constructor's.
  static Checkpoint from_pretrained(const std::filesystem::path& directory, const DistilBertConfig& config,
                                    Memory memory = Memory::map);

  /// Checks names, types and shapes of all tensors; reads none. Errors: missing_tensor, wrong_shape, unsupported_dtype.
  Checkpoint(SafeTensors file, const DistilBertConfig& config);

  /// Whether the model has the tensor, by DistilBERT's name without prefix: "classifier.weight",
  /// "transformer.layer.0.attention.q_lin.bias", whatever the file calls it.
  bool has(std::string_view name) const { return find(name) != nullptr; }

  /// The tensor as [rows * columns] floats, row-major. Every F32, F16 and BF16 value is kept exactly. BERT's embedding
  /// of token type 0 is already added to the positions. Errors: missing_tensor, out_of_memory.
  std::vector<float> read(std::string_view name) const;

  /// Throws non_finite_weight with the name of the first tensor that holds a NaN or an infinity. Reads all of them.
  void check_finite() const;

  const SafeTensors& file() const noexcept { return file_; }

private:
  struct Tensor {
    std::string name;  // ours
    std::size_t index; // in file_.tensors()
  };

  void add_module(const ModuleSpec& spec, const std::string& number, const DistilBertConfig& config);
  const TensorView* stored(const std::string& module, const char* parameter) const;
  const Tensor* find(std::string_view name) const;

  SafeTensors file_;
  std::vector<Tensor> tensors_; // sorted by name
  bool bert_;
};

namespace detail {

inline std::size_t length_of(Extent extent, const DistilBertConfig& config) {
  switch (extent) {
  case Extent::vocabulary: return config.vocab_size;
  case Extent::positions: return config.max_position_embeddings;
  case Extent::token_types: return config.type_vocab_size;
  case Extent::dim: return config.dim;
  case Extent::hidden_dim: return config.hidden_dim;
  case Extent::labels: return config.num_labels();
  case Extent::ends: return 2;
  }
  return 0;
}

inline void check_tensor(const TensorView& tensor, const std::vector<std::size_t>& expected) {
  if (tensor.dtype != Dtype::f32 && tensor.dtype != Dtype::f16 && tensor.dtype != Dtype::bf16)
    throw Error(ErrorCode::unsupported_dtype,
                quote(tensor.name) + ": F32, F16 or BF16 expected, " + info(tensor.dtype).name + " found");
  if (tensor.shape != expected)
    throw Error(ErrorCode::wrong_shape,
                quote(tensor.name) + ": " + shape_text(expected) + " expected, " + shape_text(tensor.shape) + " found");
}

/// What may lie in a directory instead of model.safetensors.
inline std::string missing_model_advice(const std::filesystem::path& directory) {
  std::error_code ignored;
  if (std::filesystem::exists(directory / "model.safetensors.index.json", ignored))
    return "; the model is split into several files, which is not supported: save it as one file";
  if (std::filesystem::exists(directory / "pytorch_model.bin", ignored))
    return "; pytorch_model.bin is not read: save the model as safetensors";
  return "";
}

} // namespace detail

inline Checkpoint Checkpoint::from_pretrained(const std::filesystem::path& directory, const DistilBertConfig& config,
                                              Memory memory) {
  const std::filesystem::path path = directory / "model.safetensors";
  std::error_code ignored;
  if (std::filesystem::status(path, ignored).type() == std::filesystem::file_type::not_found)
    throw Error(ErrorCode::file_not_found, path.string() + detail::missing_model_advice(directory));
  SafeTensors file = SafeTensors::open(path, memory);
  try {
    return Checkpoint(std::move(file), config);
  } catch (const Error& e) {
    rethrow_within(path.string(), e);
  }
}

inline Checkpoint::Checkpoint(SafeTensors file, const DistilBertConfig& config)
    : file_(std::move(file)), bert_(config.model_type == ModelFamily::bert) {
  for (const ModuleSpec& spec : checkpoint_modules) {
    const bool in_layers = std::string_view(spec.name).find('#') != std::string_view::npos;
    for (std::size_t layer = 0; layer < (in_layers ? config.n_layers : 1); ++layer)
      add_module(spec, std::to_string(layer), config);
  }
  std::sort(tensors_.begin(), tensors_.end(), [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
}

inline void Checkpoint::add_module(const ModuleSpec& spec, const std::string& number, const DistilBertConfig& config) {
  if (spec.presence == Presence::required_in_bert && !bert_)
    return;
  const auto numbered = [&](std::string name) {
    const std::size_t place = name.find('#');
    return place == std::string::npos ? name : name.replace(place, 1, number);
  };
  const std::string module = numbered(spec.name);
  if (module == "pre_classifier" && config.has_architecture("ForTokenClassification"))
    return;
  const std::string module_in_file = numbered(bert_ ? spec.bert_name : spec.name);
  const std::size_t rows = detail::length_of(spec.rows, config), columns = detail::length_of(spec.columns, config);

  const bool tied = spec.kind == ModuleKind::tied_linear && config.tie_word_embeddings;
  const TensorView* weight = stored(tied ? "embeddings.word_embeddings" : module_in_file, ".weight");
  const TensorView* bias = stored(module_in_file, ".bias");
  if (spec.presence == Presence::optional && bias == nullptr && (weight == nullptr || tied))
    return;
  const auto add = [&](const TensorView* tensor, const char* parameter, const std::vector<std::size_t>& shape) {
    if (tensor == nullptr)
      throw Error(ErrorCode::missing_tensor,
                  detail::quote(module_in_file + parameter) + " of shape " + detail::shape_text(shape) + " expected");
    detail::check_tensor(*tensor, shape);
    tensors_.push_back({module + parameter, static_cast<std::size_t>(tensor - file_.tensors().data())});
  };
  if (spec.kind == ModuleKind::layer_norm)
    add(weight, ".weight", {rows});
  else
    add(weight, ".weight", {rows, columns});
  if (spec.kind != ModuleKind::embedding)
    add(bias, ".bias", {rows});
}

/// The tensor under any of the names that a file may give it; null if it has none.
inline const TensorView* Checkpoint::stored(const std::string& module, const char* parameter) const {
  const std::string_view norm = "LayerNorm";
  std::vector<std::string> names = {module + parameter};
  if (module.size() >= norm.size() && module.compare(module.size() - norm.size(), norm.size(), norm) == 0)
    names.push_back(module + (std::string_view(parameter) == ".weight" ? ".gamma" : ".beta"));
  if (names[0] == "cls.predictions.decoder.bias")
    names.emplace_back("cls.predictions.bias");
  for (const char* prefix : {bert_ ? "bert." : "distilbert.", ""})
    for (const std::string& name : names)
      if (const TensorView* tensor = file_.find(prefix + name))
        return tensor;
  return nullptr;
}

inline const Checkpoint::Tensor* Checkpoint::find(std::string_view name) const {
  const auto found = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                      [](const Tensor& tensor, std::string_view key) { return tensor.name < key; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

inline std::vector<float> Checkpoint::read(std::string_view name) const {
  const Tensor* tensor = find(name);
  if (tensor == nullptr)
    throw Error(ErrorCode::missing_tensor, detail::quote(name));
  const TensorView& view = file_.tensors()[tensor->index];
  try {
    std::vector<float> values = detail::to_floats(view);
    if (bert_ && name == "embeddings.position_embeddings.weight") {
      const std::vector<float> token_types = read("embeddings.token_type_embeddings.weight");
      const std::size_t dim = view.shape[1];
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] += token_types[i % dim];
    }
    return values;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::out_of_memory, detail::quote(view.name) + " " + detail::shape_text(view.shape));
  }
}

inline void Checkpoint::check_finite() const {
  for (const Tensor& tensor : tensors_) {
    const std::vector<float> values = read(tensor.name);
    const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
    if (bad != values.end())
      throw Error(ErrorCode::non_finite_weight, detail::quote(file_.tensors()[tensor.index].name) + ", element " +
                                                    std::to_string(bad - values.begin()));
  }
}

} // namespace distilbert
