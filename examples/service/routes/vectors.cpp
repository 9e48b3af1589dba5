#include "vectors.hpp"

#include "json.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace service {

std::vector<float> embedding_of(const Row& pooled, bool normalize, std::size_t dimensions) {
  std::vector<float> vector = pooled;
  if (dimensions > 0 && dimensions < vector.size())
    vector.resize(dimensions);
  if (normalize) {
    double squares = 0;
    for (const float x : vector)
      squares += double{x} * x;
    const double length = std::max(std::sqrt(squares), 1e-12); // as torch.nn.functional.normalize
    for (float& x : vector)
      x = static_cast<float>(x / length);
  }
  return vector;
}

float dot(const std::vector<float>& a, const std::vector<float>& b) {
  return static_cast<float>(std::inner_product(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(),
                                               [](float x, float y) { return double{x} * y; }));
}

void append_vector(std::string& out, const float* values, std::size_t count) {
  out += '[';
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0)
      out += ',';
    json::append_float(out, values[i], json::Floats::shortest);
  }
  out += ']';
}

} // namespace service
