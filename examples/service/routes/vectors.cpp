#include "vectors.hpp"

#include <algorithm>
#include <cmath>

namespace service {

std::vector<float> unit_vector(const Row& row, std::size_t dimensions) {
  std::vector<float> vector(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(std::min(dimensions, row.size())));
  double squares = 0;
  for (const float x : vector)
    squares += static_cast<double>(x) * static_cast<double>(x);
  const double length = std::max(std::sqrt(squares), 1e-12);
  for (float& x : vector)
    x = static_cast<float>(static_cast<double>(x) / length);
  return vector;
}

} // namespace service
