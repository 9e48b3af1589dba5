#include <common/json_text.hpp>

#include <doctest/doctest.h>

#include <cfloat>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace {
std::string quoted(std::string_view text) {
  std::string out;
  cli::append_json_string(out, text);
  return out;
}

template <class Number> std::string number(Number x) {
  std::string out;
  cli::append_number(out, x);
  return out;
}
} // namespace

TEST_CASE("only what JSON forbids is escaped") {
  CHECK(quoted("") == R"("")");
  CHECK(quoted("plain / text") == R"("plain / text")");
  CHECK(quoted(R"(a "b" \c)") == R"("a \"b\" \\c")");
  CHECK(quoted("\b\f\n\r\t") == R"("\b\f\n\r\t")");
  CHECK(quoted({"\0\x01\x1f\x7f", 4}) == "\"\\u0000\\u0001\\u001f\x7f\"");
  CHECK(quoted("caf\u00E9 \u4E2D \U0001F389 \u2028") == "\"caf\u00E9 \u4E2D \U0001F389 \u2028\"");
}

TEST_CASE("the result is valid UTF-8: each maximal ill-formed part becomes one U+FFFD") {
  CHECK(quoted("a\xFF\xFE"
               "b") == "\"a\uFFFD\uFFFDb\"");
  CHECK(quoted("\xE2\x82") == "\"\uFFFD\"");
  CHECK(quoted("\xF0\x9F\x98z") == "\"\uFFFDz\"");
  CHECK(quoted("\xC0\xAF") == "\"\uFFFD\uFFFD\"");
  CHECK(quoted("\xED\xA0\x80") == "\"\uFFFD\uFFFD\uFFFD\"");
}

TEST_CASE("numbers are the shortest that read back") {
  CHECK(number(0.1f) == "0.1");
  CHECK(number(0.9998536f) == "0.9998536");
  CHECK(number(1.0f) == "1");
  CHECK(number(-2.5f) == "-2.5");
  CHECK(number(1e-7f) == "1e-07");
  CHECK(number(FLT_MAX) == "3.4028235e+38");
  CHECK(number(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
}

TEST_CASE("arrays") {
  std::string out;
  cli::append_json_array(out, std::vector<int>{});
  cli::append_json_array(out, std::vector<int>{7});
  cli::append_json_array(out, std::vector<float>{0.5f, -1});
  CHECK(out == "[][7][0.5,-1]");
}
