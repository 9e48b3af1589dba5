#pragma once
// The layers of a packed model: which there are, in which order, what their tensors are called, and how each is made
// from the tensors of a checkpoint. Reading, packing and writing a converted model all go by this one table.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../config.hpp"
#include "../error.hpp"
#include "checkpoint.hpp"
#include "pack.hpp"
#include "packed_layout.hpp"
#include "safetensors.hpp"

namespace distilbert {

/// One layer of a packed model: its name and sizes. The name is Hugging Face's, "qkv_lin" being q_lin, k_lin and v_lin
/// joined; "embeddings.token_type_embeddings" holds what token types 1, 2, ... have more than type 0, which is part of
/// the positions.
///   linear      out x in             "<name>.packed"  U8 [panels, bytes of a panel]
///                                    "<name>.input_scale"  F32 [padded columns], int8 only, and not in every model
///   embedding   out rows, in columns "<name>.weight"  F32, BF16 or I8 [padded rows, padded columns]
///                                    "<name>.scale"   F32 [padded rows], int8 only
///   layer_norm  in columns           "<name>.weight", "<name>.bias"  F32 [padded columns]
/// So every tensor has a multiple of packed_alignment bytes, and in a file that starts aligned all are aligned.
struct PackedLayer {
  enum class Kind { linear, embedding, layer_norm };

  std::string name;
  Kind kind;
  Precision precision;
  Blocks out, in;
  std::vector<TensorView> tensors; // in the order above
};

/// A way to round linear layers to int8, in place of pack_linear's own. What does not have the sizes said here is
/// refused with invalid_argument.
class LinearRounding {
public:
  virtual ~LinearRounding() = default;

  /// The input scale that the layer gets, [in.logical()]; null for none.
  virtual const std::vector<float>* input_scale(const std::string& layer) const = 0;

  /// Changes weight, [out.logical()][in.logical()] as the checkpoint has it, and returns the scale of each row,
  /// [out.logical()]: each weight then becomes the nearest of its multiples from -127 to 127. With an input scale the
  /// weight must be made one for scaled inputs; with sums of 16 bits the multiples must keep what packed_layout.hpp
  /// promises. Returns none for a layer without input scale that pack_linear is to round.
  virtual std::vector<float> round(const PackedLayer& layer, std::vector<float>& weight) const = 0;
};

namespace detail {

inline TensorView unplaced(const std::string& name, Dtype dtype, std::vector<std::size_t> shape) {
  TensorView tensor{name, dtype, std::move(shape), nullptr, info(dtype).bits / 8};
  for (const std::size_t extent : tensor.shape)
    tensor.bytes *= extent;
  return tensor;
}

inline PackedLayer packed_linear(const std::string& name, Precision precision, Blocks out, Blocks in) {
  return {
      name,      PackedLayer::Kind::linear,
      precision, out,
      in,        {unplaced(name + ".packed", Dtype::u8, {out.packed() / lanes, panel_bytes(precision, in.packed())})}};
}

inline PackedLayer packed_embedding(const std::string& name, Precision precision, std::size_t rows, std::size_t dim) {
  const Dtype dtype = precision == Precision::fp32   ? Dtype::f32
                      : precision == Precision::bf16 ? Dtype::bf16
                                                     : Dtype::i8;
  PackedLayer layer{name, PackedLayer::Kind::embedding, precision, {1, rows}, {1, dim}, {}};
  layer.tensors.push_back(unplaced(name + ".weight", dtype, {padded(rows), padded(dim)}));
  if (precision == Precision::int8)
    layer.tensors.push_back(unplaced(name + ".scale", Dtype::f32, {padded(rows)}));
  return layer;
}

inline PackedLayer packed_layer_norm(const std::string& name, std::size_t dim) {
  return {name,
          PackedLayer::Kind::layer_norm,
          Precision::fp32,
          {1, 1},
          {1, dim},
          {unplaced(name + ".weight", Dtype::f32, {padded(dim)}), unplaced(name + ".bias", Dtype::f32, {padded(dim)})}};
}

inline constexpr const char* token_types = "embeddings.token_type_embeddings";

/// Whether a model, or what one is made from, has a layer. All have the encoder's; heads and token types it must know.
using HasLayer = std::function<bool(const char* name)>;

/// Whether the model has the head that answers for a text as a whole.
inline bool classifies_texts(const HasLayer& has) { return has("pre_classifier") && has("classifier"); }

/// The layers of a model in order of use, their tensors without memory yet. No product here leaves 64 bits: see
/// ConfigLimits.
inline std::vector<PackedLayer> packed_layers(const DistilBertConfig& config, Precision precision, const HasLayer& has,
                                              const HasLayer& has_input_scale) {
  const Blocks dim{1, config.dim}, hidden_dim{1, config.hidden_dim};
  const Blocks heads{config.n_heads, config.head_dim()}, qkv{3 * config.n_heads, config.head_dim()};
  std::vector<PackedLayer> layers;
  layers.push_back(packed_embedding("embeddings.word_embeddings", precision, config.vocab_size, config.dim));
  layers.push_back(
      packed_embedding("embeddings.position_embeddings", precision, config.max_position_embeddings, config.dim));
  if (config.type_vocab_size > 1 && has(token_types))
    layers.push_back(packed_embedding(token_types, Precision::fp32, config.type_vocab_size - 1, config.dim));
  layers.push_back(packed_layer_norm("embeddings.LayerNorm", config.dim));
  for (std::size_t i = 0; i < config.n_layers; ++i) {
    const std::string layer = "transformer.layer." + std::to_string(i);
    layers.push_back(packed_linear(layer + ".attention.qkv_lin", precision, qkv, dim));
    layers.push_back(packed_linear(layer + ".attention.out_lin", precision, dim, heads));
    layers.push_back(packed_layer_norm(layer + ".sa_layer_norm", config.dim));
    layers.push_back(packed_linear(layer + ".ffn.lin1", precision, hidden_dim, dim));
    layers.push_back(packed_linear(layer + ".ffn.lin2", precision, dim, hidden_dim));
    layers.push_back(packed_layer_norm(layer + ".output_layer_norm", config.dim));
  }
  if (has("pre_classifier"))
    layers.push_back(packed_linear("pre_classifier", precision, dim, dim));
  if (has("classifier"))
    layers.push_back(packed_linear("classifier", Precision::fp32, {1, config.num_labels()}, dim));
  if (has("qa_outputs"))
    layers.push_back(packed_linear("qa_outputs", Precision::fp32, {1, 2}, dim));
  if (has("vocab_transform"))
    layers.push_back(packed_linear("vocab_transform", precision, dim, dim));
  if (has("vocab_layer_norm"))
    layers.push_back(packed_layer_norm("vocab_layer_norm", config.dim));
  if (has("vocab_projector"))
    layers.push_back(packed_linear("vocab_projector", precision, {1, config.vocab_size}, dim));
  for (PackedLayer& layer : layers)
    if (layer.kind == PackedLayer::Kind::linear && layer.precision == Precision::int8 &&
        has_input_scale(layer.name.c_str()))
      layer.tensors.push_back(unplaced(layer.name + ".input_scale", Dtype::f32, {layer.in.packed()}));
  return layers;
}

/// The sizes of a model in words. Padding makes many sizes look the same, so a converted file carries this text too.
inline std::string sizes_text(const DistilBertConfig& config, const HasLayer& has) {
  std::string text = "vocab_size " + std::to_string(config.vocab_size);
  text += ", max_position_embeddings " + std::to_string(config.max_position_embeddings);
  text += ", dim " + std::to_string(config.dim) + ", hidden_dim " + std::to_string(config.hidden_dim);
  text += ", n_layers " + std::to_string(config.n_layers) + ", n_heads " + std::to_string(config.n_heads);
  if (has(token_types))
    text += ", type_vocab_size " + std::to_string(config.type_vocab_size);
  return has("classifier") ? text + ", num_labels " + std::to_string(config.num_labels()) : text;
}

/// Weight (then bias) of q_lin, k_lin and v_lin end to end, with 1/sqrt(head_dim) on q_lin.
inline std::vector<float> read_qkv(const Checkpoint& checkpoint, const std::string& attention, const char* parameter,
                                   std::size_t head_dim) {
  std::vector<float> joined = checkpoint.read(attention + ".q_lin" + parameter);
  const float scale = 1 / std::sqrt(static_cast<float>(head_dim));
  for (float& w : joined)
    w *= scale;
  for (const char* projection : {".k_lin", ".v_lin"}) {
    const std::vector<float> part = checkpoint.read(attention + projection + parameter);
    joined.insert(joined.end(), part.begin(), part.end());
  }
  return joined;
}

/// What the other token types have more than type 0.
inline std::vector<float> read_token_types(const Checkpoint& checkpoint, std::size_t dim) {
  std::vector<float> types = checkpoint.read(std::string(token_types) + ".weight");
  for (std::size_t i = dim; i < types.size(); ++i)
    types[i] -= types[i % dim];
  types.erase(types.begin(), types.begin() + static_cast<std::ptrdiff_t>(dim));
  return types;
}

/// The layer's parameter as the checkpoint has it, row-major and without padding.
inline std::vector<float> read_parameter(const Checkpoint& checkpoint, const PackedLayer& layer,
                                         const char* parameter) {
  if (layer.name == token_types)
    return read_token_types(checkpoint, layer.in.size);
  const std::string_view qkv = ".qkv_lin";
  const std::size_t stem = layer.name.size() < qkv.size() ? 0 : layer.name.size() - qkv.size();
  return layer.name.compare(stem, qkv.size(), qkv) == 0
             ? read_qkv(checkpoint, layer.name.substr(0, stem), parameter, layer.out.size)
             : checkpoint.read(layer.name + parameter);
}

/// The scales of a layer's rows if `rounding`, which may be null, has any for it.
inline std::vector<float> rounded_scales(const PackedLayer& layer, const LinearRounding* rounding,
                                         std::vector<float>& weight) {
  if (!rounding || layer.precision != Precision::int8)
    return {};
  const std::size_t size = weight.size();
  std::vector<float> scales = rounding->round(layer, weight);
  const std::vector<float>* input_scale = rounding->input_scale(layer.name);
  if (weight.size() != size || (scales.empty() ? input_scale != nullptr : scales.size() != layer.out.logical()) ||
      (input_scale && input_scale->size() != layer.in.logical()))
    throw Error(ErrorCode::invalid_argument, "a rounding has scales of another size than the layer's");
  if (!std::all_of(scales.begin(), scales.end(), [](float scale) { return std::isfinite(scale); }))
    throw Error(ErrorCode::invalid_argument, "a rounding has scales that are not finite");
  return scales;
}

/// Fills the memory of a layer's tensors, which begins at `to`. `rounding` may be null.
inline void pack_layer(const Checkpoint& checkpoint, const PackedLayer& layer, int sum_bits,
                       const LinearRounding* rounding, unsigned char* to) {
  std::vector<float> weight = read_parameter(checkpoint, layer, ".weight");
  switch (layer.kind) {
  case PackedLayer::Kind::linear: {
    const std::vector<float> bias = read_parameter(checkpoint, layer, ".bias");
    const std::vector<float> scales = rounded_scales(layer, rounding, weight);
    pack_linear(weight.data(), bias.data(), layer.out, layer.in, layer.precision, to, sum_bits,
                scales.empty() ? nullptr : scales.data());
    if (layer.tensors.size() > 1)
      pack_columns(rounding->input_scale(layer.name)->data(), layer.in, to + layer.tensors[0].bytes);
    break;
  }
  case PackedLayer::Kind::embedding: {
    const std::size_t used = layer.out.size * padded(layer.in.size) * element_bytes(layer.precision);
    const std::size_t bytes = layer.tensors[0].bytes;
    pack_embedding(weight.data(), layer.out.size, layer.in.size, layer.precision, to,
                   layer.precision == Precision::int8 ? reinterpret_cast<float*>(to + bytes) : nullptr);
    std::memset(to + used, 0, bytes - used);
    break;
  }
  case PackedLayer::Kind::layer_norm: {
    const std::vector<float> bias = read_parameter(checkpoint, layer, ".bias");
    std::memset(to, 0, 2 * layer.tensors[0].bytes);
    std::memcpy(to, weight.data(), weight.size() * sizeof(float));
    std::memcpy(to + layer.tensors[0].bytes, bias.data(), bias.size() * sizeof(float));
    break;
  }
  }
}

} // namespace detail

} // namespace distilbert
