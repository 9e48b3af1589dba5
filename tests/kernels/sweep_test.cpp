// Every kernel of every level against the portable one: random shapes and values by the million, subnormal, huge and
// not finite ones among them, in memory that ends where the next byte must not be touched.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <distilbert/kernels/dispatch.hpp>
#include <distilbert/kernels/levels.hpp>

using namespace distilbert;

namespace {

/// Memory whose end is the end of the last page that may be touched.
class Guarded {
public:
  explicit Guarded(std::size_t capacity) : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    capacity_ = (capacity + page_ - 1) / page_ * page_;
    void* start = mmap(nullptr, capacity_ + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(start != MAP_FAILED);
    start_ = static_cast<unsigned char*>(start);
    REQUIRE(mprotect(start_ + capacity_, page_, PROT_NONE) == 0);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(start_, capacity_ + page_); }

  /// The last `count` elements in front of the guard. The next call hands out the same memory.
  template <class T> T* last(std::size_t count) {
    REQUIRE(count * sizeof(T) <= capacity_);
    return reinterpret_cast<T*>(start_ + capacity_ - count * sizeof(T));
  }

private:
  std::size_t page_, capacity_ = 0;
  unsigned char* start_ = nullptr;
};

enum class Kind { ordinary, tiny, wide, huge, special };

std::mt19937 engine(7);

std::size_t below(std::size_t bound) { return engine() % bound; }
std::size_t between(std::size_t first, std::size_t last) { return first + below(last - first + 1); }

Kind any_kind() {
  constexpr Kind kinds[] = {Kind::ordinary, Kind::ordinary, Kind::ordinary, Kind::tiny,
                            Kind::wide,     Kind::wide,     Kind::huge,     Kind::special};
  return kinds[below(8)];
}

float from_bits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// In [-4, 4); about the smallest normal number, half of them below it; any exponent up to 2^56, so that sums of
/// products stay finite; any finite number; ordinary ones with a NaN or an infinity now and then.
float number(Kind kind) {
  const auto bits = static_cast<std::uint32_t>(engine());
  const auto ordinary = static_cast<float>(static_cast<std::int32_t>(bits) >> 8) * 0x1p-21f;
  switch (kind) {
  case Kind::ordinary: return ordinary;
  case Kind::tiny: return from_bits(bits & 0x80ffffffu);
  case Kind::wide: return from_bits((bits & 0x807fffffu) | static_cast<std::uint32_t>(below(184)) << 23);
  case Kind::huge: return from_bits((bits & 0x807fffffu) | static_cast<std::uint32_t>(below(255)) << 23);
  case Kind::special: break;
  }
  return below(50) != 0 ? ordinary : from_bits((bits & 0x80000000u) | 0x7f800000u | (bits & 1u) << 22);
}

float* fill(float* x, std::size_t count, Kind kind) {
  std::generate_n(x, count, [kind] { return number(kind); });
  return x;
}

/// |x|, and nothing for what is not finite.
double size_of(float x) { return std::isfinite(x) ? std::abs(double(x)) : 0.0; }

constexpr double unit = 0x1p-24;
constexpr double skip = -1; // as a tolerance: arithmetic near overflow, where the order of operations decides

/// Fails unless both are NaN, the same infinity, or no further apart than allowed.
void compare(float y, float expected, double tolerance) {
  if (std::isnan(expected) ? std::isnan(y) : y == expected || std::abs(double(y) - double(expected)) <= tolerance)
    return;
  FAIL("got ", y, ", expected ", expected, " to ", tolerance);
}

/// Runs body(kernels, y), y as many floats in front of a guard as there are tolerances, on every level, and compares
/// with the portable one. Returns how many outputs of each level it compared.
template <class Body>
std::size_t on_every_level(Guarded& memory, const std::vector<double>& tolerances, const Body& body,
                           int sum_bits = 32) {
  const std::size_t count = tolerances.size();
  std::vector<float> expected(count);
  for (auto isa = available_isas().size(); isa-- > 0;) {
    const Kernels& kernels = detail::find_level(available_isas()[isa]).for_sums(sum_bits);
    CAPTURE(std::string(kernels.isa));
    float* y = memory.last<float>(count);
    std::fill_n(y, count, 7.0f);
    body(kernels, y);
    if (kernels.isa == "portable")
      std::copy_n(y, count, expected.begin());
    else
      for (std::size_t i = 0; i < count; ++i)
        if (tolerances[i] != skip)
          compare(y[i], expected[i], tolerances[i]);
  }
  return count - static_cast<std::size_t>(std::count(tolerances.begin(), tolerances.end(), skip));
}

/// A tolerance for the epilogue of a number that is known to `tolerance` and no larger than `size`.
double after(Epilogue epilogue, double tolerance, double size) {
  if (size > 1e37)
    return skip;
  switch (epilogue) {
  case Epilogue::gelu: return 1.13 * tolerance + 4e-7 * size + 1e-44;
  case Epilogue::tanh: return tolerance + 5e-7;
  case Epilogue::relu:
  case Epilogue::none: break;
  }
  return tolerance;
}

/// A random product and the memory that it lies in. Part of the panels, and strides wider than the rows.
struct Product {
  std::size_t rows = between(1, below(4) == 0 ? kernels::few_rows + 4 : 14),
              in = between(1, below(8) == 0 ? 70 : 12) * lanes, panels = between(1, 5);
  std::size_t first = below(panels), last = between(first + 1, panels), x_stride = in + below(3) * 16;
  std::size_t y_stride = panels * lanes + below(20);
  Epilogue epilogue = static_cast<Epilogue>(below(4));
  Kind kind = any_kind();

  std::size_t x_count() const { return (rows - 1) * x_stride + in; }
  std::size_t y_count() const { return (rows - 1) * y_stride + last * lanes; }
  bool written(std::size_t i) const { return i % y_stride >= first * lanes && i % y_stride < last * lanes; }
};

struct Arenas {
  Guarded x{1 << 20}, weights{1 << 20}, y{1 << 20}, scale{4096}, q{1 << 20}, bias{1 << 16}, residual{1 << 20},
      scratch{1 << 20}, input_scale{1 << 16};
};

/// w[c][k] of a packed fp32 or bf16 matrix.
float weight_at(const PackedLinear& w, std::size_t c, std::size_t k) {
  const unsigned char* panel = w.panel(c / lanes) + panel_header_bytes(w.precision);
  if (w.precision == Precision::fp32)
    return reinterpret_cast<const float*>(panel)[k * lanes + c % lanes];
  return kernels::to_float(reinterpret_cast<const std::uint16_t*>(panel)[(k / 2 * lanes + c % lanes) * 2 + k % 2]);
}

float bias_at(const PackedLinear& w, std::size_t c) {
  return reinterpret_cast<const float*>(w.panel(c / lanes))[c % lanes];
}

/// Tolerances of all outputs, of which those not written are compared exactly.
template <class X> std::vector<double> tolerances_of(const Product& p, const PackedLinear& w, const X* x) {
  std::vector<double> tolerances(p.y_count(), 0.0);
  const auto steps = static_cast<double>(p.in + 2);
  for (std::size_t i = 0; i < tolerances.size(); ++i) {
    if (!p.written(i))
      continue;
    const X* row = x + i / p.y_stride * p.x_stride;
    const std::size_t c = i % p.y_stride;
    double size = size_of(bias_at(w, c)), factors = 0;
    for (std::size_t k = 0; k < p.in; ++k) {
      const double a = size_of(kernels::to_float(row[k])), b = size_of(weight_at(w, c, k));
      size += a * b;
      factors += a + b;
    }
    // Intel's and AMD's instruction for bf16 takes subnormals for zero.
    const double flushed = w.precision == Precision::bf16 ? 0x1p-125 * (steps + factors) : 0x1p-148 * steps;
    tolerances[i] = after(p.epilogue, 3 * steps * unit * size + flushed, size);
  }
  return tolerances;
}

/// Outputs of each level that each of the nine tests compares: more than a million in all.
constexpr std::size_t enough = 150'000;

} // namespace

TEST_CASE("fp32 products") {
  Arenas memory;
  for (std::size_t compared = 0; compared < enough;) {
    const Product p;
    const std::size_t bytes = p.panels * panel_bytes(Precision::fp32, p.in);
    const float* panels =
        fill(memory.weights.last<float>(bytes / 4), bytes / 4, p.kind == Kind::special ? Kind::ordinary : p.kind);
    const PackedLinear w{Precision::fp32, p.panels * lanes, p.in, reinterpret_cast<const unsigned char*>(panels)};
    const float* x = fill(memory.x.last<float>(p.x_count()), p.x_count(), p.kind);
    compared += on_every_level(memory.y, tolerances_of(p, w, x), [&](const Kernels& kernels, float* y) {
      kernels.linear_fp32({x, p.x_stride, p.rows, nullptr, w, p.first, p.last, p.epilogue, y, p.y_stride});
    });
  }
}

TEST_CASE("bf16 products") {
  Arenas memory;
  for (std::size_t compared = 0; compared < enough;) {
    const Product p;
    const std::size_t bytes = p.panels * panel_bytes(Precision::bf16, p.in);
    auto* panels = memory.weights.last<unsigned char>(bytes);
    for (std::size_t panel = 0; panel < p.panels; ++panel) {
      auto* bias = reinterpret_cast<float*>(panels + panel * panel_bytes(Precision::bf16, p.in));
      fill(bias, lanes, Kind::ordinary);
      auto* weights = reinterpret_cast<std::uint16_t*>(bias + lanes);
      std::generate_n(weights, p.in * lanes,
                      [&] { return to_bf16(number(p.kind == Kind::special ? Kind::ordinary : p.kind)); });
    }
    const PackedLinear w{Precision::bf16, p.panels * lanes, p.in, panels};
    auto* x = memory.x.last<std::uint16_t>(p.x_count());
    std::generate_n(x, p.x_count(), [&] { return to_bf16(number(p.kind)); });
    compared += on_every_level(memory.y, tolerances_of(p, w, x), [&](const Kernels& kernels, float* y) {
      kernels.linear_bf16({x, p.x_stride, p.rows, nullptr, w, p.first, p.last, p.epilogue, y, p.y_stride});
    });
  }
}

TEST_CASE("int8: quantised activations and their products") {
  Arenas memory;
  for (std::size_t compared = 0; compared < enough;) {
    const Product p;
    const int sum_bits = below(2) == 0 ? 16 : 32;
    const std::size_t bytes = p.panels * panel_bytes(Precision::int8, p.in);
    auto* panels = memory.weights.last<unsigned char>(bytes);
    std::vector<double> largest(p.panels * lanes, 0.0); // of a channel's products with activations of 127
    for (std::size_t panel = 0; panel < p.panels; ++panel) {
      unsigned char* at = panels + panel * panel_bytes(Precision::int8, p.in);
      auto* scale = fill(reinterpret_cast<float*>(at), 2 * lanes, Kind::ordinary) + lanes;
      auto* sum = reinterpret_cast<std::int32_t*>(scale + lanes);
      std::fill_n(sum, lanes, 0);
      for (std::size_t k = 0; k < p.in * lanes; ++k) {
        const int weight = sum_bits == 16 ? static_cast<int>(below(65)) - 32 : static_cast<int>(below(255)) - 127;
        at[panel_header_bytes(Precision::int8) + k] = static_cast<unsigned char>(weight);
        sum[k / 4 % lanes] += weight;
        largest[panel * lanes + k / 4 % lanes] += 127.0 * std::abs(weight * double(scale[k / 4 % lanes]));
      }
    }
    const PackedLinear w{Precision::int8, p.panels * lanes, p.in, panels};
    std::vector<float> x((p.rows - 1) * p.x_stride + p.in), bounds(p.rows, 0.0f);
    fill(x.data(), x.size(), p.kind);
    const float* input_scale = below(2) ? fill(memory.input_scale.last<float>(p.in), p.in, Kind::ordinary) : nullptr;
    for (std::size_t r = 0; r < p.rows; ++r)
      for (std::size_t k = 0; k < p.in; ++k) {
        const float scaled = x[r * p.x_stride + k] * (input_scale ? input_scale[k] : 1.0f);
        bounds[r] = std::max(bounds[r], static_cast<float>(size_of(scaled)));
      }

    std::vector<double> tolerances(p.y_count(), 0.0);
    for (std::size_t j = 0; j < tolerances.size(); ++j)
      if (p.written(j)) {
        const std::size_t c = j % p.y_stride;
        const double size = largest[c] * double(bounds[j / p.y_stride]) / 127 + size_of(bias_at(w, c));
        tolerances[j] = after(p.epilogue, 4 * unit * size + 0x1p-148, size);
      }
    compared += on_every_level(
        memory.y, tolerances,
        [&](const Kernels& kernels, float* y) {
          auto* quantization = memory.scale.last<Quantization>(p.rows);
          auto* q = memory.q.last<std::byte>(p.x_count() * kernels.quantized_bytes);
          for (std::size_t r = 0; r < p.rows; ++r) {
            float* row = memory.x.last<float>(p.in);
            std::copy_n(&x[r * p.x_stride], p.in, row);
            quantization[r] = kernels.quantize(row, input_scale, p.in, q + r * p.x_stride * kernels.quantized_bytes);
            std::vector<std::byte> unused(p.in * kernels::portable.quantized_bytes);
            compare(quantization[r].scale, kernels::portable.quantize(row, input_scale, p.in, unused.data()).scale,
                    0.0);
          }
          kernels.linear_int8({q, p.x_stride, p.rows, quantization, w, p.first, p.last, p.epilogue, y, p.y_stride});
        },
        sum_bits);
  }
}

TEST_CASE("products with transposed weights") {
  Arenas memory;
  for (std::size_t compared = 0; compared < enough;) {
    const Product p;
    const auto precision = static_cast<Precision>(below(3));
    const std::size_t bytes = p.panels * panel_bytes(precision, p.in), channels = (p.last - p.first) * lanes;
    const std::size_t x_stride = channels + below(20), y_stride = p.in + below(20);
    auto* panels = memory.weights.last<unsigned char>(bytes);
    std::vector<float> dense(p.panels * lanes * p.in); // W [channels][in]
    for (std::size_t panel = 0; panel < p.panels; ++panel) {
      unsigned char* at = panels + panel * panel_bytes(precision, p.in);
      const std::size_t header = panel_header_bytes(precision) / sizeof(float);
      const float* scale = fill(reinterpret_cast<float*>(at), header, Kind::ordinary) + lanes;
      at += header * sizeof(float);
      for (std::size_t k = 0; k < p.in; ++k)
        for (std::size_t c = 0; c < lanes; ++c) {
          float& w = dense[(panel * lanes + c) * p.in + k];
          if (precision == Precision::fp32) {
            w = number(Kind::ordinary);
            reinterpret_cast<float*>(at)[k * lanes + c] = w;
          } else if (precision == Precision::bf16) {
            const std::uint16_t half = to_bf16(number(Kind::ordinary));
            w = kernels::to_float(half);
            reinterpret_cast<std::uint16_t*>(at)[(k / 2 * lanes + c) * 2 + k % 2] = half;
          } else {
            const int integer = static_cast<int>(below(255)) - 127;
            w = static_cast<float>(integer) * scale[c];
            at[(k / 4 * lanes + c) * 4 + k % 4] = static_cast<unsigned char>(integer);
          }
        }
    }
    const PackedLinear w{precision, p.panels * lanes, p.in, panels};
    const std::size_t x_count = (p.rows - 1) * x_stride + channels, y_count = (p.rows - 1) * y_stride + p.in;
    const float* x = fill(memory.x.last<float>(x_count), x_count, p.kind);
    std::vector<double> tolerances(y_count, 0.0);
    for (std::size_t i = 0; i < y_count; ++i)
      if (i % y_stride < p.in) {
        double size = 0, largest = 0; // x by the scale of int8, which is below 4, must stay finite
        for (std::size_t c = 0; c < channels; ++c) {
          const double xc = size_of(x[i / y_stride * x_stride + c]);
          size += xc * size_of(dense[(p.first * lanes + c) * p.in + i % y_stride]);
          largest = std::max(largest, 4 * xc);
        }
        const auto steps = static_cast<double>(channels + 4);
        tolerances[i] = std::max(size, largest) > 1e37 ? skip : 3 * steps * unit * size + 0x1p-140 * steps;
      }
    float* scratch = memory.scratch.last<float>(transposed_scratch(p.last - p.first));
    const auto run = [&](const Kernels& kernels, float* y) {
      kernels.linear_transposed({x, x_stride, p.rows, w, p.first, p.last, scratch, y, y_stride});
    };
    compared += on_every_level(memory.y, tolerances, run);
    std::vector<float> found(y_count);
    run(kernels::portable, found.data());
    for (std::size_t i = 0; i < y_count; ++i)
      if (i % y_stride < p.in && tolerances[i] != skip) {
        double exact = 0;
        for (std::size_t c = 0; c < channels; ++c)
          exact += double(x[i / y_stride * x_stride + c]) * double(dense[(p.first * lanes + c) * p.in + i % y_stride]);
        compare(found[i], static_cast<float>(exact), tolerances[i]);
      }
  }
}

namespace {

/// Every level against the portable one. `relative` and `absolute` are what a score and an output may be off by beyond
/// rounding in fp32, the first as a part of the sum of |q k|.
void sweep_attention(void (*Kernels::*attention)(const AttentionCall&), double relative, double absolute) {
  Arenas memory;
  for (std::size_t compared = 0; compared < enough;) {
    const std::size_t length = between(1, below(4) ? 40 : 180), queries = below(2) ? length : between(1, length);
    const std::size_t dim = between(1, 7) * lanes, stride = dim + below(30);
    const Kind kind = any_kind();
    const std::size_t q_count = (queries - 1) * stride + dim, count = (length - 1) * stride + dim;
    const float* q = fill(memory.x.last<float>(q_count), q_count, kind);
    const float* k = fill(memory.weights.last<float>(count), count, kind);
    const float* v = fill(memory.residual.last<float>(count), count, Kind::ordinary);
    std::vector<double> tolerances(q_count, 0.0);
    for (std::size_t row = 0; row < queries; ++row) {
      double score = 0, largest = 0; // the largest sum of |q k|
      for (std::size_t j = 0; j < length; ++j) {
        double sum = 0;
        for (std::size_t d = 0; d < dim; ++d) {
          sum += size_of(q[row * stride + d]) * size_of(k[j * stride + d]);
          largest = std::max({largest, size_of(q[row * stride + d]), size_of(k[j * stride + d])});
        }
        score = std::max(score, sum);
      }
      // Both contexts are averages of values below 4, whatever the weights.
      const double of_weights = (6 * static_cast<double>(dim + 2) * unit + relative) * score + 4e-7;
      for (std::size_t d = 0; d < dim; ++d)
        tolerances[row * stride + d] =
            score > 1e37 || largest > 3e38 ? skip : std::min(8.0, 8 * of_weights) + 1e-6 + absolute;
    }
    compared += on_every_level(memory.y, tolerances, [&](const Kernels& kernels, float* y) {
      const std::size_t scratch = attention_scratch(length, dim);
      (kernels.*
       attention)({q, stride, queries, k, v, length, stride, dim, memory.scratch.last<float>(scratch), y, stride});
    });
  }
}

} // namespace

TEST_CASE("attention") { sweep_attention(&Kernels::attention, 0, 0); }

TEST_CASE("attention_bf16: operands rounded to eight bits, where that is faster") {
  sweep_attention(&Kernels::attention_bf16, 3 * 0x1p-8, 3 * 4 * 0x1p-8);
}

TEST_CASE("attention_int8: a weight of 1/127 to either side of the middle between two steps, now and then two") {
  sweep_attention(&Kernels::attention_int8, 0, 2 * 4 / 127.0);
}

TEST_CASE("layer norm") {
  Arenas memory;
  for (std::size_t compared = 0; compared < enough;) {
    const std::size_t rows = between(1, 9), dim = between(1, 200), columns = padded(dim), stride = columns + below(9);
    const std::size_t count = (rows - 1) * stride + columns;
    const Kind kind = any_kind();
    const bool with_residual = below(2);
    float* x = fill(memory.x.last<float>(count), count, kind);
    float* residual = fill(memory.residual.last<float>(count), count, kind);
    float* weight = fill(memory.weights.last<float>(columns), columns, Kind::ordinary);
    float* bias = fill(memory.bias.last<float>(columns), columns, Kind::ordinary);
    for (std::size_t c = dim; c < columns; ++c) {
      weight[c] = bias[c] = 0;
      for (std::size_t r = 0; r < rows; ++r)
        x[r * stride + c] = residual[r * stride + c] = 0;
    }
    const float epsilon = 1e-12f;
    std::vector<double> tolerances(count, 0.0);
    for (std::size_t r = 0; r < rows; ++r) {
      std::vector<double> both(dim);
      double size = 0, largest = 0, mean = 0, variance = 0;
      for (std::size_t c = 0; c < dim; ++c) {
        const float a = x[r * stride + c], b = with_residual ? residual[r * stride + c] : 0.0f;
        both[c] = (std::isfinite(a) ? double(a) : 0.0) + (std::isfinite(b) ? double(b) : 0.0);
        largest = std::max({largest, size_of(a), size_of(b)});
        size += std::abs(both[c]) / double(dim);
        mean += both[c] / double(dim);
      }
      for (const double value : both)
        variance += (value - mean) * (value - mean) / double(dim);
      const double deviation = std::sqrt(variance + double(epsilon)), steps = static_cast<double>(dim + 10);
      for (std::size_t c = 0; c < dim; ++c) {
        const double error = (3 * steps * unit * size + 4 * unit * std::abs(both[c])) / deviation;
        const double y = 1 + std::abs(both[c] - mean) / deviation;
        tolerances[r * stride + c] =
            largest > 1e17 || error > 0.05
                ? skip // the difference of numbers that are nearly the same
                : size_of(weight[c]) * y * (3 * error + 4 * steps * unit) + 4 * unit * size_of(bias[c]);
      }
    }
    compared += on_every_level(memory.y, tolerances, [&](const Kernels& kernels, float* y) {
      kernels.layer_norm({x, with_residual ? residual : nullptr, stride, rows, {dim, weight, bias}, epsilon, y});
    });
  }
}

TEST_CASE("embeddings") {
  Arenas memory;
  for (std::size_t compared = 0; compared < enough;) {
    const std::size_t rows = between(1, 20), dim = between(1, 8) * lanes, count = between(1, 6);
    const std::size_t position_rows = count + below(4), stride = dim + below(20);
    const Kind kind = any_kind();
    const auto table = [&](Guarded& weights, Guarded& scales, std::size_t table_rows) {
      const auto precision = static_cast<Precision>(below(3));
      void* weight = weights.last<unsigned char>(table_rows * dim * element_bytes(precision));
      if (precision == Precision::fp32)
        fill(static_cast<float*>(weight), table_rows * dim, kind);
      else if (precision == Precision::bf16)
        std::generate_n(static_cast<std::uint16_t*>(weight), table_rows * dim, [&] { return to_bf16(number(kind)); });
      else
        std::generate_n(static_cast<unsigned char*>(weight), table_rows * dim,
                        [] { return static_cast<unsigned char>(static_cast<int>(below(255)) - 127); });
      const float* scale = fill(scales.last<float>(table_rows), table_rows, kind);
      return PackedEmbedding{precision, table_rows, dim, weight, scale};
    };
    const PackedEmbedding words = table(memory.weights, memory.scale, rows);
    const PackedEmbedding positions = table(memory.residual, memory.bias, position_rows);
    const std::size_t first_position = below(position_rows - count + 1);
    auto* ids = memory.q.last<std::int32_t>(count);
    std::generate_n(ids, count, [&] { return static_cast<std::int32_t>(below(rows)); });

    const auto value = [&](const PackedEmbedding& e, std::size_t row, std::size_t c) {
      const std::size_t at = row * dim + c;
      if (e.precision == Precision::fp32)
        return size_of(static_cast<const float*>(e.weight)[at]);
      if (e.precision == Precision::bf16)
        return size_of(kernels::to_float(static_cast<const std::uint16_t*>(e.weight)[at]));
      return std::abs(double(static_cast<const std::int8_t*>(e.weight)[at])) * size_of(e.scale[row]);
    };
    std::vector<double> tolerances((count - 1) * stride + dim, 0.0);
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t c = 0; c < dim; ++c) {
        const double size = value(words, static_cast<std::size_t>(ids[r]), c) + value(positions, first_position + r, c);
        tolerances[r * stride + c] = size > 1e38 ? skip : 4 * unit * size + 0x1p-148;
      }
    compared += on_every_level(memory.y, tolerances, [&](const Kernels& kernels, float* y) {
      kernels.embed({ids, count, first_position, words, positions, y, stride});
    });
  }
}

TEST_CASE("softmax and sigmoid") {
  Arenas memory;
  for (std::size_t compared = 0; compared < enough;) {
    const std::size_t count = between(1, 120), all = padded(count);
    std::vector<float> x(all);
    fill(x.data(), all, any_kind());
    const float factor = number(Kind::ordinary) * 8;
    for (float& value : x)
      value *= factor;
    std::vector<double> tolerances(all, skip);
    std::fill_n(tolerances.begin(), count, 2e-6); // of 1, the largest
    compared += on_every_level(memory.y, tolerances, [&](const Kernels& kernels, float* y) {
      std::copy(x.begin(), x.end(), y);
      kernels.softmax(y, count);
    });
    std::fill(tolerances.begin(), tolerances.end(), 1e-6);
    compared += on_every_level(memory.y, tolerances, [&](const Kernels& kernels, float* y) {
      std::copy(x.begin(), x.end(), y);
      kernels.sigmoid(y, count);
    });
  }
}

TEST_CASE("rounding to bf16") {
  Arenas memory;
  for (std::size_t compared = 0; compared < enough;) {
    const std::size_t count = between(1, 12) * lanes;
    float* x = memory.x.last<float>(count);
    std::generate_n(x, count, [] { return from_bits(static_cast<std::uint32_t>(engine())); });
    compared += on_every_level(memory.bias, std::vector<double>(count, 0.0), [&](const Kernels& kernels, float* y) {
      auto* rounded = memory.y.last<std::uint16_t>(count);
      kernels.round_to_bf16(x, count, rounded);
      std::transform(rounded, rounded + count, y, [](std::uint16_t bf16) { return kernels::to_float(bf16); });
    });
  }
}
