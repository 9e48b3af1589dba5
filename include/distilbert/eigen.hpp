#pragma once
// The only header that includes Eigen: row-major views for the layers, sixteen-lane arrays for the portable kernels.
//
// Eigen's own types change size and alignment with a translation unit's -m flags. The aliases below do not (maps hold
// a pointer, lane arrays are DontAlign), so that units with different flags can share this library in one program.

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wclass-memaccess"
#endif
#endif
#include <Eigen/Core>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include "weights/packed_layout.hpp" // lanes

namespace distilbert {

/// Activations, one row a token: [tokens, packed channels], row-major, over memory that somebody else owns. A view: to
/// copy it copies no numbers, and a const one still lets them be written.
using Rows = Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

/// The first `count` rows of a view.
inline Rows first_rows(const Rows& rows, std::size_t count) {
  return {const_cast<float*>(rows.data()), static_cast<Eigen::Index>(count), rows.cols()};
}

/// The sixteen lanes in which every reduction and every element-wise function runs.
template <class Scalar> using Lanes = Eigen::Array<Scalar, int{lanes}, 1, Eigen::DontAlign>;

template <class Scalar> Eigen::Map<Lanes<Scalar>> lanes_at(Scalar* p) { return Eigen::Map<Lanes<Scalar>>(p); }
template <class Scalar> Eigen::Map<const Lanes<Scalar>> lanes_at(const Scalar* p) {
  return Eigen::Map<const Lanes<Scalar>>(p);
}

} // namespace distilbert
