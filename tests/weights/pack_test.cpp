// pack.hpp: packed bytes against offsets written out by hand and against a naive unpacking, and the two roundings
// against exact arithmetic.

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include <distilbert/weights/pack.hpp>
#include <distilbert/weights/safetensors.hpp>

using namespace distilbert;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

template <class T> T value_at(const std::vector<unsigned char>& bytes, std::size_t offset) {
  T value;
  REQUIRE(offset + sizeof value <= bytes.size());
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::vector<float> random_floats(std::size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, 0.05f);
  std::vector<float> values(n);
  for (float& x : values)
    x = normal(engine);
  return values;
}

// Memory is handed over full of rubbish, so that a byte left unwritten shows, and with a byte to guard its end.
std::vector<unsigned char> pack(const std::vector<float>& weight, const float* bias, Blocks out, Blocks in,
                                Precision precision) {
  std::vector<unsigned char> panels(packed_linear_bytes(precision, out, in) + 1, 0xa5);
  pack_linear(weight.data(), bias, out, in, precision, panels.data());
  CHECK(panels.back() == 0xa5);
  panels.pop_back();
  return panels;
}

// Weight of packed channel `row` and packed column `k`, as written in packed_layout.hpp.
float unpack(const std::vector<unsigned char>& panels, Precision precision, std::size_t in, std::size_t row,
             std::size_t k) {
  const std::size_t c = row % 16;
  switch (precision) {
  case Precision::fp32: return value_at<float>(panels, row / 16 * (64 + 64 * in) + 64 + k * 64 + c * 4);
  case Precision::bf16:
    return from_bf16(value_at<std::uint16_t>(panels, row / 16 * (64 + 32 * in) + 64 + k / 2 * 64 + c * 4 + k % 2 * 2));
  case Precision::int8: {
    const std::size_t panel = row / 16 * (192 + 16 * in);
    return value_at<std::int8_t>(panels, panel + 192 + k / 4 * 64 + c * 4 + k % 4) *
           value_at<float>(panels, panel + 64 + c * 4);
  }
  }
  return not_a_number;
}

} // namespace

TEST_CASE("precisions and their names") {
  CHECK(precision_name(Precision::fp32) == "fp32");
  CHECK(precision_name(Precision::bf16) == "bf16");
  CHECK(precision_name(Precision::int8) == "int8");
  CHECK(precision_from_name("bf16") == Precision::bf16);
  CHECK_FALSE(precision_from_name("fp16"));
  CHECK_FALSE(precision_from_name("INT8"));
  CHECK_FALSE(precision_from_name(""));
}

TEST_CASE("bf16 is the nearest of the two neighbours, ties to even, for every upper half") {
  std::size_t wrong = 0;
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const std::uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const float x = std::bit_cast<float>(upper << 16 | lower);
      const std::uint16_t bits = to_bf16(x);
      if (std::isnan(x)) {
        wrong += !std::isnan(from_bf16(bits)) || !(bits & 0x40) || std::signbit(from_bf16(bits)) != std::signbit(x);
        continue;
      }
      // Doubles hold all of this exactly. The neighbour past the largest bf16 counts as 2^128.
      const auto magnitude = [](std::uint32_t half) {
        return half == 0x7f80 ? 0x1p128 : double{from_bf16(static_cast<std::uint16_t>(half))};
      };
      const std::uint32_t low = upper & 0x7fff;
      const double below = std::fabs(double{x}) - magnitude(low);
      const double above = std::isinf(x) ? infinity : magnitude(low + 1) - std::fabs(double{x});
      const std::uint32_t nearest = below < above || (below == above && low % 2 == 0) ? low : low + 1;
      wrong += bits != (std::isinf(x) ? upper : (upper & 0x8000) | nearest);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("int8 rounds to the nearest step, ties to even") {
  const std::vector<float> row = {-127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 126.5f, 125.49f, -0.0f};
  const float scale = int8_scale(row.data(), 0, row.size());
  CHECK(scale == 1);
  const std::vector<int> steps = {-127, 0, 2, 2, 0, -2, 126, 125, 0};
  for (std::size_t k = 0; k < row.size(); ++k)
    CHECK(int{to_int8(row[k], scale)} == steps[k]);
}

TEST_CASE("int8 reaches 127 at the largest weight and errs by half a step at most") {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const std::vector<float> row = random_floats(61, seed);
    const float scale = int8_scale(row.data(), 0, row.size());
    int largest = 0;
    for (const float w : row) {
      const int q = to_int8(w, scale);
      largest = std::max(largest, std::abs(q));
      CHECK(std::fabs(q - double{w} / double{scale}) <= 0.5 + 1e-5);
    }
    CHECK(largest == 127);
  }
}

TEST_CASE("int8 of rows at the edges of float") {
  const float smallest = std::numeric_limits<float>::denorm_min();
  const float greatest = std::numeric_limits<float>::max();
  const float zeros[] = {0, -0.0f};
  CHECK(int8_scale(zeros, 0, 2) == 0);
  CHECK(int{to_int8(0, 0)} == 0);
  // max|w| / 127 is no float: the scale becomes 0 or one coarse step, and the result stays in range.
  for (int n = 1; n < 400; ++n) {
    const float row[] = {static_cast<float>(n) * smallest};
    const int q = to_int8(row[0], int8_scale(row, 0, 1));
    CHECK(q >= 0);
    CHECK(q <= 127);
  }
  const float wide[] = {greatest, -greatest, 1};
  const float scale = int8_scale(wide, 0, 3);
  CHECK(int{to_int8(wide[0], scale)} == 127);
  CHECK(int{to_int8(wide[1], scale)} == -127);
  CHECK(int{to_int8(wide[2], scale)} == 0);
}

namespace {

/// Of the int8 weights of all channels that meet in one sum of 16 bits, the largest sum of one sign.
int largest_sum(const std::vector<unsigned char>& panels, std::size_t out, std::size_t in) {
  int largest = 0;
  for (std::size_t row = 0; row < out; ++row)
    for (std::size_t k = 0; k < in; k += 8)
      for (const std::size_t first : {k, k + 2}) {
        int positive = 0, negative = 0;
        for (const std::size_t i : {first, first + 1, first + 4, first + 5}) {
          const std::size_t panel = row / 16 * (192 + 16 * in);
          const int w{value_at<std::int8_t>(panels, panel + 192 + i / 4 * 64 + row % 16 * 4 + i % 4)};
          (w < 0 ? negative : positive) += std::abs(w);
        }
        largest = std::max({largest, positive, negative});
      }
  return largest;
}

std::vector<unsigned char> pack_for_16_bits(const std::vector<float>& weight, Blocks out, Blocks in) {
  std::vector<unsigned char> panels(packed_linear_bytes(Precision::int8, out, in));
  pack_linear(weight.data(), nullptr, out, in, Precision::int8, panels.data(), 16);
  return panels;
}

} // namespace

TEST_CASE("int8 for sums of 16 bits: four weights that meet reach 128 at most, and as much as rounding allows") {
  for (const Blocks in : {Blocks{1, 37}, Blocks{3, 12}, Blocks{2, 16}})
    for (unsigned seed = 0; seed < 30; ++seed) {
      const std::vector<float> weight = random_floats(20 * in.logical(), seed);
      const auto panels = pack_for_16_bits(weight, {1, 20}, in);
      CHECK(largest_sum(panels, 32, in.packed()) <= 128);
      CHECK(largest_sum(panels, 32, in.packed()) >= 124);
      for (std::size_t row = 0; row < 20; ++row) {
        const auto scale = double{value_at<float>(panels, row / 16 * (192 + 16 * in.packed()) + 64 + row % 16 * 4)};
        for (std::size_t k = 0; k < in.logical(); ++k) {
          const float kept =
              unpack(panels, Precision::int8, in.packed(), row, k / in.size * padded(in.size) + k % in.size);
          CHECK(std::fabs(double{kept} - double{weight[row * in.logical() + k]}) <= 0.50001 * scale);
        }
      }
    }
}

TEST_CASE("int8 for sums of 16 bits: rows at the edges") {
  const float greatest = std::numeric_limits<float>::max(), smallest = std::numeric_limits<float>::denorm_min();
  const auto packed_row = [](std::vector<float> row) {
    row.resize(16);
    return pack_for_16_bits(row, {1, 1}, {1, 16});
  };
  CHECK(largest_sum(packed_row({5}), 16, 16) == 126); // one large weight keeps nearly all of its eight bits
  CHECK(largest_sum(packed_row({1.01f, 1.01f, 0, 0, 1.01f, 1.01f}), 16, 16) == 128); // 31.5 four times
  CHECK(largest_sum(packed_row({-1, -1, 7, 0, -1, -1}), 16, 16) == 126);
  CHECK(largest_sum(packed_row({greatest, greatest, 0, 0, greatest, greatest}), 16, 16) == 128);
  CHECK(value_at<float>(packed_row({greatest, greatest, 0, 0, greatest, greatest}), 64) < infinity); // its scale
  CHECK(largest_sum(packed_row({}), 16, 16) == 0);
  for (int n = 1; n < 400; ++n) { // too small for a scale that is rounded finely
    const float w = static_cast<float>(n) * smallest;
    CHECK(largest_sum(packed_row({w, w, w, w, w, w, w, w}), 16, 16) == 0);
  }
  CHECK_THROWS_AS(packed_row({0, not_a_number}), Error);
}

TEST_CASE("int8 refuses what is not finite and says where") {
  for (const float bad : {not_a_number, infinity, -infinity}) {
    std::vector<float> weight(2 * 3, 1.0f);
    weight[5] = bad;
    std::vector<unsigned char> panels(packed_linear_bytes(Precision::int8, {1, 2}, {1, 3}));
    CHECK_THROWS_WITH_AS(pack_linear(weight.data(), nullptr, {1, 2}, {1, 3}, Precision::int8, panels.data()),
                         "a weight is not a finite number: row 1, column 2 cannot be rounded to int8", Error);
    std::vector<std::int8_t> table(2 * 16);
    std::vector<float> scale(16);
    CHECK_THROWS_AS(pack_embedding(weight.data(), 2, 3, Precision::int8, table.data(), scale.data()), Error);
    const auto kept = pack(weight, nullptr, {1, 2}, {1, 3}, Precision::fp32);
    CHECK(std::bit_cast<std::uint32_t>(unpack(kept, Precision::fp32, 16, 1, 2)) == std::bit_cast<std::uint32_t>(bad));
  }
}

TEST_CASE("a matrix of two blocks by two blocks lies where the layout says") {
  // Rows 0 and 1 are packed rows 0 and 16, in panels 0 and 1; columns 0 to 4 are packed columns 0 to 4, 5 to 9 are 16
  // to 20. Weights are their own names: 10 * row + column, and row 1 is negative.
  const Blocks out{2, 1}, in{2, 5};
  const std::vector<float> weight = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -10, -11, -12, -13, -14, -15, -16, -17, -18, -19};
  const float bias[] = {0.25f, -0.5f};

  SUBCASE("fp32") {
    const auto panels = pack(weight, bias, out, in, Precision::fp32);
    REQUIRE(panels.size() == 4224); // 2 panels of 64 + 32 * 64
    CHECK(value_at<float>(panels, 0) == 0.25f);
    CHECK(value_at<float>(panels, 2112) == -0.5f);
    CHECK(value_at<float>(panels, 64 + 64) == 1);
    CHECK(value_at<float>(panels, 64 + 4 * 64) == 4);
    CHECK(value_at<float>(panels, 64 + 16 * 64) == 5);
    CHECK(value_at<float>(panels, 64 + 20 * 64) == 9);
    CHECK(value_at<float>(panels, 2112 + 64) == -10);
    CHECK(value_at<float>(panels, 2112 + 64 + 17 * 64) == -16);
  }
  SUBCASE("bf16") {
    const auto panels = pack(weight, bias, out, in, Precision::bf16);
    REQUIRE(panels.size() == 2176); // 2 panels of 64 + 32 * 32
    CHECK(value_at<float>(panels, 1088) == -0.5f);
    CHECK(from_bf16(value_at<std::uint16_t>(panels, 64 + 2)) == 1);
    CHECK(from_bf16(value_at<std::uint16_t>(panels, 64 + 64)) == 2);
    CHECK(from_bf16(value_at<std::uint16_t>(panels, 64 + 2 * 64)) == 4);
    CHECK(from_bf16(value_at<std::uint16_t>(panels, 64 + 8 * 64)) == 5);
    CHECK(from_bf16(value_at<std::uint16_t>(panels, 64 + 8 * 64 + 2)) == 6);
    CHECK(from_bf16(value_at<std::uint16_t>(panels, 1088 + 64 + 10 * 64)) == -19);
  }
  SUBCASE("int8") {
    const auto panels = pack(weight, bias, out, in, Precision::int8);
    REQUIRE(panels.size() == 1408); // 2 panels of 192 + 32 * 16
    CHECK(value_at<float>(panels, 704) == -0.5f);
    CHECK(value_at<float>(panels, 64) == 9.0f / 127);
    CHECK(value_at<float>(panels, 704 + 64) == 19.0f / 127);
    CHECK(value_at<std::int32_t>(panels, 128) == 14 + 28 + 42 + 56 + 71 + 85 + 99 + 113 + 127);
    CHECK(int{value_at<std::int8_t>(panels, 192 + 1)} == 14);
    CHECK(int{value_at<std::int8_t>(panels, 192 + 3)} == 42);
    CHECK(int{value_at<std::int8_t>(panels, 192 + 64)} == 56);
    CHECK(int{value_at<std::int8_t>(panels, 192 + 4 * 64)} == 71);
    CHECK(int{value_at<std::int8_t>(panels, 192 + 5 * 64)} == 127);
    CHECK(int{value_at<std::int8_t>(panels, 704 + 192 + 5 * 64)} == -127);
  }
  SUBCASE("the second channel of a panel stands four bytes on") {
    const auto panels = pack(weight, bias, {1, 2}, {1, 10}, Precision::int8);
    REQUIRE(panels.size() == 192 + 16 * 16);
    CHECK(value_at<float>(panels, 4) == -0.5f);
    CHECK(value_at<float>(panels, 64 + 4) == 19.0f / 127);
    CHECK(value_at<std::int32_t>(panels, 128 + 4) < 0);
    CHECK(int{value_at<std::int8_t>(panels, 192 + 4)} == -67);
    CHECK(int{value_at<std::int8_t>(panels, 192 + 2 * 64 + 4 + 1)} == -127);
  }
}

TEST_CASE("every weight comes back from its packed place, and all padding is zero") {
  const std::pair<Blocks, Blocks> sizes[] = {{{1, 1}, {1, 1}},  {{1, 37}, {1, 37}}, {{1, 16}, {1, 48}},
                                             {{9, 8}, {1, 24}}, {{1, 24}, {3, 8}},  {{6, 20}, {2, 33}}};
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    for (std::size_t size = 0; size < std::size(sizes); ++size) {
      const auto [out, in] = sizes[size];
      CAPTURE(precision_name(precision));
      CAPTURE(size);
      const auto weight = random_floats(out.logical() * in.logical(), 1);
      const auto bias = random_floats(out.logical(), 2);
      const auto panels = pack(weight, bias.data(), out, in, precision);
      REQUIRE(panels.size() % packed_alignment == 0);
      std::size_t wrong = 0;
      for (std::size_t r = 0; r < out.packed(); ++r) {
        const std::size_t row = r / padded(out.size) * out.size + r % padded(out.size);
        const bool real_row = r % padded(out.size) < out.size;
        const std::size_t panel = r / 16 * panel_bytes(precision, in.packed());
        wrong += value_at<float>(panels, panel + r % 16 * 4) != (real_row ? bias[row] : 0);
        const float scale = precision == Precision::int8 ? value_at<float>(panels, panel + 64 + r % 16 * 4) : 0;
        wrong += !real_row && scale != 0;
        std::int32_t sum = 0;
        for (std::size_t k = 0; k < in.packed(); ++k) {
          const bool real = real_row && k % padded(in.size) < in.size;
          const std::size_t column = k / padded(in.size) * in.size + k % padded(in.size);
          const float w = real ? weight[row * in.logical() + column] : 0;
          const float found = unpack(panels, precision, in.packed(), r, k);
          switch (precision) {
          case Precision::fp32: wrong += found != w; break;
          case Precision::bf16: wrong += found != from_bf16(to_bf16(w)); break;
          case Precision::int8:
            wrong += std::fabs(found - w) > 0.5001f * scale;
            sum += value_at<std::int8_t>(panels, panel + 192 + k / 4 * 64 + r % 16 * 4 + k % 4);
            break;
          }
        }
        wrong += precision == Precision::int8 && value_at<std::int32_t>(panels, panel + 128 + r % 16 * 4) != sum;
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("a layer without bias has a bias of zeros") {
  const auto panels = pack({1, 2, 3, 4}, nullptr, {1, 2}, {1, 2}, Precision::fp32);
  for (std::size_t c = 0; c < 16; ++c)
    CHECK(value_at<float>(panels, 4 * c) == 0);
}

TEST_CASE("embedding rows are padded one by one, with one int8 scale each") {
  const std::size_t rows = 19, dim = 37;
  const auto weight = random_floats(rows * dim, 3);
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    std::vector<unsigned char> table(rows * 48 * element_bytes(precision) + 1, 0xa5);
    std::vector<float> scale(33, -1.0f);
    pack_embedding(weight.data(), rows, dim, precision, table.data(),
                   precision == Precision::int8 ? scale.data() : nullptr);
    CHECK(table.back() == 0xa5);
    CHECK(scale.back() == -1);
    std::size_t wrong = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t k = 0; k < 48; ++k) {
        const float w = k < dim ? weight[row * dim + k] : 0;
        const std::size_t i = row * 48 + k;
        switch (precision) {
        case Precision::fp32: wrong += value_at<float>(table, 4 * i) != w; break;
        case Precision::bf16: wrong += value_at<std::uint16_t>(table, 2 * i) != to_bf16(w); break;
        case Precision::int8:
          wrong += std::fabs(value_at<std::int8_t>(table, i) * scale[row] - w) > 0.5001f * scale[row];
          break;
        }
      }
    }
    CHECK(wrong == 0);
    if (precision == Precision::int8)
      for (std::size_t row = rows; row < 32; ++row)
        CHECK(scale[row] == 0);
  }
}

TEST_CASE("the weights of models/sst2 lie on steps that packing finds again") {
  const SafeTensors file = SafeTensors::open(DISTILBERT_SOURCE_DIR "/models/sst2/model.safetensors");
  std::size_t layers = 0;
  for (const TensorView& tensor : file.tensors())
    if (tensor.dtype == Dtype::u8 && tensor.name.find(".packed") != std::string::npos &&
        tensor.name != "classifier.packed") {
      CAPTURE(tensor.name);
      const std::size_t out = tensor.shape[0] * lanes;
      const std::size_t in = (tensor.shape[1] - panel_header_bytes(Precision::int8)) / lanes;
      const std::vector<unsigned char> panels(tensor.data, tensor.data + tensor.bytes);
      std::vector<float> weight;
      for (std::size_t row = 0; row < out; ++row)
        for (std::size_t k = 0; k < in; ++k)
          weight.push_back(unpack(panels, Precision::int8, in, row, k));
      std::vector<unsigned char> again(tensor.bytes);
      pack_linear(weight.data(), nullptr, {1, out}, {1, in}, Precision::int8, again.data(), 16);
      std::size_t same = 0;
      for (std::size_t panel = 0; panel < tensor.shape[0]; ++panel) {
        const std::size_t at = panel * tensor.shape[1] + 2 * lanes * 4; // behind bias and scale: sums and weights
        same += std::memcmp(again.data() + at, tensor.data + at, tensor.shape[1] - 2 * lanes * 4) == 0;
      }
      CHECK(same == tensor.shape[0]);
      ++layers;
    }
  CHECK(layers == 6 * 4 + 1);
}
