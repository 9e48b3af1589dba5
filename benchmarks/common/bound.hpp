#pragma once
// The least time that a forward pass can take on this machine: what every latency is compared with.

#include "peaks.hpp"

#include <distilbert/config.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace bench {

/// Operations of DistilBERT as a classifier, a multiply-add counted as two, over texts of these lengths: six products
/// and two of attention for each layer. Of the last layer only what [CLS] needs: its own row, with the projections of
/// keys and values moved to the query's side, so that no other token is projected.
inline double operations(const distilbert::DistilBertConfig& config, const std::vector<std::size_t>& lengths) {
  const double dim = double(config.dim), hidden = double(config.hidden_dim), heads = double(config.n_heads);
  const double layers = double(config.n_layers), row = 8 * dim * dim + 4 * dim * hidden;
  double sum = 0;
  for (const std::size_t length : lengths) {
    const double tokens = double(length);
    sum += (layers - 1) * (tokens * row + 4 * tokens * tokens * dim) + row + 4 * tokens * dim * heads;
  }
  return sum;
}

/// Bytes of the encoder's weights, each of which is read at least once.
inline double weight_bytes(const distilbert::DistilBertConfig& config, double bytes_each) {
  const double dim = double(config.dim), hidden = double(config.hidden_dim);
  return double(config.n_layers) * (4 * dim * dim + 2 * dim * hidden) * bytes_each;
}

/// Seconds: arithmetic at the peak rate of all threads, or reading the weights, whichever takes longer.
inline double bound_seconds(double work, double peak, double bytes, double bandwidth) {
  return peak > 0 && bandwidth > 0 ? std::max(work / peak, bytes / bandwidth) : 0;
}

} // namespace bench
