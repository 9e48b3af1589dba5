#include <distilbert/quote.hpp>

#include <doctest/doctest.h>

using distilbert::detail::quote;

TEST_CASE("printable ASCII stays as it is") {
  CHECK(quote("transformer.layer.0") == "\"transformer.layer.0\"");
  CHECK(quote("") == "\"\"");
}

TEST_CASE("everything else is escaped, so that a message stays on its line") {
  CHECK(quote("a\"b\\c") == R"("a\"b\\c")");
  CHECK(quote("\n\x1b[31m\x7f") == R"("\x0a\x1b[31m\x7f")");
  CHECK(quote(std::string_view("\0", 1)) == R"("\x00")");
  CHECK(quote("\xc3\xa9") == R"("\xc3\xa9")");
}

TEST_CASE("long text is cut and says how long it was") {
  CHECK(quote("abcd", 4) == "\"abcd\"");
  CHECK(quote("abcde", 4) == "\"abcd\"... (5 bytes)");
  CHECK(quote(std::string(1'000'000, 'n')).size() < 120);
}
