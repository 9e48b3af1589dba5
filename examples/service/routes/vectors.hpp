#pragma once
// Pooled vectors to embeddings, and embeddings written.

#include "../inference/engine.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace service {

/// The first `dimensions` values of a pooled vector (0: all), then, if asked for, scaled to length 1; a zero vector
/// stays one. Sums are made in double.
std::vector<float> embedding_of(const Row& pooled, bool normalize, std::size_t dimensions = 0);

/// The scalar product; of vectors of length 1 the cosine of the angle between them.
float dot(const std::vector<float>& a, const std::vector<float>& b);

/// Appends [a,b,...] of `count` values, each as the shortest text that reads back as the same float32.
void append_vector(std::string& out, const float* values, std::size_t count);

} // namespace service
