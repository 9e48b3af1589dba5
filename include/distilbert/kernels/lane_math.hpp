#pragma once
// exp, erf and what follows from them on sixteen lanes: one polynomial each, the same on every level, so that the
// levels with fused multiply-add agree bit for bit.

#include <cstring>

#include "../eigen.hpp"
#include "baseline.hpp"
#include "polynomials.hpp"

namespace distilbert::kernels {
inline namespace DISTILBERT_BASELINE {

// The names differ from Eigen::exp and the like on purpose: argument-dependent lookup would prefer those.
using F = Lanes<float>;
using I = Lanes<std::int32_t>;

/// Sum of the lanes, folded 8, 4, 2, 1.
inline float fold_sum(const F& a) {
  const Eigen::Array<float, 8, 1, Eigen::DontAlign> b = a.head<8>() + a.tail<8>();
  const Eigen::Array<float, 4, 1, Eigen::DontAlign> c = b.head<4>() + b.tail<4>();
  return (c[0] + c[2]) + (c[1] + c[3]);
}

/// Largest lane. NaN lanes may or may not win.
inline float fold_max(const F& a) { return a.maxCoeff(); }

/// Horner's rule over coefficients that begin with the highest power.
template <std::size_t N> F polynomial(const F& x, const float (&coefficients)[N]) {
  F y = F::Constant(coefficients[0]);
  for (std::size_t i = 1; i < N; ++i)
    y = y * x + coefficients[i];
  return y;
}

/// 2^n for whole n from -126 to 127; 1 for NaN.
inline F power_of_two(const F& n) {
  const I exponent = (F(n.isNaN().select(F::Zero(), n)).cast<std::int32_t>() + 127).shiftLeft<23>();
  F power;
  std::memcpy(power.data(), exponent.data(), sizeof(float) * lanes);
  return power;
}

/// e^x for x <= 88; 0 below -87.3. Relative error below 1.5e-7; NaN and +infinity give NaN.
/// x = n ln 2 + r with |r| <= ln 2 / 2 (Cody & Waite 1980), a polynomial in r, and n added to the exponent.
inline F lane_exp(const F& x) {
  constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  const F bounded = x.max(-88.0f).min(88.0f);
  const F n = (bounded * 1.44269504088896341f).rint();
  const F r = (bounded - n * ln2_high) - n * ln2_low;
  const F mantissa = polynomial(r, exp_coefficients) * (r * r) + r + 1.0f;
  return (x < -87.3f).select(F::Zero(), mantissa * power_of_two(n.max(-126.0f)) + (x - x));
}

/// e^x for x <= 0, to 8e-5 of it and 1e-30, NaN for NaN: for what is rounded to int8 next.
inline F lane_rough_exp(const F& x) {
  const F t = (x * 1.44269504088896341f).max(-100.0f), n = t.rint();
  return (x < -69.0f).select(F::Zero(), polynomial(F(t - n), exp2_coefficients) * power_of_two(n) + (x - x));
}

/// erf(x) to 2e-7; +-1 beyond 3.8
inline F lane_erf(const F& x) {
  const F z = x.max(-3.8f).min(3.8f);
  const F t = (z * z) * (2.0f / (3.8f * 3.8f)) - 1.0f;
  return z * polynomial(t, erf_coefficients);
}

/// GELU, exact form: x Phi(x) (Hendrycks & Gimpel 2016)
inline F lane_gelu(const F& x) {
  const F half = x * 0.5f;
  return half * lane_erf(x * 0.70710678118654752f) + half;
}

/// GELU to 5e-6 of |x|, for what is rounded to bf16 or int8 next
inline F lane_rough_gelu(const F& x) {
  const F u = x.max(-4.5f).min(4.5f);
  const F t = (u * u) * (2.0f / (4.5f * 4.5f)) - 1.0f;
  return x * (u * polynomial(t, phi_coefficients) + 0.5f);
}

inline F lane_sigmoid(const F& x) { return 1.0f / (lane_exp(-x.max(-88.0f).min(88.0f)) + 1.0f) + (x - x); }

/// tanh(x) = 2 sigmoid(2 x) - 1; absolute error below 2e-7
inline F lane_tanh(const F& x) { return 2.0f * lane_sigmoid(2.0f * x) - 1.0f; }

} // namespace DISTILBERT_BASELINE
} // namespace distilbert::kernels
