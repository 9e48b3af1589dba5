#include <common/display_width.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace {
cli::Cell fit(std::string_view text, std::size_t limit) { return cli::fit_columns(text, limit, "\u2026", 1); }
} // namespace

TEST_CASE("columns of a code point") {
  CHECK(cli::columns_of('a') == 1);
  CHECK(cli::columns_of(0xE9) == 1);     // e acute
  CHECK(cli::columns_of(0x301) == 0);    // combining acute
  CHECK(cli::columns_of(0x200D) == 0);   // zero width joiner
  CHECK(cli::columns_of(0x1100) == 2);   // Hangul choseong
  CHECK(cli::columns_of(0x4E2D) == 2);   // CJK
  CHECK(cli::columns_of(0xFF21) == 2);   // full-width A
  CHECK(cli::columns_of(0xFF71) == 1);   // half-width katakana
  CHECK(cli::columns_of(0x1F389) == 2);  // party popper
  CHECK(cli::columns_of(0x2588) == 1);   // full block
  CHECK(cli::columns_of(0x10FFFF) == 1); // behind the last range
}

TEST_CASE("what fits stays as it is") {
  CHECK(fit("", 5).text.empty());
  CHECK(fit("hello", 5).text == "hello");
  CHECK(fit("hello", 5).columns == 5);
  CHECK(fit("\u4E2D\u6587", 4).text == "\u4E2D\u6587");
  CHECK(fit("\u4E2D\u6587", 4).columns == 4);
  CHECK(fit("cafe\u0301", 4).columns == 4);
  CHECK(fit("cafe\u0301", 4).text == "cafe\u0301");
}

TEST_CASE("what does not fit ends in an ellipsis") {
  CHECK(fit("hello!", 5).text == "hell\u2026");
  CHECK(fit("hello!", 5).columns == 5);
  // two columns cannot be halved: one stays empty
  CHECK(fit("\u4E2D\u6587\u5B57", 4).text == "\u4E2D\u2026");
  CHECK(fit("\u4E2D\u6587\u5B57", 4).columns == 3);
  CHECK(fit("cafe\u0301 noir", 5).text == "cafe\u0301\u2026");
  CHECK(cli::fit_columns("hello there", 8, "...", 3).text == "hello...");
  CHECK(cli::fit_columns("hello there", 2, "...", 3).text == "..");
  CHECK(fit("x", 0).columns == 0);
}

TEST_CASE("no text can steer the terminal") {
  CHECK(fit("a\x1b[31mb", 20).text == "a [31mb");
  CHECK(fit("a\tb\r\nc", 20).text == "a b  c");
  CHECK(fit({"a\0b", 3}, 20).text == "a b");
  CHECK(fit("a\u009Bb\u0085c\u2028d", 20).text == "a b c d");
  CHECK(fit("a\u202Eb\u2066c\u200Fd", 20).text == "abcd");
  CHECK(fit("a\xFF\xE2\x82", 20).text == "a\uFFFD\uFFFD");
}

TEST_CASE("piled-up marks are thinned out") {
  std::string zalgo = "z";
  for (int i = 0; i < 1000; ++i)
    zalgo += "\u0301";
  const cli::Cell cell = fit(zalgo + "!", 20);
  CHECK(cell.columns == 2);
  CHECK(cell.text.size() == 1 + 8 * 2 + 1);
}
