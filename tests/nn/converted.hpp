#pragma once
// A converted model back in Hugging Face's tensors and fp32, so that it can be compared with transformers:
// golden/converted.py in C++. Reads the packed layout by its description, not with the library's packing code.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <distilbert/weights/packed_model.hpp>

#include "random_model.hpp"

namespace distilbert::test {

struct UnpackedLinear {
  std::vector<float> weight, bias;
};

/// Weight [out][in] and bias [out] without padding.
inline UnpackedLinear unpack(const PackedLinear& packed, Blocks out, Blocks in) {
  if (packed.input_scale)
    throw std::invalid_argument("input scales are not read here");
  UnpackedLinear linear;
  const auto float_at = [](const unsigned char* p) {
    float value;
    std::memcpy(&value, p, sizeof value);
    return value;
  };
  for (std::size_t row = 0; row < out.logical(); ++row) {
    const std::size_t packed_row = row / out.size * padded(out.size) + row % out.size, c = packed_row % 16;
    const unsigned char* panel = packed.panel(packed_row / 16);
    linear.bias.push_back(float_at(panel + 4 * c));
    for (std::size_t column = 0; column < in.logical(); ++column) {
      const std::size_t k = column / in.size * padded(in.size) + column % in.size;
      if (packed.precision == Precision::int8) {
        const auto quantum = static_cast<std::int8_t>(panel[192 + (k / 4 * 16 + c) * 4 + k % 4]);
        linear.weight.push_back(static_cast<float>(quantum) * float_at(panel + 64 + 4 * c));
      } else {
        linear.weight.push_back(float_at(panel + 64 + (k * 16 + c) * 4));
      }
    }
  }
  return linear;
}

/// The tensors of an fp32 or int8 DistilBERT classifier, under the names and in the order of random_tensors().
inline std::vector<Tensor> unpacked_tensors(const PackedModel& model, const DistilBertConfig& config) {
  std::vector<Tensor> tensors;
  const std::size_t dim = config.dim, hidden_dim = config.hidden_dim, head_dim = config.head_dim();
  const auto add_linear = [&](const std::string& name, std::size_t out, std::size_t in, UnpackedLinear linear) {
    tensors.push_back({name + ".weight", {out, in}, std::move(linear.weight)});
    tensors.push_back({name + ".bias", {out}, std::move(linear.bias)});
  };
  const auto add_norm = [&](const std::string& name) {
    const PackedLayerNorm norm = model.layer_norm(name, dim);
    tensors.push_back({name + ".weight", {dim}, {norm.weight, norm.weight + dim}});
    tensors.push_back({name + ".bias", {dim}, {norm.bias, norm.bias + dim}});
  };
  const auto add_embedding = [&](const std::string& name, std::size_t rows) {
    const PackedEmbedding table = model.embedding(name, rows, dim);
    Tensor tensor{name + ".weight", {rows, dim}, {}};
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t c = 0; c < dim; ++c) {
        const std::size_t at = row * padded(dim) + c;
        tensor.values.push_back(table.precision == Precision::int8
                                    ? static_cast<float>(static_cast<const std::int8_t*>(table.weight)[at]) *
                                          table.scale[row]
                                    : static_cast<const float*>(table.weight)[at]);
      }
    tensors.push_back(std::move(tensor));
  };

  add_embedding("embeddings.word_embeddings", config.vocab_size);
  add_embedding("embeddings.position_embeddings", config.max_position_embeddings);
  add_norm("embeddings.LayerNorm");
  const Blocks one{1, dim}, heads{config.n_heads, head_dim}, joined{3 * config.n_heads, head_dim};
  for (std::size_t i = 0; i < config.n_layers; ++i) {
    const std::string layer = "transformer.layer." + std::to_string(i) + ".";
    const UnpackedLinear qkv = unpack(model.linear(layer + "attention.qkv_lin", joined, one), joined, one);
    for (std::size_t part = 0; part < 3; ++part) {
      // q_lin carries 1/sqrt(head_dim), which Hugging Face applies to the scores
      const float unfolded = part == 0 ? static_cast<float>(std::sqrt(static_cast<double>(head_dim))) : 1.0f;
      UnpackedLinear linear;
      for (std::size_t k = part * dim * dim; k < (part + 1) * dim * dim; ++k)
        linear.weight.push_back(qkv.weight[k] * unfolded);
      for (std::size_t k = part * dim; k < (part + 1) * dim; ++k)
        linear.bias.push_back(qkv.bias[k] * unfolded);
      const char* names[] = {"q_lin", "k_lin", "v_lin"};
      add_linear(layer + "attention." + names[part], dim, dim, std::move(linear));
    }
    const auto add = [&](const std::string& name, Blocks out, Blocks in) {
      add_linear(layer + name, out.logical(), in.logical(), unpack(model.linear(layer + name, out, in), out, in));
    };
    add("attention.out_lin", one, heads);
    add_norm(layer + "sa_layer_norm");
    add("ffn.lin1", {1, hidden_dim}, one);
    add("ffn.lin2", one, {1, hidden_dim});
    add_norm(layer + "output_layer_norm");
  }
  add_linear("pre_classifier", dim, dim, unpack(model.linear("pre_classifier", one, one), one, one));
  const std::size_t labels = config.num_labels();
  add_linear("classifier", labels, dim, unpack(model.linear("classifier", {1, labels}, one), {1, labels}, one));
  return tensors;
}

/// The shape of a GELU DistilBERT classifier.
inline Shape shape_of(const DistilBertConfig& config) {
  return {.vocab = config.vocab_size,
          .positions = config.max_position_embeddings,
          .dim = config.dim,
          .hidden_dim = config.hidden_dim,
          .n_layers = config.n_layers,
          .n_heads = config.n_heads,
          .labels = config.num_labels()};
}

} // namespace distilbert::test
