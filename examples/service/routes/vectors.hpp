#pragma once
// What the routes make of an embedder's rows.

#include "../inference/engine.hpp"

#include <cstddef>
#include <vector>

namespace service {

/// The first `dimensions` numbers of a row, at most all, scaled to length 1 (L2); a vector of zeros stays as it is.
std::vector<float> unit_vector(const Row& row, std::size_t dimensions);

} // namespace service
