#include <distilbert/error.hpp>

#include <set>
#include <string>

#include <doctest/doctest.h>

using namespace distilbert;

TEST_CASE("every code has a sentence of its own") {
  std::set<std::string> sentences;
  const int last = static_cast<int>(ErrorCode::non_finite_result);
  for (int code = 0; code <= last; ++code)
    sentences.insert(describe(static_cast<ErrorCode>(code)));
  CHECK(sentences.size() == static_cast<std::size_t>(last) + 1);
  CHECK(sentences.count("unknown error") == 0);
}

TEST_CASE("what() is the sentence, and the detail if there is one") {
  CHECK(std::string(Error(ErrorCode::file_not_found, "").what()) == "the file does not exist");
  CHECK(std::string(Error(ErrorCode::file_not_found, "x").what()) == "the file does not exist: x");
}

TEST_CASE("rethrow_within leads the detail and keeps the code") {
  for (const auto& [detail, expected] : {std::pair("offset 3", "path: offset 3"), {"", "path"}}) {
    try {
      rethrow_within("path", Error(ErrorCode::invalid_offset, detail));
      FAIL("returned");
    } catch (const Error& e) {
      CHECK(e.code() == ErrorCode::invalid_offset);
      CHECK(std::string(e.what()) == describe(ErrorCode::invalid_offset) + (": " + std::string(expected)));
    }
  }
}
