#pragma once
// A whole model in the packed layout, however it came: views of a converted file where it is mapped, or packed in
// memory from a Hugging Face checkpoint. Both have the same tensors, byte for byte, where both round to the nearest
// step.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../aligned_buffer.hpp"
#include "../config.hpp"
#include "../error.hpp"
#include "../load_options.hpp"
#include "../quote.hpp"
#include "../shared_bytes.hpp"
#include "checkpoint.hpp"
#include "pack.hpp"
#include "packed_checks.hpp"
#include "packed_layers.hpp"
#include "packed_layout.hpp"
#include "probe.hpp"
#include "safetensors.hpp"

namespace distilbert {

/// Keys in the `__metadata__` of a converted file. All values are strings.
namespace packed_metadata {
inline constexpr const char* format = "format";                   // always format_value; marks the file as converted
inline constexpr const char* format_value = "distilbert.cpp";     //
inline constexpr const char* layout_version = "layout_version";   // packed_layout_version, or that with input scales
inline constexpr const char* precision = "precision";             // precision_name()
inline constexpr const char* sum_bits = "sum_bits";               // "16" or "32"; a file without it has 32
inline constexpr const char* sizes = "sizes";                     // detail::sizes_text(): config.json must agree
inline constexpr const char* probe = "probe";                     // {"ids": [...], "logits" or "cls": [...]}
inline constexpr const char* library_version = "library_version"; // version() of the converter; for information
inline constexpr const char* source_sha256 = "source_sha256";     // of the original model.safetensors; for information
} // namespace packed_metadata

/// The tensor of a converted file, U8 [bytes], that holds the vocabulary in a form which needs no building
/// (Vocabulary::packed()). A file without one is as good.
inline constexpr const char* packed_vocabulary = "vocabulary";

/// The packed weights of a model. Immutable, safe from many threads at once; copies share the memory, and views taken
/// from it are good for as long as one copy lives.
///
/// classifier and qa_outputs are always fp32 (they are one panel or a few); token types, LayerNorms, biases and scales
/// are fp32 too. All other weights have the precision of the model.
class PackedModel {
public:
  /// Bytes done and in all.
  using Progress = std::function<void(std::size_t done, std::size_t total)>;
  /// Finds out how a checkpoint is to be rounded to int8; may give null, for the nearest steps. What it throws reaches
  /// the caller.
  using FindRounding =
      std::function<std::unique_ptr<LinearRounding>(const Checkpoint&, const DistilBertConfig&, int sum_bits)>;

  /// Loads directory / "model.safetensors". A converted file is used where it lies (options.memory); no weight of it is
  /// read unless options.check_finite is set. Any other is read as a Checkpoint and packed, fp32 unless
  /// options.precision says otherwise. int8 goes by find_rounding, if there is one, else to the nearest steps: the
  /// models and tasks that load weights give SmoothedRounding::find (nn/input_scales.hpp).
  /// Errors: SafeTensors::open's, Checkpoint's, from_file's, check_finite's, pack's, and invalid_argument when
  /// options.precision or options.sum_bits is not what the file was converted to.
  static PackedModel from_pretrained(const std::filesystem::path& directory, const DistilBertConfig& config,
                                     const LoadOptions& options = {}, const FindRounding& find_rounding = {});

  /// The same of a file that is open already, wherever its bytes lie. A converted one is used where it lies.
  static PackedModel from_safetensors(const SafeTensors& file, const DistilBertConfig& config,
                                      const LoadOptions& options = {}, const FindRounding& find_rounding = {});

  /// Whether the file was written by distilbert-convert, in any version of the layout.
  static bool is_converted(const SafeTensors& file);

  /// Views of a converted file, every size of which is checked against config.
  /// Errors: invalid_packed_model (an unknown layout version, unknown precision or bits, broken probe, unaligned),
  /// missing_tensor, wrong_shape.
  static PackedModel from_file(const SafeTensors& file, const DistilBertConfig& config);

  /// Packs a checkpoint into memory of its own: as much as the packed tensors take, plus one layer in fp32 on the way.
  /// progress(done, total), if given, is called after each layer with bytes; what it throws ends the packing.
  /// sum_bits is that of LoadOptions; `rounding`, which is for int8, may be null.
  /// Errors: non_finite_weight (int8 only) with the layer's name, out_of_memory, invalid_argument for other bits.
  static PackedModel pack(const Checkpoint& checkpoint, const DistilBertConfig& config, Precision precision,
                          const Progress& progress = {}, int sum_bits = 32, const LinearRounding* rounding = nullptr);

  /// Packs these layers alone, as packed_layers() lists them, in fp32.
  static PackedModel pack_layers(const Checkpoint& checkpoint, std::vector<PackedLayer> layers) {
    return pack_layers(checkpoint, std::move(layers), Precision::fp32, {}, 32, nullptr);
  }

  Precision precision() const { return state_->precision; }
  /// Bits that sums of int8 products need: 32, or 16 (see packed_layout.hpp); 32 in any other precision.
  int sum_bits() const { return state_->sum_bits; }

  /// Whether a layer has an input scale.
  bool has_input_scales() const;

  /// Whether the model has the layer: "pre_classifier", "classifier", "qa_outputs", "vocab_transform",
  /// "vocab_layer_norm", "vocab_projector", "embeddings.token_type_embeddings".
  bool has(std::string_view name) const { return find(name) != nullptr; }

  /// Views by name and size. Errors: missing_tensor for an unknown layer, wrong_shape for one of another kind or size.
  ///   "transformer.layer.0.attention.qkv_lin"  Blocks{3 * n_heads, head_dim}, Blocks{1, dim}
  ///   "transformer.layer.0.attention.out_lin"  Blocks{1, dim}, Blocks{n_heads, head_dim}
  ///   "transformer.layer.0.ffn.lin1", ".ffn.lin2", "pre_classifier", "classifier", "qa_outputs", "vocab_transform"
  ///   "vocab_projector"                        Blocks{1, vocab_size}, Blocks{1, dim}
  PackedLinear linear(std::string_view name, Blocks out, Blocks in) const;
  /// "embeddings.word_embeddings", "embeddings.position_embeddings", "embeddings.token_type_embeddings"
  PackedEmbedding embedding(std::string_view name, std::size_t rows, std::size_t dim) const;
  /// "embeddings.LayerNorm", "transformer.layer.0.sa_layer_norm", ".output_layer_norm", "vocab_layer_norm"
  PackedLayerNorm layer_norm(std::string_view name, std::size_t dim) const;

  /// The probe of a converted file, if it carries one.
  const std::optional<Probe>& probe() const { return state_->probe; }

  /// The vocabulary of a converted file, if it carries one: for Vocabulary::from_packed(), which checks it.
  const std::optional<SharedBytes>& vocabulary() const { return state_->vocabulary; }

  /// All layers with their tensors, in the order in which a forward pass uses them.
  const std::vector<PackedLayer>& layers() const { return state_->layers; }

  /// Throws with the name of a layer: non_finite_weight if it holds a NaN or an infinity, invalid_packed_model if int8
  /// weights need more than sum_bits(), lie below -127 or do not add up to what their panel says: then results would be
  /// wrong, and others on each level. Reads all weights.
  void check_finite() const;

private:
  struct State {
    Precision precision;
    int sum_bits;
    std::vector<PackedLayer> layers;
    std::optional<Probe> probe;
    std::optional<SharedBytes> vocabulary;
    std::shared_ptr<const void> memory;
  };

  static PackedModel pack_layers(const Checkpoint& checkpoint, std::vector<PackedLayer> layers, Precision precision,
                                 const Progress& progress, int sum_bits, const LinearRounding* rounding);

  explicit PackedModel(State state) : state_(std::make_shared<const State>(std::move(state))) {}

  const PackedLayer* find(std::string_view name) const;
  const PackedLayer& get(PackedLayer::Kind kind, std::string_view name, Blocks out, Blocks in) const;

  std::shared_ptr<const State> state_;
};

namespace detail {

inline std::string_view metadata_value(const SafeTensors& file, const char* key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? std::string_view() : found->second;
}

/// "F32 [2, 3]"
inline std::string type_and_shape(const TensorView& tensor) {
  return std::string(info(tensor.dtype).name) + ' ' + shape_text(tensor.shape);
}

inline void check_aligned(const TensorView& tensor) {
  if (reinterpret_cast<std::uintptr_t>(tensor.data) % packed_alignment != 0)
    throw_invalid_packed_model(quote(tensor.name) + " does not start at a multiple of " +
                               std::to_string(packed_alignment) + " bytes");
}

/// Runs body. Errors in it get the layer's name, and memory that runs out is one.
template <class Body> void naming(const PackedLayer& layer, const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    rethrow_within(quote(layer.name), e);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::out_of_memory, quote(layer.name));
  }
}

/// Whether the weights of a model of that precision may be packed for sums of so many bits.
constexpr bool is_sum_bits(int bits, Precision precision) {
  return bits == 32 || (bits == 16 && precision == Precision::int8);
}

} // namespace detail

inline bool PackedModel::is_converted(const SafeTensors& file) {
  return detail::metadata_value(file, packed_metadata::format) == packed_metadata::format_value;
}

inline PackedModel PackedModel::from_pretrained(const std::filesystem::path& directory, const DistilBertConfig& config,
                                                const LoadOptions& options, const FindRounding& find_rounding) {
  const std::filesystem::path path = directory / "model.safetensors";
  std::error_code missing;
  if (!std::filesystem::exists(path, missing))
    Checkpoint::from_pretrained(directory, config, options.memory); // throws, and knows what may lie there instead
  const SafeTensors file = SafeTensors::open(path, options.memory);
  try {
    return from_safetensors(file, config, options, find_rounding);
  } catch (const Error& e) {
    if (e.code() == ErrorCode::unsupported_isa) // of DISTILBERT_ISA, which find_rounding may ask for
      throw;
    rethrow_within(path.string(), e);
  }
}

inline PackedModel PackedModel::from_safetensors(const SafeTensors& file, const DistilBertConfig& config,
                                                 const LoadOptions& options, const FindRounding& find_rounding) {
  const auto packed = [&] {
    const Checkpoint checkpoint(file, config);
    const Precision precision = options.precision.value_or(Precision::fp32);
    const int sum_bits = options.sum_bits.value_or(32);
    const auto rounding = find_rounding && precision == Precision::int8 && detail::is_sum_bits(sum_bits, precision)
                              ? find_rounding(checkpoint, config, sum_bits)
                              : nullptr;
    return pack(checkpoint, config, precision, {}, sum_bits, rounding.get());
  };
  PackedModel model = is_converted(file) ? from_file(file, config) : packed();
  if (options.precision && *options.precision != model.precision())
    throw Error(ErrorCode::invalid_argument, "the model was converted to " +
                                                 std::string(precision_name(model.precision())) + ", not to " +
                                                 std::string(precision_name(*options.precision)) +
                                                 "; convert the original model again, or load that one");
  if (options.sum_bits && *options.sum_bits != model.sum_bits())
    throw Error(ErrorCode::invalid_argument,
                "the model has int8 weights for sums of " + std::to_string(model.sum_bits()) + " bits, not of " +
                    std::to_string(*options.sum_bits) + "; convert the original model again, or load that one");
  if (options.check_finite)
    model.check_finite();
  return model;
}

inline PackedModel PackedModel::from_file(const SafeTensors& file, const DistilBertConfig& config) {
  if (!is_converted(file))
    detail::throw_invalid_packed_model("it was not written by distilbert-convert");
  const std::string_view layout = detail::metadata_value(file, packed_metadata::layout_version);
  const bool input_scales = layout == std::to_string(packed_layout_version_with_input_scales);
  if (!input_scales && layout != std::to_string(packed_layout_version))
    detail::throw_invalid_packed_model("layout version " + std::to_string(packed_layout_version) + " or " +
                                       std::to_string(packed_layout_version_with_input_scales) + " expected, " +
                                       detail::quote(layout) + " found");
  const std::string_view precision_text = detail::metadata_value(file, packed_metadata::precision);
  const std::optional<Precision> precision = precision_from_name(precision_text);
  if (!precision)
    detail::throw_invalid_packed_model("precision fp32, bf16 or int8 expected, " + detail::quote(precision_text) +
                                       " found");
  const std::string_view bits_text = detail::metadata_value(file, packed_metadata::sum_bits);
  const int sum_bits = bits_text == "16" ? 16 : 32;
  if ((!bits_text.empty() && bits_text != std::to_string(sum_bits)) || !detail::is_sum_bits(sum_bits, *precision))
    detail::throw_invalid_packed_model("sum_bits " + detail::quote(bits_text) + " in " + std::string(precision_text));

  const auto has = [&](const char* layer) {
    return file.find(std::string(layer) + ".packed") || file.find(std::string(layer) + ".weight");
  };
  const std::string sizes = detail::sizes_text(config, has);
  if (const std::string_view found = detail::metadata_value(file, packed_metadata::sizes); found != sizes)
    throw Error(ErrorCode::wrong_shape,
                "config.json says " + sizes + "; the model was converted with " + detail::quote(found, 200));
  const auto has_input_scale = [&](const char* layer) {
    return input_scales && file.find(std::string(layer) + ".input_scale");
  };
  State state{*precision,   sum_bits,     detail::packed_layers(config, *precision, has, has_input_scale),
              std::nullopt, std::nullopt, file.owner()};
  for (PackedLayer& layer : state.layers) {
    for (TensorView& tensor : layer.tensors) {
      const TensorView* found = file.find(tensor.name);
      const std::string expected = detail::type_and_shape(tensor) + " expected";
      if (!found)
        throw Error(ErrorCode::missing_tensor, detail::quote(tensor.name) + ", " + expected);
      if (found->dtype != tensor.dtype || found->shape != tensor.shape)
        throw Error(ErrorCode::wrong_shape,
                    detail::quote(tensor.name) + ": " + expected + ", " + detail::type_and_shape(*found) + " found");
      detail::check_aligned(*found);
      tensor = *found;
    }
  }
  if (const TensorView* found = file.find(packed_vocabulary)) {
    if (found->dtype != Dtype::u8)
      throw Error(ErrorCode::wrong_shape,
                  detail::quote(found->name) + ": U8 expected, " + detail::type_and_shape(*found) + " found");
    detail::check_aligned(*found);
    state.vocabulary = {file.owner(), {reinterpret_cast<const char*>(found->data), found->bytes}};
  }
  const std::string_view probe = detail::metadata_value(file, packed_metadata::probe);
  if (!probe.empty())
    state.probe = detail::read_probe(probe, config, detail::classifies_texts(has));
  return PackedModel(std::move(state));
}

inline PackedModel PackedModel::pack(const Checkpoint& checkpoint, const DistilBertConfig& config, Precision precision,
                                     const Progress& progress, int sum_bits, const LinearRounding* rounding) {
  if (!detail::is_sum_bits(sum_bits, precision))
    throw Error(ErrorCode::invalid_argument, "weights for sums of " + std::to_string(sum_bits) + " bits in " +
                                                 std::string(precision_name(precision)) +
                                                 "; 32 expected, or 16 in int8");
  const auto has = [&](const char* layer) { return checkpoint.has(std::string(layer) + ".weight"); };
  const auto has_input_scale = [&](const char* layer) { return rounding && rounding->input_scale(layer); };
  return pack_layers(checkpoint, detail::packed_layers(config, precision, has, has_input_scale), precision, progress,
                     sum_bits, rounding);
}

inline PackedModel PackedModel::pack_layers(const Checkpoint& checkpoint, std::vector<PackedLayer> layers,
                                            Precision precision, const Progress& progress, int sum_bits,
                                            const LinearRounding* rounding) {
  State state{precision, sum_bits, std::move(layers), std::nullopt, std::nullopt, nullptr};
  std::size_t total = 0;
  for (const PackedLayer& layer : state.layers)
    for (const TensorView& tensor : layer.tensors)
      total += tensor.bytes;

  const auto memory = std::make_shared<AlignedBuffer>(total);
  state.memory = memory;
  std::size_t done = 0;
  for (PackedLayer& layer : state.layers) {
    detail::naming(layer, [&] { detail::pack_layer(checkpoint, layer, sum_bits, rounding, memory->data() + done); });
    for (TensorView& tensor : layer.tensors) {
      tensor.data = memory->data() + done;
      done += tensor.bytes;
    }
    if (progress)
      progress(done, total);
  }
  return PackedModel(std::move(state));
}

inline bool PackedModel::has_input_scales() const {
  return std::any_of(state_->layers.begin(), state_->layers.end(), [](const PackedLayer& layer) {
    return layer.kind == PackedLayer::Kind::linear && layer.tensors.size() > 1;
  });
}

inline const PackedLayer* PackedModel::find(std::string_view name) const {
  const auto& layers = state_->layers;
  const auto found = std::find_if(layers.begin(), layers.end(), [&](const auto& layer) { return layer.name == name; });
  return found == layers.end() ? nullptr : &*found;
}

inline const PackedLayer& PackedModel::get(PackedLayer::Kind kind, std::string_view name, Blocks out, Blocks in) const {
  const PackedLayer* layer = find(name);
  if (!layer)
    throw Error(ErrorCode::missing_tensor, detail::quote(name));
  const auto size_text = [](Blocks o, Blocks i) {
    return std::to_string(o.count) + " x " + std::to_string(o.size) + " by " + std::to_string(i.count) + " x " +
           std::to_string(i.size);
  };
  const auto same = [](Blocks a, Blocks b) { return a.count == b.count && a.size == b.size; };
  if (layer->kind != kind || !same(layer->out, out) || !same(layer->in, in))
    throw Error(ErrorCode::wrong_shape, detail::quote(name) + ": " + size_text(out, in) + " expected, " +
                                            size_text(layer->out, layer->in) + " found");
  return *layer;
}

inline PackedLinear PackedModel::linear(std::string_view name, Blocks out, Blocks in) const {
  const PackedLayer& layer = get(PackedLayer::Kind::linear, name, out, in);
  return {layer.precision, out.packed(), in.packed(), layer.tensors[0].data,
          layer.tensors.size() > 1 ? reinterpret_cast<const float*>(layer.tensors[1].data) : nullptr};
}

inline PackedEmbedding PackedModel::embedding(std::string_view name, std::size_t rows, std::size_t dim) const {
  const PackedLayer& layer = get(PackedLayer::Kind::embedding, name, {1, rows}, {1, dim});
  const bool scaled = layer.precision == Precision::int8;
  return {layer.precision, rows, padded(dim), layer.tensors[0].data,
          scaled ? reinterpret_cast<const float*>(layer.tensors[1].data) : nullptr};
}

inline PackedLayerNorm PackedModel::layer_norm(std::string_view name, std::size_t dim) const {
  const PackedLayer& layer = get(PackedLayer::Kind::layer_norm, name, {1, 1}, {1, dim});
  return {dim, reinterpret_cast<const float*>(layer.tensors[0].data),
          reinterpret_cast<const float*>(layer.tensors[1].data)};
}

inline void PackedModel::check_finite() const {
  for (const PackedLayer& layer : state_->layers) {
    if (!detail::is_finite(layer))
      throw Error(ErrorCode::non_finite_weight, detail::quote(layer.name));
    if (layer.kind != PackedLayer::Kind::linear || layer.precision != Precision::int8)
      continue;
    if (!detail::has_right_sums(layer))
      detail::throw_invalid_packed_model(detail::quote(layer.name) + " has weights that their sums do not belong to");
    if (sum_bits() == 16 && !detail::has_16_bit_sums(layer))
      detail::throw_invalid_packed_model(detail::quote(layer.name) +
                                         " has weights whose products need more than 16 bits");
  }
}

} // namespace distilbert
