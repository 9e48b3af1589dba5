#include <doctest/doctest.h>

#include <optional>
#include <string>

#include <distilbert/text/decoder.hpp>

using distilbert::detail::decode_token;

TEST_CASE("tokens are joined by spaces, those with the prefix are glued") {
  CHECK(decode_token("un", true, "##", true) == "un");
  CHECK(decode_token("##aff", false, "##", true) == "aff");
  CHECK(decode_token("##aff", true, "##", true) == "##aff");
  CHECK(decode_token("film", false, "##", true) == " film");
  CHECK(decode_token("@@x", false, "@@", false) == "x");
}

TEST_CASE("cleanup takes back the spaces of one token at a time") {
  CHECK(decode_token(".", false, "##", true) == ".");
  CHECK(decode_token(".", false, "##", false) == " .");
  CHECK(decode_token("'s", false, "##", true) == "'s");
  CHECK(decode_token("'", false, "##", true) == " '"); // the space behind it would be another token's
  CHECK(decode_token("do not ,x ' y", false, "##", true) == " don't,x'y");
}

TEST_CASE("without a decoder tokens are just joined") {
  CHECK(decode_token("##aff", false, std::nullopt, true) == " ##aff");
  CHECK(decode_token(".", false, std::nullopt, true) == " .");
}
