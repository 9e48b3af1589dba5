// The levels with fused multiply-add agree bit for bit in fp32 and int8, whatever the CPU: each level's outputs are
// those of the first one, and their hash is a constant of this file, the same on x86 and Arm and for every compiler.

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <distilbert/aligned_buffer.hpp>
#include <distilbert/kernels/dispatch.hpp>

using namespace distilbert;

namespace {

enum class Kind { ordinary, tiny, wide, special };
constexpr Kind kinds[] = {Kind::ordinary, Kind::tiny, Kind::wide, Kind::special};

/// Made of integers only: the distributions of <random> differ between standard libraries.
class Numbers {
public:
  std::size_t below(std::size_t bound) { return engine_() % bound; }

  /// 24 bits in [-4, 4); about the smallest normal number, half of them below it; any exponent up to 2^60; ordinary
  /// ones with a NaN or an infinity now and then.
  float next(Kind kind) {
    const auto bits = static_cast<std::uint32_t>(engine_());
    const auto ordinary = static_cast<float>(static_cast<std::int32_t>(bits) >> 8) * 0x1p-21f;
    switch (kind) {
    case Kind::ordinary: return ordinary;
    case Kind::tiny: return from_bits(bits & 0x80ffffffu);
    case Kind::wide: return from_bits((bits & 0x807fffffu) | static_cast<std::uint32_t>(below(188)) << 23);
    case Kind::special: break;
    }
    if (below(40) != 0)
      return ordinary;
    return from_bits((bits & 0x80000000u) | 0x7f800000u | (bits & 1u) << 22);
  }

  std::vector<float> row(std::size_t count, Kind kind) {
    std::vector<float> x(count);
    for (float& value : x)
      value = next(kind);
    return x;
  }

  static float from_bits(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

private:
  std::mt19937 engine_{20261121};
};

/// What an operation wrote. Every NaN counts as the same: which one it is, is the CPU's choice.
class Outputs {
public:
  void add(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    words_.push_back(value != value ? 0x7fc00000u : bits);
  }
  void add(const std::vector<float>& values) {
    for (const float value : values)
      add(value);
  }
  void add(const std::vector<std::uint16_t>& values) { words_.insert(words_.end(), values.begin(), values.end()); }

  const std::vector<std::uint32_t>& words() const { return words_; }

  /// FNV-1a over the words, low byte first.
  std::uint64_t hash() const {
    std::uint64_t h = 0xcbf29ce484222325u;
    for (const std::uint32_t word : words_)
      for (unsigned shift = 0; shift < 32; shift += 8)
        h = (h ^ (word >> shift & 0xffu)) * 0x100000001b3u;
    return h;
  }

private:
  std::vector<std::uint32_t> words_;
};

/// A packed matrix of weights of `kind`, or of int8 up to `largest`.
AlignedBuffer random_panels(Numbers& numbers, Precision precision, std::size_t out, std::size_t in, Kind kind,
                            int largest = 127) {
  AlignedBuffer bytes(out / lanes * panel_bytes(precision, in));
  for (std::size_t p = 0; p < out / lanes; ++p) {
    unsigned char* panel = bytes.data() + p * panel_bytes(precision, in);
    auto floats = numbers.row(precision == Precision::fp32 ? lanes * (1 + in) : 2 * lanes, kind);
    std::memcpy(panel, floats.data(), floats.size() * sizeof(float));
    if (precision == Precision::fp32)
      continue;
    std::int32_t sums[lanes] = {};
    for (std::size_t i = 0; i < in * lanes; ++i) {
      const int w = static_cast<int>(numbers.below(2 * static_cast<std::size_t>(largest) + 1)) - largest;
      panel[panel_header_bytes(precision) + i] = static_cast<unsigned char>(w);
      sums[i / 4 % lanes] += w;
    }
    std::memcpy(panel + 2 * lanes * sizeof(float), sums, sizeof sums);
  }
  return bytes;
}

struct Shape {
  std::size_t rows, in, out;
};
constexpr Shape shapes[] = {{1, 16, 16},  {2, 48, 32},  {3, 256, 80}, {5, 272, 64},
                            {6, 64, 144}, {13, 80, 48}, {7, 1040, 16}};
constexpr Epilogue epilogues[] = {Epilogue::none, Epilogue::gelu, Epilogue::relu, Epilogue::tanh};

void linear_fp32(const Kernels& kernels, Outputs& outputs) {
  Numbers numbers;
  for (const Shape& shape : shapes)
    for (const Kind kind : kinds) {
      const AlignedBuffer panels =
          random_panels(numbers, Precision::fp32, shape.out, shape.in, kind == Kind::special ? Kind::ordinary : kind);
      const PackedLinear weights{Precision::fp32, shape.out, shape.in, panels.data()};
      const auto x = numbers.row(shape.rows * shape.in, kind);
      for (const Epilogue epilogue : epilogues) {
        std::vector<float> y(shape.rows * shape.out);
        kernels.linear_fp32({x.data(), shape.in, shape.rows, nullptr, weights, 0, weights.panel_count(), epilogue,
                             y.data(), shape.out});
        outputs.add(y);
      }
    }
}

template <int largest> void linear_int8(const Kernels& kernels, Outputs& outputs) {
  Numbers numbers;
  for (const Shape& shape : shapes)
    for (const Kind kind : kinds) {
      const AlignedBuffer panels =
          random_panels(numbers, Precision::int8, shape.out, shape.in, Kind::ordinary, largest);
      const PackedLinear weights{Precision::int8, shape.out, shape.in, panels.data()};
      const auto x = numbers.row(shape.rows * shape.in, kind);
      std::vector<std::byte> q(x.size() * kernels.quantized_bytes);
      std::vector<Quantization> rows(shape.rows);
      for (std::size_t r = 0; r < shape.rows; ++r) {
        rows[r] = kernels.quantize(&x[r * shape.in], nullptr, shape.in, &q[r * shape.in * kernels.quantized_bytes]);
        outputs.add(rows[r].scale);
      }
      for (const Epilogue epilogue : epilogues) {
        std::vector<float> y(shape.rows * shape.out);
        kernels.linear_int8({q.data(), shape.in, shape.rows, rows.data(), weights, 0, weights.panel_count(), epilogue,
                             y.data(), shape.out});
        outputs.add(y);
      }
    }
}

void linear_transposed(const Kernels& kernels, Outputs& outputs) {
  Numbers numbers;
  for (const Shape& shape : shapes)
    for (const Kind kind : kinds)
      for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
        AlignedBuffer panels = random_panels(numbers, precision, shape.out, shape.in, Kind::ordinary);
        if (precision == Precision::bf16) { // bytes at random would be any number at all
          const auto w = numbers.row(shape.out * shape.in, Kind::ordinary);
          const std::size_t bytes = panel_bytes(precision, shape.in);
          for (std::size_t p = 0; p < shape.out / lanes; ++p)
            kernels.round_to_bf16(&w[p * lanes * shape.in], lanes * shape.in,
                                  reinterpret_cast<std::uint16_t*>(panels.data() + p * bytes + lanes * sizeof(float)));
        }
        const PackedLinear weights{precision, shape.out, shape.in, panels.data()};
        const auto x = numbers.row(shape.rows * shape.out, kind);
        std::vector<float> y(shape.rows * shape.in), scratch(transposed_scratch(weights.panel_count()));
        kernels.linear_transposed(
            {x.data(), shape.out, shape.rows, weights, 0, weights.panel_count(), scratch.data(), y.data(), shape.in});
        outputs.add(y);
      }
}

template <void (*Kernels::*attention)(const AttentionCall&)> void attend(const Kernels& kernels, Outputs& outputs) {
  Numbers numbers;
  for (const std::size_t length : {1u, 2u, 5u, 16u, 17u, 33u, 70u, 100u})
    for (const std::size_t head_dim : {16u, 48u, 64u, 96u})
      for (const Kind kind : kinds) {
        const std::size_t stride = 3 * head_dim + 16;
        const auto qkv = numbers.row(length * stride, kind);
        std::vector<float> scratch(attention_scratch(length, head_dim)), context(length * head_dim);
        (kernels.*attention)({qkv.data(), stride, length, qkv.data() + head_dim, qkv.data() + 2 * head_dim, length,
                              stride, head_dim, scratch.data(), context.data(), head_dim});
        outputs.add(context);
      }
}

void layer_norm(const Kernels& kernels, Outputs& outputs) {
  Numbers numbers;
  for (const std::size_t dim : {1u, 15u, 16u, 17u, 100u, 384u, 769u})
    for (const Kind kind : kinds)
      for (const bool with_residual : {false, true}) {
        const std::size_t columns = padded(dim), rows = 7; // four, and three one by one
        auto x = numbers.row(rows * columns, kind), residual = numbers.row(rows * columns, kind);
        auto weight = numbers.row(columns, Kind::ordinary), bias = numbers.row(columns, Kind::ordinary);
        for (std::size_t c = dim; c < columns; ++c) {
          weight[c] = bias[c] = 0;
          for (std::size_t r = 0; r < rows; ++r)
            x[r * columns + c] = residual[r * columns + c] = 0;
        }
        std::vector<float> y(rows * columns);
        kernels.layer_norm({x.data(),
                            with_residual ? residual.data() : nullptr,
                            columns,
                            rows,
                            {dim, weight.data(), bias.data()},
                            1e-12f,
                            y.data()});
        outputs.add(y);
      }
}

void embed(const Kernels& kernels, Outputs& outputs) {
  Numbers numbers;
  const std::size_t rows = 9, dim = 48, count = 4;
  for (const Kind kind : kinds) {
    const auto table = numbers.row(rows * dim, kind), scale = numbers.row(rows, kind);
    std::vector<std::uint16_t> half(rows * dim);
    kernels.round_to_bf16(table.data(), table.size(), half.data());
    std::vector<std::int8_t> byte(rows * dim);
    for (std::int8_t& b : byte)
      b = static_cast<std::int8_t>(static_cast<int>(numbers.below(255)) - 127);
    const PackedEmbedding as[] = {{Precision::fp32, rows, dim, table.data(), nullptr},
                                  {Precision::bf16, rows, dim, half.data(), nullptr},
                                  {Precision::int8, rows, dim, byte.data(), scale.data()}};
    const std::int32_t ids[count] = {8, 0, 3, 3};
    for (const PackedEmbedding& words : as)
      for (const PackedEmbedding& positions : as) {
        std::vector<float> y(count * dim);
        kernels.embed({ids, count, 5, words, positions, y.data(), dim});
        outputs.add(y);
      }
  }
}

void softmax(const Kernels& kernels, Outputs& outputs) {
  Numbers numbers;
  for (const Kind kind : kinds)
    for (std::size_t count = 1; count < 100; ++count) {
      auto x = numbers.row(padded(count), kind);
      for (float& value : x)
        value *= 16.0f;
      kernels.softmax(x.data(), count);
      x.resize(count);
      outputs.add(x);
    }
}

void sigmoid(const Kernels& kernels, Outputs& outputs) {
  Numbers numbers;
  for (const Kind kind : kinds) {
    auto x = numbers.row(4096, kind);
    for (float& value : x)
      value *= 24.0f;
    kernels.sigmoid(x.data(), x.size());
    outputs.add(x);
  }
}

void round_to_bf16(const Kernels& kernels, Outputs& outputs) {
  Numbers numbers;
  for (const Kind kind : kinds) {
    const auto x = numbers.row(4096, kind);
    std::vector<std::uint16_t> y(x.size());
    kernels.round_to_bf16(x.data(), x.size(), y.data());
    outputs.add(y);
  }
}

struct Operation {
  const char* name;
  void (*run)(const Kernels&, Outputs&);
  std::uint64_t hash; // of its outputs, on every CPU; it changes only with its inputs and the order of the arithmetic
  int sum_bits = 32;  // that its int8 weights need
};
constexpr Operation operations[] = {
    {"linear_fp32", linear_fp32, 0x279ccb5d61cf7a33},
    {"linear_int8", linear_int8<127>, 0xde12267263a2f31a},
    {"linear_int8, sums of 16 bits", linear_int8<32>, 0xcbcfc7e5bb5fa347, 16},
    {"linear_transposed", linear_transposed, 0x32a8ee3e3adfd617},
    {"attention", attend<&Kernels::attention>, 0x290efff4c00bee6e},
    {"attention_int8", attend<&Kernels::attention_int8>, 0xd0c35f276926f526},
    {"layer_norm", layer_norm, 0xaeea3587e768228c},
    {"embed", embed, 0x15a474cf04364483},
    {"softmax", softmax, 0xf8d57d25d557ba6d},
    {"sigmoid", sigmoid, 0x7d0e3227d9eae5f8},
    {"round_to_bf16", round_to_bf16, 0xec74eeef52be4ecf},
};

} // namespace

TEST_CASE("all levels but the portable one write the same bits, on every CPU") {
  std::vector<std::string> levels;
  for (const std::string_view isa : available_isas())
    if (isa != "portable")
      levels.emplace_back(isa);
  for (const Operation& operation : operations) {
    CAPTURE(std::string(operation.name));
    Outputs first;
    for (const std::string& level : levels) {
      CAPTURE(level);
      Outputs outputs;
      operation.run(detail::find_level(level).for_sums(operation.sum_bits), outputs);
      if (level == levels.front())
        first = outputs;
      REQUIRE(outputs.words().size() == first.words().size());
      std::size_t same = 0; // outputs until the first that differs
      while (same < first.words().size() && outputs.words()[same] == first.words()[same])
        ++same;
      CHECK(same == first.words().size());
      CHECK(outputs.hash() == operation.hash);
    }
  }
  std::string names;
  for (const std::string& level : levels)
    names += " " + level;
  MESSAGE("levels compared:", names);
}
