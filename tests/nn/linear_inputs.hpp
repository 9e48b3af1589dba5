#pragma once
// What enters each linear layer, for tests of what is found out by it.

#include <distilbert/nn/calibration.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace distilbert::test {

/// [tokens, in] of each layer, without padding.
inline std::map<std::string, std::vector<float>> linear_inputs(const Checkpoint& checkpoint,
                                                               const DistilBertConfig& config, const Batch& texts) {
  std::map<std::string, std::vector<float>> found;
  look_into_linear_layers(checkpoint, config, texts, [&](const PackedLayer& layer, const Rows& x) {
    std::vector<float>& values = found[layer.name];
    for (Eigen::Index row = 0; row < x.rows(); ++row)
      for (std::size_t block = 0; block < layer.in.count; ++block)
        for (std::size_t i = 0; i < layer.in.size; ++i)
          values.push_back(x(row, static_cast<Eigen::Index>(block * padded(layer.in.size) + i)));
  });
  return found;
}

} // namespace distilbert::test
