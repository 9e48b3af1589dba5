// Every kernel of every level that this CPU has, against plain loops in double: shapes with all kinds of tails, and
// what a kernel promises beyond its numbers (padding, order of sums, no turning of NaN into numbers).

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include <distilbert/aligned_buffer.hpp>
#include <distilbert/bf16.hpp>
#include <distilbert/kernels/dispatch.hpp>
#include <distilbert/kernels/levels.hpp>

using namespace distilbert;

namespace {

std::mt19937 random_engine(1);

std::vector<float> normal(std::size_t count, float deviation = 1.0f) {
  std::normal_distribution<float> distribution(0.0f, deviation);
  std::vector<float> x(count);
  for (float& value : x)
    value = distribution(random_engine);
  return x;
}

/// A matrix with its bytes in the packed layout, written here element by element from the layout's description.
struct Packed {
  AlignedBuffer bytes;
  PackedLinear view;
  std::vector<double> weight; // [out][in] as the kernel should see it
  std::vector<double> bias;   // [out]
};

/// int8 weights that need sums of so many bits: any, or such that four of them never exceed 128.
Packed random_matrix(Precision precision, std::size_t out, std::size_t in, int sum_bits = 32) {
  Packed m{AlignedBuffer(out / lanes * panel_bytes(precision, in)), {precision, out, in, nullptr}, {}, {}};
  m.view.panels = m.bytes.data();
  m.weight.resize(out * in);
  m.bias.resize(out);
  const int largest = sum_bits == 16 ? 32 : 127;
  std::uniform_int_distribution<int> byte(-largest, largest);
  for (std::size_t c = 0; c < out; ++c) {
    unsigned char* panel = m.bytes.data() + c / lanes * panel_bytes(precision, in);
    const std::size_t lane = c % lanes;
    const float bias = normal(1)[0], scale = 0.01f * std::abs(normal(1)[0]);
    m.bias[c] = double(bias);
    std::memcpy(panel + 4 * lane, &bias, 4);
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < in; ++k) {
      if (precision == Precision::fp32) {
        const float w = normal(1, 0.05f)[0];
        std::memcpy(panel + 64 + (k * lanes + lane) * 4, &w, 4);
        m.weight[c * in + k] = double(w);
      } else if (precision == Precision::bf16) {
        const float w = normal(1, 0.05f)[0];
        std::uint32_t bits;
        std::memcpy(&bits, &w, 4);
        bits &= 0xffff0000u;
        const auto high = static_cast<std::uint16_t>(bits >> 16);
        std::memcpy(panel + 64 + ((k / 2 * lanes + lane) * 2 + k % 2) * 2, &high, 2);
        float kept;
        std::memcpy(&kept, &bits, 4);
        m.weight[c * in + k] = double(kept);
      } else {
        const auto w = static_cast<std::int8_t>(byte(random_engine));
        std::memcpy(panel + 192 + (k / 4 * lanes + lane) * 4 + k % 4, &w, 1);
        m.weight[c * in + k] = double(w);
        sum += w;
      }
    }
    if (precision == Precision::int8) {
      std::memcpy(panel + 64 + 4 * lane, &scale, 4);
      std::memcpy(panel + 128 + 4 * lane, &sum, 4);
    }
  }
  return m;
}

float scale_of(const Packed& m, std::size_t c) {
  float scale;
  std::memcpy(&scale, m.view.panel(c / lanes) + 64 + 4 * (c % lanes), 4);
  return scale;
}

template <class X>
LinearCall<X> call_of(const Packed& m, const std::vector<X>& x, const std::vector<Quantization>& quantization,
                      std::size_t rows, std::vector<float>& y, Epilogue epilogue = Epilogue::none) {
  return {x.data(), m.view.in, rows,      quantization.data(), m.view, 0, m.view.panel_count(),
          epilogue, y.data(),  m.view.out};
}

/// Rows as one level quantises them.
struct Quantized {
  Quantized(const Kernels& kernels, const std::vector<float>& x, std::size_t in)
      : bytes(x.size() * kernels.quantized_bytes) {
    for (std::size_t at = 0; at < x.size(); at += in)
      rows.push_back(kernels.quantize(&x[at], nullptr, in, &bytes[at * kernels.quantized_bytes]));
  }

  std::vector<std::byte> bytes;
  std::vector<Quantization> rows;
};

/// The steps of a quantised row: its products with the columns of the unit matrix.
std::vector<float> steps_of(const Kernels& kernels, const Quantized& row) {
  const std::size_t in = row.bytes.size() / kernels.quantized_bytes;
  AlignedBuffer bytes(in / lanes * panel_bytes(Precision::int8, in));
  std::memset(bytes.data(), 0, bytes.size());
  const PackedLinear unit{Precision::int8, in, in, bytes.data()};
  for (std::size_t c = 0; c < in; ++c) {
    unsigned char* panel = bytes.data() + c / lanes * panel_bytes(Precision::int8, in);
    const float scale = 1.0f;
    const std::int32_t sum = 1;
    std::memcpy(panel + 64 + c % lanes * 4, &scale, 4);
    std::memcpy(panel + 128 + c % lanes * 4, &sum, 4);
    panel[192 + (c / 4 * lanes + c % lanes) * 4 + c % 4] = 1;
  }
  const Quantization of_steps{1.0f, row.rows[0].zero_point};
  std::vector<float> y(in);
  kernels.linear_int8({row.bytes.data(), in, 1, &of_steps, unit, 0, unit.panel_count(), Epilogue::none, y.data(), in});
  return y;
}

/// body(each level's kernels for int8 weights that need such sums)
template <class Body> void on_every_level(int sum_bits, const Body& body) {
  for (const std::string_view isa : available_isas()) {
    CAPTURE(std::string(isa));
    CAPTURE(sum_bits);
    set_isa(isa);
    body(active_kernels(sum_bits));
  }
  set_isa(available_isas().front());
}

template <class Body> void on_every_level(const Body& body) { on_every_level(32, body); }

struct Shape {
  std::size_t rows, in, out;
};
const std::vector<Shape> shapes = {{1, 16, 16},  {2, 16, 32},  {3, 48, 16},   {5, 32, 80},    {7, 64, 64},
                                   {13, 80, 48}, {31, 96, 64}, {65, 384, 32}, {66, 1040, 16}, {2, 3072, 16}};

/// And one for every number of rows up to where tall tiles end.
std::vector<Shape> int8_shapes() {
  std::vector<Shape> all = shapes;
  for (std::size_t rows = 1; rows <= kernels::few_rows + 2; ++rows)
    all.push_back({rows, 32, 80});
  return all;
}

} // namespace

TEST_CASE("fp32 products: the distance from the exact sum is what rounding in order allows") {
  for (const Shape& shape : shapes) {
    const std::size_t rows = shape.rows, in = shape.in, out = shape.out;
    CAPTURE(rows);
    CAPTURE(in);
    CAPTURE(out);
    const Packed m = random_matrix(Precision::fp32, out, in);
    const auto x = normal(rows * in);
    on_every_level([&](const Kernels& kernels) {
      std::vector<float> y(rows * out);
      kernels.linear_fp32(call_of(m, x, {}, rows, y));
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < out; ++c) {
          double exact = m.bias[c], norm = std::abs(m.bias[c]);
          for (std::size_t k = 0; k < in; ++k) {
            exact += double(x[r * in + k]) * m.weight[c * in + k];
            norm += std::abs(double(x[r * in + k]) * m.weight[c * in + k]);
          }
          REQUIRE(std::abs(double(y[r * out + c]) - exact) <= norm * double(in + 2) * 0x1p-24);
        }
    });
  }
}

TEST_CASE("bf16 products: weights and activations are exact, only the sum rounds") {
  for (const Shape& shape : shapes) {
    const std::size_t rows = shape.rows, in = shape.in, out = shape.out;
    const Packed m = random_matrix(Precision::bf16, out, in);
    on_every_level([&](const Kernels& kernels) {
      const auto x = normal(rows * in);
      std::vector<std::uint16_t> rounded(x.size());
      kernels.round_to_bf16(x.data(), x.size(), rounded.data());
      std::vector<float> y(rows * out);
      kernels.linear_bf16(call_of(m, rounded, {}, rows, y));
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < out; ++c) {
          double exact = m.bias[c], norm = std::abs(m.bias[c]);
          for (std::size_t k = 0; k < in; ++k) {
            const double product = double(kernels::to_float(rounded[r * in + k])) * m.weight[c * in + k];
            exact += product;
            norm += std::abs(product);
          }
          REQUIRE(std::abs(double(y[r * out + c]) - exact) <= norm * double(in + 2) * 0x1p-24);
        }
    });
  }
}

TEST_CASE("int8 products: the integer sum is exact, also where every product is the largest") {
  std::uniform_int_distribution<int> byte(0, 254);
  for (const int sum_bits : {32, 16})
    for (const bool extreme : {false, true})
      for (const Shape& shape : int8_shapes()) {
        const std::size_t rows = shape.rows, in = shape.in, out = shape.out;
        Packed m = random_matrix(Precision::int8, out, in, sum_bits);
        std::vector<float> x(rows * in); // each row 254 wide with zero, which makes its scale 1
        for (std::size_t r = 0; r < rows; ++r) {
          const int least = extreme ? 0 : -byte(random_engine);
          for (std::size_t k = 0; k < in; ++k)
            x[r * in + k] = float(least + (extreme || k == 0 ? 254 : k == 1 ? 0 : byte(random_engine)));
        }
        if (extreme) { // the least weights everywhere, with the sum that belongs to them
          const int least = sum_bits == 16 ? -32 : -127;
          std::fill(m.weight.begin(), m.weight.end(), least);
          for (std::size_t p = 0; p < out / lanes; ++p) {
            unsigned char* panel = m.bytes.data() + p * panel_bytes(Precision::int8, in);
            std::memset(panel + 192, least, in * lanes);
            const auto sum = least * static_cast<std::int32_t>(in);
            for (std::size_t lane = 0; lane < lanes; ++lane)
              std::memcpy(panel + 128 + 4 * lane, &sum, 4);
          }
        }
        std::vector<float> x_scale(rows);
        for (float& scale : x_scale)
          scale = std::abs(normal(1)[0]);
        on_every_level(sum_bits, [&](const Kernels& kernels) {
          std::vector<float> y(rows * out);
          Quantized q(kernels, x, in);
          for (std::size_t r = 0; r < rows; ++r) {
            REQUIRE(q.rows[r].scale == 1.0f);
            q.rows[r].scale = x_scale[r];
          }
          kernels.linear_int8(call_of(m, q.bytes, q.rows, rows, y));
          for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t c = 0; c < out; ++c) {
              std::int64_t sum = 0;
              for (std::size_t k = 0; k < in; ++k)
                sum += static_cast<std::int64_t>(x[r * in + k]) * static_cast<std::int64_t>(m.weight[c * in + k]);
              const float scale = scale_of(m, c) * x_scale[r], bias = static_cast<float>(m.bias[c]);
              const float apart = float(sum) * scale + bias, fused = std::fma(float(sum), scale, bias);
              REQUIRE((y[r * out + c] == apart || y[r * out + c] == fused));
            }
        });
      }
}

TEST_CASE("sums of 16 bits hold all that four weights may be, wherever in their group the largest stand") {
  // of the weights at 8 i + {0, 1, 4, 5}, and of the others, each sign reaches 128
  const std::vector<std::vector<int>> eights = {{127, 1, 64, 64, -127, -1, -64, -64},
                                                {-127, 0, -32, -32, -1, 0, -32, -32},
                                                {0, 64, -1, 0, 64, -127, -127, 0},
                                                {32, 32, 127, -43, 32, 32, -43, -42}};
  const std::size_t in = 64, out = 16;
  for (const std::vector<int>& eight : eights) {
    Packed m = random_matrix(Precision::int8, out, in, 16);
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < in; ++k) {
      sum += eight[k % 8];
      for (std::size_t c = 0; c < out; ++c) {
        m.bytes.data()[192 + (k / 4 * lanes + c) * 4 + k % 4] = static_cast<unsigned char>(eight[k % 8]);
        m.weight[c * in + k] = eight[k % 8];
      }
    }
    for (std::size_t c = 0; c < out; ++c)
      std::memcpy(m.bytes.data() + 128 + 4 * c, &sum, 4);
    for (const float sign : {1.0f, -1.0f}) { // each activation with, or against, its weight
      std::vector<float> x(in);
      double expected = 0;
      for (std::size_t k = 0; k < in; ++k) {
        x[k] = eight[k % 8] < 0 ? -127.0f * sign : 127.0f * sign;
        expected += double(x[k]) * eight[k % 8];
      }
      on_every_level(16, [&](const Kernels& kernels) {
        std::vector<float> y(out);
        const Quantized q(kernels, x, in);
        REQUIRE(q.rows[0].scale == 1.0f);
        kernels.linear_int8(call_of(m, q.bytes, q.rows, 1, y));
        for (std::size_t c = 0; c < out; ++c)
          REQUIRE(double(y[c]) == doctest::Approx(expected * double(scale_of(m, c)) + m.bias[c]).epsilon(1e-6));
      });
    }
  }
}

TEST_CASE("a row's result does not depend on the rows around it, a column's not on the panels asked for") {
  for (const int sum_bits : {32, 16})
    for (const std::size_t rows : {std::size_t{9}, std::size_t{15}, std::size_t{23}})
      for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
        const std::size_t in = 400, out = 112;
        const Packed m = random_matrix(precision, out, in, sum_bits);
        const auto x = normal(rows * in);
        on_every_level(sum_bits, [&](const Kernels& kernels) {
          const auto run = [&](std::size_t first_row, std::size_t row_count, std::size_t first_panel,
                               std::size_t last_panel, std::vector<float>& y) {
            std::vector<std::uint16_t> rounded(x.size());
            const Quantized q(kernels, x, in);
            kernels.round_to_bf16(x.data(), x.size(), rounded.data());
            const auto part = [&](auto call, std::size_t element = 1) {
              call.x += first_row * in * element;
              call.x_quantization += first_row;
              call.y += first_row * out;
              call.first_panel = first_panel;
              call.last_panel = last_panel;
              return call;
            };
            if (precision == Precision::fp32)
              kernels.linear_fp32(part(call_of(m, x, q.rows, row_count, y, Epilogue::gelu)));
            if (precision == Precision::bf16)
              kernels.linear_bf16(part(call_of(m, rounded, q.rows, row_count, y, Epilogue::gelu)));
            if (precision == Precision::int8)
              kernels.linear_int8(
                  part(call_of(m, q.bytes, q.rows, row_count, y, Epilogue::gelu), kernels.quantized_bytes));
          };
          std::vector<float> whole(rows * out), apart(rows * out, 7.0f);
          run(0, rows, 0, out / lanes, whole);
          for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t p = 0; p < out / lanes; ++p)
              run(r, 1, p, p + 1, apart);
          CHECK(std::memcmp(whole.data(), apart.data(), whole.size() * sizeof(float)) == 0);
          const auto in_part = [&](std::size_t first_row, std::size_t row_count, std::size_t first_panel,
                                   std::size_t last_panel) {
            std::vector<float> y(rows * out, 7.0f);
            run(first_row, row_count, first_panel, last_panel, y);
            for (std::size_t i = 0; i < y.size(); ++i) {
              const std::size_t row = i / out, panel = i % out / lanes;
              const bool inside =
                  row >= first_row && row < first_row + row_count && panel >= first_panel && panel < last_panel;
              REQUIRE(y[i] == (inside ? whole[i] : 7.0f));
            }
          };
          in_part(2, 3, 1, 2);
          in_part(1, 8, 1, 4);
        });
      }
}

TEST_CASE("no rows: nothing is read or written") {
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    const Packed m = random_matrix(precision, 96, 64);
    on_every_level([&](const Kernels& kernels) {
      std::vector<float> y(96, 7.0f);
      if (precision == Precision::fp32)
        kernels.linear_fp32(call_of(m, std::vector<float>{}, {}, 0, y));
      if (precision == Precision::bf16)
        kernels.linear_bf16(call_of(m, std::vector<std::uint16_t>{}, {}, 0, y));
      if (precision == Precision::int8)
        kernels.linear_int8(call_of(m, std::vector<std::byte>{}, {}, 0, y));
      CHECK(y == std::vector<float>(96, 7.0f));
    });
  }
}

TEST_CASE("epilogues") {
  const std::size_t rows = 3, out = 32, in = 64;
  const Packed m = random_matrix(Precision::fp32, out, in);
  const auto x = normal(rows * in, 4.0f);
  on_every_level([&](const Kernels& kernels) {
    std::vector<float> plain(rows * out), y(rows * out);
    kernels.linear_fp32(call_of(m, x, {}, rows, plain));
    const auto differs = [&](Epilogue epilogue, auto exact) {
      kernels.linear_fp32(call_of(m, x, {}, rows, y, epilogue));
      double largest = 0;
      for (std::size_t i = 0; i < y.size(); ++i)
        largest = std::max(largest, std::abs(double(y[i]) - exact(double(plain[i]))));
      return largest;
    };
    CHECK(differs(Epilogue::gelu, [](double v) { return v * 0.5 * (1 + std::erf(v / std::sqrt(2.0))); }) < 1e-6);
    CHECK(differs(Epilogue::relu, [](double v) { return std::max(v, 0.0); }) == 0);
    CHECK(differs(Epilogue::tanh, [](double v) { return std::tanh(v); }) < 3e-7);
  });
}

TEST_CASE("bf16 rounding: nearest, ties to even, NaN stays NaN") {
  const float values[16] = {1.0f,      1.00390625f, 1.01171875f, -1.00390625f,
                            3.3e38f,   3.4e38f,     0.0f,        -0.0f,
                            0x1p-140f, INFINITY,    -INFINITY,   std::numeric_limits<float>::quiet_NaN(),
                            1.003907f, 65504.0f,    -3.0f,       0.1f};
  const std::uint16_t expected[16] = {0x3f80, 0x3f80, 0x3f82, 0xbf80, 0x7f78, 0x7f80, 0x0000, 0x8000,
                                      0x0000, 0x7f80, 0xff80, 0,      0x3f81, 0x4780, 0xc040, 0x3dcd};
  on_every_level([&](const Kernels& kernels) {
    std::uint16_t y[16];
    kernels.round_to_bf16(values, 16, y);
    for (int i = 0; i < 16; ++i)
      if (i != 8 && i != 11)
        CHECK(y[i] == expected[i]);
    CHECK(std::isnan(kernels::to_float(y[11])));
  });
}

TEST_CASE("quantise: 254 steps from the least value to the largest, half to even") {
  const auto check = [](const Kernels& kernels) {
    for (const float least : {0.0f, -2.0f, -200.0f, -254.0f, -300.0f, -508.0f}) {
      CAPTURE(least);
      std::vector<float> x(48, 0.0f);
      x[0] = least;
      x[17] = least < 0 ? -1.0f : 1.0f;  // 0.5 steps: to even 0
      x[18] = least < -2 ? -3.0f : 3.0f; // 1.5 steps: to even 2
      x[47] = 508 + least;
      const Quantized row(kernels, x, 48);
      CHECK(row.rows[0].scale == 2.0f);
      const auto y = steps_of(kernels, row);
      CHECK(y[0] == least / 2);
      CHECK(y[17] == 0);
      CHECK(y[18] == (least < -2 ? -2 : 2));
      CHECK(y[47] == 254 + least / 2);
      CHECK(y[1] == 0);
    }
  };
  on_every_level(32, check);
  on_every_level(16, check);
}

TEST_CASE("quantise: every value is within half a step, wherever the row lies and where both its ends are ties") {
  std::uniform_real_distribution<float> any(-10.0f, 10.0f);
  const auto check = [&](const Kernels& kernels) {
    for (int round = 0; round < 200; ++round) {
      const float offset = round % 2 == 0 ? any(random_engine) : 0.0f;
      auto x = normal(64, 3.0f);
      for (float& value : x)
        value += offset;
      if (round % 4 == 1) { // 126.5 steps below zero, 127.5 above
        const float step = std::abs(any(random_engine));
        for (float& value : x)
          value = std::clamp(value, -126.5f * step, 127.5f * step);
        x[0] = -126.5f * step;
        x[63] = 127.5f * step;
      }
      const Quantized row(kernels, x, 64);
      const double scale = double(row.rows[0].scale);
      const auto [least, largest] = std::minmax_element(x.begin(), x.end());
      const double width = std::max(double(*largest), 0.0) - std::min(double(*least), 0.0);
      CHECK(std::abs(scale * 254 / width - 1) < 1e-6);
      const auto y = steps_of(kernels, row);
      for (std::size_t i = 0; i < 64; ++i)
        REQUIRE(std::abs(double(x[i]) - scale * double(y[i])) <= scale * 0.5001);
    }
  };
  on_every_level(32, check);
  on_every_level(16, check);
}

TEST_CASE("quantise: an input scale multiplies each value first, to the bit") {
  const auto check = [](const Kernels& kernels) {
    for (int round = 0; round < 100; ++round) {
      const auto x = normal(80, 3.0f), input_scale = normal(80, 1.0f);
      auto product = x;
      for (std::size_t i = 0; i < x.size(); ++i)
        product[i] *= input_scale[i];
      if (round == 0)
        std::fill(product.begin(), product.end(), 0.0f);
      const Quantized expected(kernels, product, 80);
      std::vector<std::byte> bytes(expected.bytes.size());
      const std::vector<float> zeros(80, 0.0f);
      const Quantization found =
          kernels.quantize(x.data(), round == 0 ? zeros.data() : input_scale.data(), 80, bytes.data());
      CHECK(found.scale == expected.rows[0].scale);
      CHECK(found.zero_point == expected.rows[0].zero_point);
      CHECK(bytes == expected.bytes);
    }
    std::vector<float> x(48, 1.0f), input_scale(48, 1.0f);
    std::vector<std::byte> bytes(48 * kernels.quantized_bytes);
    input_scale[40] = INFINITY;
    CHECK(std::isnan(kernels.quantize(x.data(), input_scale.data(), 48, bytes.data()).scale));
    input_scale[40] = 3e38f;
    x[40] = 10;
    CHECK(std::isnan(kernels.quantize(x.data(), input_scale.data(), 48, bytes.data()).scale));
  };
  on_every_level(32, check);
  on_every_level(16, check);
}

TEST_CASE("quantise: zeros, the largest numbers and what is not finite") {
  const auto check = [](const Kernels& kernels) {
    std::vector<float> x(48, 0.0f);
    CHECK(Quantized(kernels, x, 48).rows[0].scale == 0.0f);
    x[3] = 1e-40f;
    CHECK(Quantized(kernels, x, 48).rows[0].scale == 0.0f);

    x[3] = std::numeric_limits<float>::max();
    x[4] = -x[3]; // the distance is no float
    const Quantized wide(kernels, x, 48);
    CHECK(wide.rows[0].scale == x[3] / 127);
    const auto steps = steps_of(kernels, wide);
    CHECK(steps[3] == 127);
    CHECK(steps[4] == -127);

    for (const float bad : {INFINITY, -INFINITY, std::numeric_limits<float>::quiet_NaN()}) {
      x[33] = bad;
      const Quantized row(kernels, x, 48);
      CHECK(std::isnan(row.rows[0].scale));
      const auto zeros = steps_of(kernels, row);
      CHECK(std::all_of(zeros.begin(), zeros.end(), [](float v) { return v == 0; }));
    }
  };
  on_every_level(32, check);
  on_every_level(16, check);
}

TEST_CASE("quantise: one value decides, wherever it lies") {
  const auto check = [](const Kernels& kernels) {
    for (std::size_t count = 16; count <= 80; count += 16)
      for (std::size_t at = 3; at < count; at += 16)
        for (const float value : {INFINITY, -INFINITY, std::numeric_limits<float>::quiet_NaN(), 5.0f, -5.0f}) {
          CAPTURE(count);
          CAPTURE(at);
          CAPTURE(value);
          std::vector<float> x(count, 0.0f);
          x[at] = value;
          const Quantized row(kernels, x, count);
          const auto steps = steps_of(kernels, row);
          for (std::size_t i = 0; i < count; ++i)
            CHECK(steps[i] == (i == at && std::isfinite(value) ? std::copysign(254.0f, value) : 0.0f));
          if (std::isfinite(value))
            CHECK(row.rows[0].scale == 2.5f / 127);
          else
            CHECK(std::isnan(row.rows[0].scale));
        }
  };
  on_every_level(32, check);
  on_every_level(16, check);
}

namespace {

using Attention = void (*Kernels::*)(const AttentionCall&);

/// Rounded to whole steps.
void coarsen(std::vector<double>& x, double step) {
  for (double& value : x)
    value = step > 0 ? std::nearbyint(value / step) * step : 0;
}

/// An operand of the products in their precision: bf16; or int8, in 127 steps to either side of zero, or in 254 between
/// the least and the largest value.
enum class Operand { symmetric, whole_range };
void coarsen(std::vector<double>& x, Precision precision, Operand operand = Operand::symmetric) {
  if (precision == Precision::bf16)
    for (double& value : x)
      value = double{bf16_to_float(to_bf16(static_cast<float>(value)))};
  if (precision == Precision::int8) {
    const double largest = std::max(0.0, *std::max_element(x.begin(), x.end())),
                 least = std::min(0.0, *std::min_element(x.begin(), x.end()));
    coarsen(x, operand == Operand::symmetric ? std::max(largest, -least) / 127 : (largest - least) / 254);
  }
}

/// The context of one query in double, from operands that are rounded to the precision of the products.
std::vector<double> attended(const std::vector<float>& qkv, std::size_t stride, std::size_t length,
                             std::size_t head_dim, std::size_t query, Precision precision) {
  const auto row = [&](std::size_t token, std::size_t block, Operand operand) {
    const float* first = &qkv[token * stride + block * head_dim];
    std::vector<double> x(first, first + head_dim);
    coarsen(x, precision, operand);
    return x;
  };
  const std::vector<double> q = row(query, 0, Operand::whole_range);
  std::vector<double> weight(length);
  for (std::size_t j = 0; j < length; ++j) {
    const std::vector<double> k = row(j, 1, Operand::symmetric);
    for (std::size_t d = 0; d < head_dim; ++d)
      weight[j] += q[d] * k[d];
  }
  const double largest = *std::max_element(weight.begin(), weight.end());
  double sum = 0;
  for (double& w : weight)
    sum += w = std::exp(w - largest);
  if (precision == Precision::int8) // before they are divided: the largest is 1
    coarsen(weight, 1.0 / 254);
  for (double& w : weight)
    w /= sum;
  if (precision == Precision::bf16)
    coarsen(weight, precision);
  std::vector<double> context(head_dim);
  for (std::size_t d = 0; d < head_dim; ++d) {
    std::vector<double> v(length);
    for (std::size_t j = 0; j < length; ++j)
      v[j] = double{qkv[j * stride + 2 * head_dim + d]};
    coarsen(v, precision);
    for (std::size_t j = 0; j < length; ++j)
      context[d] += weight[j] * v[j];
  }
  return context;
}

/// One head inside a wider matrix, on every level: its numbers, its neighbours, and what else is promised of a call.
/// An operand that lies between two steps of the precision may be rounded either way: then an output is off by up to
/// `one_step`, but the outputs of one call together by less than a tenth of that on average.
void check_attention(Attention attention, Precision precision, double one_step) {
  for (const std::size_t length : {1u, 2u, 3u, 15u, 16u, 17u, 33u, 64u, 100u, 129u})
    for (const std::size_t head_dim : {16u, 32u, 64u, 96u}) {
      CAPTURE(length);
      CAPTURE(head_dim);
      const std::size_t stride = 3 * head_dim + 16, context_stride = head_dim + 32;
      const auto qkv = normal(length * stride);
      on_every_level([&](const Kernels& kernels) {
        const Precision products = kernels.*attention == kernels.attention ? Precision::fp32 : precision;
        std::vector<float> scratch(attention_scratch(length, head_dim), 1e9f);
        std::vector<float> context(length * context_stride, 7.0f);
        (kernels.*attention)({qkv.data(), stride, length, qkv.data() + head_dim, qkv.data() + 2 * head_dim, length,
                              stride, head_dim, scratch.data(), context.data() + 16, context_stride});
        double errors = 0;
        for (std::size_t i = 0; i < length; ++i) {
          const std::vector<double> expected = attended(qkv, stride, length, head_dim, i, products);
          for (std::size_t d = 0; d < head_dim; ++d) {
            const double error = std::abs(double(context[i * context_stride + 16 + d]) - expected[d]);
            REQUIRE(error <= (products == Precision::fp32 ? 5e-5 : one_step));
            errors += error;
          }
          REQUIRE(context[i * context_stride] == 7.0f);
          REQUIRE(context[i * context_stride + 16 + head_dim] == 7.0f);
        }
        REQUIRE(errors <= one_step / 10 * double(length * head_dim));
        std::vector<float> alone(head_dim); // one query among the same keys
        (kernels.*attention)({qkv.data() + (length - 1) * stride, stride, 1, qkv.data() + head_dim,
                              qkv.data() + 2 * head_dim, length, stride, head_dim, scratch.data(), alone.data(),
                              head_dim});
        REQUIRE(std::memcmp(alone.data(), &context[(length - 1) * context_stride + 16], head_dim * sizeof(float)) == 0);
        auto in_place = qkv; // the context may take the place of the queries
        (kernels.*attention)({in_place.data(), stride, length, qkv.data() + head_dim, qkv.data() + 2 * head_dim, length,
                              stride, head_dim, scratch.data(), in_place.data(), stride});
        for (std::size_t i = 0; i < length; ++i)
          REQUIRE(std::memcmp(&in_place[i * stride], &context[i * context_stride + 16], head_dim * sizeof(float)) == 0);
      });
    }
}

} // namespace

TEST_CASE("attention: softmax(Q K^T) V of one head inside a wider matrix") {
  check_attention(&Kernels::attention, Precision::fp32, 5e-5);
}

TEST_CASE("attention_bf16: the same from bf16, where that is faster") {
  check_attention(&Kernels::attention_bf16, Precision::bf16, 2e-3);
}

TEST_CASE("attention_int8: the same from int8") { check_attention(&Kernels::attention_int8, Precision::int8, 0.03); }

TEST_CASE("attention in every precision: what is not finite spoils what it touches, and large values do not") {
  constexpr std::size_t length = 70, head_dim = 32, stride = 3 * head_dim;
  const auto clean = normal(length * stride);
  for (const Attention attention : {&Kernels::attention, &Kernels::attention_bf16, &Kernels::attention_int8})
    on_every_level([&](const Kernels& kernels) {
      const auto context = [&](const std::vector<float>& qkv) {
        std::vector<float> scratch(attention_scratch(length, head_dim), 1e9f), y(length * head_dim);
        (kernels.*attention)({qkv.data(), stride, length, qkv.data() + head_dim, qkv.data() + 2 * head_dim, length,
                              stride, head_dim, scratch.data(), y.data(), head_dim});
        return y;
      };
      for (const float bad : {INFINITY, -INFINITY, std::numeric_limits<float>::quiet_NaN()}) {
        auto qkv = clean;
        qkv[60 * stride + 5] = bad; // a query: its own row
        auto y = context(qkv);
        CHECK(std::isnan(y[60 * head_dim]));
        CHECK(std::isfinite(y[59 * head_dim]));
        qkv = clean;
        qkv[69 * stride + head_dim + 5] = bad; // a key: every row
        y = context(qkv);
        CHECK(std::all_of(y.begin(), y.end(), [](float value) { return std::isnan(value); }));
        qkv = clean;
        qkv[69 * stride + 2 * head_dim + 5] = bad; // a value: its column
        y = context(qkv);
        CHECK_FALSE(std::isfinite(y[5]));
        CHECK(std::isfinite(y[6]));
      }
      auto qkv = clean; // one value far larger than the others: its column is an average of at most that size
      qkv[3 * stride + 2 * head_dim + 5] = 1e30f;
      const auto y = context(qkv);
      CHECK(std::all_of(y.begin(), y.end(), [](float value) { return std::abs(value) <= 1.01e30f; }));
      const std::vector<float> zeros(length * stride);
      const auto none = context(zeros);
      CHECK(std::all_of(none.begin(), none.end(), [](float value) { return value == 0.0f; }));
    });
}

TEST_CASE("layer norm: logical columns only, padding stays zero, in place; a row alone has the same bits") {
  for (const std::size_t dim : {1u, 15u, 16u, 17u, 37u, 384u})
    for (const bool with_residual : {false, true}) {
      CAPTURE(dim);
      const std::size_t columns = padded(dim), rows = 9; // two times four, and one
      auto x = normal(rows * columns, 2.0f), residual = normal(rows * columns);
      auto weight = normal(columns), bias = normal(columns);
      for (std::size_t c = dim; c < columns; ++c) {
        weight[c] = bias[c] = 0;
        for (std::size_t r = 0; r < rows; ++r)
          x[r * columns + c] = residual[r * columns + c] = 0;
      }
      on_every_level([&](const Kernels& kernels) {
        auto y = with_residual ? residual : x; // in place
        kernels.layer_norm({with_residual ? x.data() : y.data(),
                            with_residual ? y.data() : nullptr,
                            columns,
                            rows,
                            {dim, weight.data(), bias.data()},
                            1e-12f,
                            y.data()});
        for (std::size_t r = 0; r < rows; ++r) {
          std::vector<float> alone(columns);
          kernels.layer_norm({&x[r * columns],
                              with_residual ? &residual[r * columns] : nullptr,
                              columns,
                              1,
                              {dim, weight.data(), bias.data()},
                              1e-12f,
                              alone.data()});
          REQUIRE(std::memcmp(alone.data(), &y[r * columns], columns * sizeof(float)) == 0);
          std::vector<double> v(dim);
          double mean = 0, variance = 0;
          for (std::size_t c = 0; c < dim; ++c) {
            v[c] = double(x[r * columns + c]) + (with_residual ? double(residual[r * columns + c]) : 0.0);
            mean += v[c] / double(dim);
          }
          for (const double value : v)
            variance += (value - mean) * (value - mean) / double(dim);
          for (std::size_t c = 0; c < columns; ++c) {
            const double expected =
                c < dim ? (v[c] - mean) / std::sqrt(variance + 1e-12) * double(weight[c]) + double(bias[c]) : 0.0;
            REQUIRE(double(y[r * columns + c]) == doctest::Approx(expected).epsilon(2e-5).scale(1));
          }
        }
      });
    }
}

TEST_CASE("embed: word + position in every precision") {
  const std::size_t rows = 5, dim = 32;
  const auto table = normal(rows * dim);
  std::vector<std::uint16_t> half(rows * dim);
  std::vector<std::int8_t> byte(rows * dim);
  std::vector<float> scale = {0.01f, 0.02f, 0.03f, 0.04f, 0.05f};
  kernels::portable.round_to_bf16(table.data(), table.size(), half.data());
  for (std::size_t i = 0; i < byte.size(); ++i)
    byte[i] = static_cast<std::int8_t>(table[i] * 20.0f);
  const PackedEmbedding as[] = {{Precision::fp32, rows, dim, table.data(), nullptr},
                                {Precision::bf16, rows, dim, half.data(), nullptr},
                                {Precision::int8, rows, dim, byte.data(), scale.data()}};
  const std::int32_t ids[] = {4, 0, 4};
  on_every_level([&](const Kernels& kernels) {
    for (const PackedEmbedding& e : as) {
      std::vector<float> y(std::size_t{3} * 48, 7.0f);
      kernels.embed({ids, 3, 2, e, e, y.data(), 48});
      const auto value = [&](std::size_t row, std::size_t c) {
        const std::size_t at = row * dim + c;
        return e.precision == Precision::fp32   ? table[at]
               : e.precision == Precision::bf16 ? kernels::to_float(half[at])
                                                : float(byte[at]) * scale[row];
      };
      for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t c = 0; c < dim; ++c)
          REQUIRE(double(y[i * 48 + c]) ==
                  doctest::Approx(double(value(std::size_t(ids[i]), c)) + double(value(2 + i, c))).epsilon(1e-6));
        REQUIRE(y[i * 48 + dim] == 7.0f);
      }
    }
  });
}

TEST_CASE("softmax and sigmoid: any count, large values, and NaN is not hidden") {
  on_every_level([](const Kernels& kernels) {
    for (const std::size_t count : {1u, 2u, 3u, 16u, 17u, 100u}) {
      std::vector<float> x(padded(count), 555.0f);
      for (std::size_t i = 0; i < count; ++i)
        x[i] = float(i % 7) * 30.0f + 1000.0f;
      kernels.softmax(x.data(), count);
      double sum = 0;
      for (std::size_t i = 0; i < count; ++i)
        sum += double(x[i]);
      CHECK(sum == doctest::Approx(1.0).epsilon(1e-6));
      for (std::size_t i = count; i < x.size(); ++i)
        CHECK(x[i] == 0.0f);
    }
    std::vector<float> two = {1.0f, 2.0f};
    two.resize(16);
    kernels.softmax(two.data(), 2);
    CHECK(double(two[1]) == doctest::Approx(0.7310585786).epsilon(1e-6));
    std::vector<float> s(16, 0.5f);
    kernels.sigmoid(s.data(), 1);
    CHECK(double(s[0]) == doctest::Approx(0.6224593312).epsilon(1e-6));
    std::vector<float> far_below(16, -3e38f); // whatever fills the padding must not outweigh them
    far_below[1] = -2e38f;
    kernels.softmax(far_below.data(), 2);
    CHECK(far_below[0] == 0.0f);
    CHECK(far_below[1] == 1.0f);
    for (const float bad : {INFINITY, std::numeric_limits<float>::quiet_NaN()}) {
      std::vector<float> x(16, 1.0f);
      x[1] = bad;
      kernels.softmax(x.data(), 3);
      CHECK(std::isnan(x[1]));
    }
  });
}

TEST_CASE("what is not finite in a row reaches that row's outputs and no other's") {
  const std::size_t in = 64, out = 32;
  for (const int sum_bits : {32, 16})
    for (const Precision precision : {Precision::fp32, Precision::int8}) {
      const Packed m = random_matrix(precision, out, in, sum_bits);
      auto x = normal(3 * in);
      x[in + 5] = std::numeric_limits<float>::quiet_NaN();
      on_every_level(sum_bits, [&](const Kernels& kernels) {
        std::vector<float> y(3 * out);
        const Quantized q(kernels, x, in);
        for (const Epilogue epilogue : {Epilogue::none, Epilogue::gelu, Epilogue::relu, Epilogue::tanh}) {
          if (precision == Precision::fp32)
            kernels.linear_fp32(call_of(m, x, q.rows, 3, y, epilogue));
          else
            kernels.linear_int8(call_of(m, q.bytes, q.rows, 3, y, epilogue));
          for (std::size_t i = 0; i < y.size(); ++i)
            REQUIRE(std::isnan(y[i]) == (i / out == 1));
        }
      });
    }
}
