#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

#include <distilbert/kernels/dispatch.hpp>

using namespace distilbert;

TEST_CASE("every offered level can be forced and says its name") {
  REQUIRE(!available_isas().empty());
  CHECK(available_isas().back() == "portable");
  for (const auto name : available_isas()) {
    set_isa(name);
    CHECK(isa() == name);
  }
}

TEST_CASE("an unknown level is an error that lists what there is, and changes nothing") {
  set_isa("portable");
  for (const char* name : {"", "Portable", "sse9", "portable "}) {
    try {
      set_isa(name);
      FAIL("accepted ", name);
    } catch (const Error& e) {
      CHECK(e.code() == ErrorCode::unsupported_isa);
      CHECK(std::string(e.what()).find("portable") != std::string::npos);
    }
  }
  CHECK(isa() == "portable");
}

namespace {

/// The level that this CPU is given: the first of those it has that pays.
std::string_view first_choice() {
  for (const detail::Level& level : detail::levels())
    if (level.supported() && level.pays())
      return level.kernels->isa;
  return {};
}

} // namespace

TEST_CASE("DISTILBERT_ISA names the first level") {
  setenv("DISTILBERT_ISA", "portable", 1);
  CHECK(detail::best_level().kernels->isa == "portable");
  setenv("DISTILBERT_ISA", "no-such-level", 1);
  CHECK_THROWS_AS(detail::best_level(), Error);
  setenv("DISTILBERT_ISA", "", 1);
  CHECK(detail::best_level().kernels->isa == first_choice());
  unsetenv("DISTILBERT_ISA");
  CHECK(detail::best_level().kernels->isa == first_choice());
}

TEST_CASE("all operations of a level are there") {
  for (const auto name : available_isas())
    for (const int sum_bits : {32, 16}) {
      const Kernels& k = detail::find_level(name).for_sums(sum_bits);
      CHECK(k.isa == name);
      CHECK((k.linear_fp32 && k.linear_bf16 && k.linear_int8 && k.linear_transposed && k.round_to_bf16 && k.quantize &&
             k.quantized_bytes && k.attention && k.attention_bf16 && k.attention_int8 && k.layer_norm && k.embed &&
             k.softmax && k.sigmoid));
    }
}
