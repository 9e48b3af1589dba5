#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <distilbert/kernels/lane_math.hpp>

using namespace distilbert;
using distilbert::kernels::F;

namespace {

/// Largest |f(x) - exact(x)| over [first, last], divided by |exact(x)| if `relative`; every lane takes part.
template <class Function, class Exact>
double largest_error(Function f, Exact exact, float first, float last, bool relative = false) {
  double largest = 0;
  constexpr int steps = 1 << 16;
  for (int i = 0; i < steps; i += int{lanes}) {
    F x;
    for (int lane = 0; lane < int{lanes}; ++lane)
      x[lane] = first + (last - first) * float(i + lane) / float(steps);
    const F y = f(x);
    for (int lane = 0; lane < int{lanes}; ++lane) {
      const double expected = exact(double(x[lane]));
      const double error = std::abs(double(y[lane]) - expected) / (relative ? std::abs(expected) : 1.0);
      largest = std::max(largest, error);
    }
  }
  return largest;
}

float of(F (*f)(const F&), float x) { return f(F::Constant(x))[5]; }

constexpr float infinity = std::numeric_limits<float>::infinity(),
                not_a_number = std::numeric_limits<float>::quiet_NaN();

} // namespace

TEST_CASE("exp is right to rounding, 0 for what underflows, NaN for NaN and +infinity") {
  CHECK(largest_error(
            kernels::lane_exp, [](double x) { return std::exp(x); }, -87.0f, 88.0f, true) < 1.5e-7);
  CHECK(of(kernels::lane_exp, 0.0f) == 1.0f);
  CHECK(of(kernels::lane_exp, -87.4f) == 0.0f);
  CHECK(of(kernels::lane_exp, -1e30f) == 0.0f);
  CHECK(of(kernels::lane_exp, -infinity) == 0.0f);
  CHECK(std::isnan(of(kernels::lane_exp, not_a_number)));
  CHECK(std::isnan(of(kernels::lane_exp, infinity)));
}

TEST_CASE("the rough exp is right to 8e-5") {
  CHECK(largest_error(
            kernels::lane_rough_exp, [](double x) { return std::exp(x); }, -60.0f, 0.0f, true) < 8e-5);
  CHECK(of(kernels::lane_rough_exp, -1e30f) < 1e-30f);
  CHECK(of(kernels::lane_rough_exp, -infinity) < 1e-30f);
  CHECK(std::isnan(of(kernels::lane_rough_exp, not_a_number)));
}

TEST_CASE("erf, GELU, sigmoid and tanh are right to 3e-7") {
  CHECK(largest_error(
            kernels::lane_erf, [](double x) { return std::erf(x); }, -6, 6) < 2.5e-7);
  CHECK(largest_error(
            kernels::lane_sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -40, 40) < 3e-7);
  CHECK(largest_error(
            kernels::lane_tanh, [](double x) { return std::tanh(x); }, -12, 12) < 3e-7);
  const auto gelu = [](double x) { return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0))); };
  CHECK(largest_error(kernels::lane_gelu, gelu, -3, 3) < 6e-7);
  CHECK(largest_error(kernels::lane_gelu, gelu, -30, -3) < 2e-6);
  CHECK(largest_error(kernels::lane_gelu, gelu, 3, 30, true) < 2e-7);
  for (float x = -30; x < 30; x += 0.001f)
    CHECK(std::abs(double(of(kernels::lane_rough_gelu, x)) - gelu(double(x))) <= 5e-6 * std::abs(double(x)));
}

TEST_CASE("the ends of the functions are exact") {
  CHECK(of(kernels::lane_erf, 5.0f) == 1.0f);
  CHECK(of(kernels::lane_erf, -5.0f) == -1.0f);
  CHECK(of(kernels::lane_erf, 0.0f) == 0.0f);
  CHECK(of(kernels::lane_gelu, 0.0f) == 0.0f);
  CHECK(of(kernels::lane_gelu, -20.0f) == 0.0f);
  CHECK(of(kernels::lane_rough_gelu, 0.0f) == 0.0f);
  CHECK(std::abs(of(kernels::lane_rough_gelu, -1e6f)) < 0.1f);
  CHECK(of(kernels::lane_rough_gelu, 1e6f) == 1e6f);
  CHECK(of(kernels::lane_sigmoid, 200.0f) == 1.0f);
  CHECK(of(kernels::lane_sigmoid, -200.0f) < 1e-37f);
  CHECK(of(kernels::lane_tanh, 0.0f) == 0.0f);
}

TEST_CASE("what is not a number stays so") {
  for (auto* f : {kernels::lane_gelu, kernels::lane_rough_gelu, kernels::lane_sigmoid, kernels::lane_tanh})
    CHECK(std::isnan(of(f, not_a_number)));
}

TEST_CASE("sums fold 8, 4, 2, 1") {
  F x = F::Zero();
  x[0] = 1.0f;
  x[8] = 0x1p-24f; // 1 + 2^-24 rounds to 1; had it met lane 4's 2^-24 first, the sum would be larger
  x[4] = 0x1p-24f;
  CHECK(kernels::fold_sum(x) == 1.0f);
  x[12] = 0x1p-24f; // lanes 4 and 12 meet before they meet lane 0
  CHECK(kernels::fold_sum(x) == 1.0f + 0x1p-23f);
}
