#include <common/format.hpp>

#include <doctest/doctest.h>

#include <cstdint>

TEST_CASE("digits are grouped by three") {
  CHECK(cli::grouped(0) == "0");
  CHECK(cli::grouped(999) == "999");
  CHECK(cli::grouped(1000) == "1,000");
  CHECK(cli::grouped(1234567) == "1,234,567");
  CHECK(cli::grouped(UINT64_MAX) == "18,446,744,073,709,551,615");
}

TEST_CASE("a rate is per second") {
  CHECK(cli::rate(5000, 2) == "2,500/s");
  CHECK(cli::rate(7, 0) == "7/s");
}

TEST_CASE("times read as on a clock") {
  CHECK(cli::clock_time(0) == "0:00");
  CHECK(cli::clock_time(-1) == "0:00");
  CHECK(cli::clock_time(7.4) == "0:07");
  CHECK(cli::clock_time(59.6) == "1:00");
  CHECK(cli::clock_time(750) == "12:30");
  CHECK(cli::clock_time(11100) == "3:05:00");
}

TEST_CASE("decimals are fixed") {
  CHECK(cli::fixed(0.98765, 2) == "0.99");
  CHECK(cli::fixed(12, 0) == "12");
  CHECK(cli::fixed(-0.5, 4) == "-0.5000");
}
