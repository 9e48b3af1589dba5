#include <distilbert/weights/widen.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace distilbert;

TEST_CASE("all 65,536 values of F16 are those of IEEE 754") {
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const int exponent = bits >> 10 & 31;
    const auto fraction = static_cast<float>(bits & 1023);
    const float value = detail::f16_to_float(static_cast<std::uint16_t>(bits));
    const float size = exponent == 0    ? std::ldexp(fraction, -24)
                       : exponent == 31 ? std::numeric_limits<float>::infinity()
                                        : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31 && fraction != 0)
      wrong += !std::isnan(value) ||
               std::bit_cast<std::uint32_t>(value) != ((bits & 0x8000) << 16 | 0x7f800000 | (bits & 1023) << 13);
    else
      wrong += value != (bits & 0x8000 ? -size : size) || std::signbit(value) != (bits >> 15 != 0);
  }
  CHECK(wrong == 0);
}

TEST_CASE("all 65,536 values of BF16 are the floats with those upper bits") {
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits)
    wrong += std::bit_cast<std::uint32_t>(bf16_to_float(static_cast<std::uint16_t>(bits))) != bits << 16;
  CHECK(wrong == 0);
}

TEST_CASE("tensors of each type are read from any address") {
  const std::vector<float> values = {0.0f, -1.5f, 65504.0f, 0.0078125f};
  const std::pair<Dtype, std::string> cases[] = {
      {Dtype::f32, support::bytes_of(values)},
      {Dtype::f16, support::bytes_of(std::vector<std::uint16_t>{0x0000, 0xbe00, 0x7bff, 0x2000})},
      {Dtype::bf16, support::bytes_of(std::vector<std::uint16_t>{0x0000, 0xbfc0, 0x4780, 0x3c00})},
  };
  for (const auto& [dtype, stored] : cases)
    for (std::size_t shift = 0; shift < 4; ++shift) {
      const std::string memory = std::string(shift, 'x') + stored;
      const TensorView tensor{"t", dtype, {4}, support::bytes(memory) + shift, stored.size()};
      const std::vector<float> read = detail::to_floats(tensor);
      REQUIRE(read.size() == 4);
      CHECK(read[0] == values[0]);
      CHECK(read[1] == values[1]);
      CHECK(read[2] == (dtype == Dtype::bf16 ? 65536.0f : values[2])); // the nearest that bf16 has
      CHECK(read[3] == values[3]);
    }
}
