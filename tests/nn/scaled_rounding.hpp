#pragma once
// Input scales for a model that needs none: the layers of its encoder compute the same with them as without.

#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include <distilbert/weights/packed_layers.hpp>

#include "random_model.hpp"

namespace distilbert::test {

/// Gives every linear layer of the encoder an input scale of powers of two, 1/2 to 2, and rounds to the nearest step.
class ScaledRounding : public LinearRounding {
public:
  explicit ScaledRounding(const Shape& shape, int sum_bits = 32) : sum_bits_(sum_bits) {
    for (std::size_t layer = 0; layer < shape.n_layers; ++layer)
      for (const char* name : {".attention.qkv_lin", ".attention.out_lin", ".ffn.lin1", ".ffn.lin2"}) {
        auto& scale = scales_["transformer.layer." + std::to_string(layer) + name];
        scale.resize(std::string(name) == ".ffn.lin2" ? shape.hidden_dim : shape.dim);
        for (std::size_t k = 0; k < scale.size(); ++k)
          scale[k] = std::ldexp(1.0f, static_cast<int>((k * 7 + layer) % 3) - 1);
      }
  }

  const std::vector<float>* input_scale(const std::string& layer) const override {
    const auto found = scales_.find(layer);
    return found == scales_.end() ? nullptr : &found->second;
  }

  std::vector<float> round(const PackedLayer& layer, std::vector<float>& weight) const override {
    std::vector<float> steps;
    if (const std::vector<float>* scale = input_scale(layer.name)) {
      for (std::size_t i = 0; i < weight.size(); ++i)
        weight[i] /= (*scale)[i % scale->size()];
      for (std::size_t row = 0; row < layer.out.logical(); ++row)
        steps.push_back(int8_scale(weight.data(), row, layer.in, sum_bits_));
    }
    return steps;
  }

private:
  int sum_bits_;
  std::map<std::string, std::vector<float>> scales_;
};

} // namespace distilbert::test
