#pragma once
// The labels of one answer, best first.

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

/// Ids of the k best scores, falling; among equals the lower id comes first.
inline std::vector<std::size_t> best_labels(const std::vector<float>& scores, std::size_t k) {
  std::vector<std::size_t> ids(scores.size());
  std::iota(ids.begin(), ids.end(), std::size_t{0});
  std::stable_sort(ids.begin(), ids.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  ids.resize(std::min(k, ids.size()));
  return ids;
}
