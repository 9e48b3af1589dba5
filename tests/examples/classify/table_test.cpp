#include <classify/table.hpp>

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr cli::Terminal plain{false, false, true, 80};

Answer answer(std::vector<float> scores, bool truncated = false) {
  Answer result;
  result.classification.scores = std::move(scores);
  result.classification.token_count = 512;
  result.classification.truncated = truncated;
  return result;
}

std::vector<std::string> rows(const cli::Terminal& terminal, const std::vector<std::string>& labels, std::size_t top_k,
                              const std::vector<Line>& lines, const std::vector<Answer>& answers) {
  Table table(terminal, labels, top_k);
  std::string out;
  table.write(out, lines, answers);
  std::vector<std::string> result;
  std::istringstream stream(out);
  for (std::string row; std::getline(stream, row);)
    result.push_back(row);
  return result;
}

/// Column at which a part of a row begins.
std::size_t column_of(const std::string& row, std::string_view part) {
  const std::size_t at = row.find(part);
  REQUIRE(at != row.npos);
  return cli::fit_columns(std::string_view(row).substr(0, at), 1000, "", 0).columns;
}

} // namespace

TEST_CASE("labels and scores stand in columns, whatever the script of the text") {
  const std::vector<Line> lines{
      {1, "short"},
      {2, "\u4E2D\u6587\u5B57"},
      {3, "cafe\u0301 \U0001F389"},
      {4, "a long text that will not fit into what eighty columns leave to it"},
      {5, "\u4E2D\u6587\u5B57\u4E2D\u6587\u5B57\u4E2D\u6587\u5B57\u4E2D\u6587\u5B57\u4E2D\u6587\u5B57"
          "\u4E2D\u6587\u5B57\u4E2D\u6587\u5B57\u4E2D\u6587\u5B57\u4E2D\u6587\u5B57"}};
  const std::vector<Answer> answers(5, answer({0.25f, 0.75f}));
  const auto table = rows(plain, {"NO", "YES"}, 1, lines, answers);
  REQUIRE(table.size() == 7);
  CHECK(table[0].empty());
  const std::size_t label = column_of(table[1], "label"), score = column_of(table[1], "score");
  for (std::size_t i = 2; i < table.size(); ++i) {
    CHECK(column_of(table[i], "YES") == label);
    CHECK(column_of(table[i], "0.7500") == score);
    CHECK(cli::fit_columns(table[i], 1000, "", 0).columns <= 80);
  }
  CHECK(table[5].find("\u2026") != std::string::npos);
  CHECK(table[2].find("\u2588") != std::string::npos);
}

TEST_CASE("further labels stand on rows of their own, best first") {
  const auto table = rows(plain, {"a", "b", "c"}, 2, {{1, "text"}}, {answer({0.2f, 0.1f, 0.7f})});
  REQUIRE(table.size() == 4);
  CHECK(table[2].find("text") == 2);
  CHECK(table[2].find("c       0.7000") != std::string::npos);
  CHECK(table[3].find("text") == std::string::npos);
  CHECK(table[3].find("a       0.2000") == table[2].find("c       0.7000"));
}

TEST_CASE("a truncated text carries a note, one that cannot be read a mark") {
  Answer bad;
  bad.error = "the text is not valid UTF-8: byte 3";
  const auto table = rows(plain, {"a", "b"}, 1, {{1, "long"}, {2, "b\xFF"}}, {answer({0, 1}, true), bad});
  REQUIRE(table.size() == 5);
  CHECK(table[3].find("only the first 512 tokens were read") != std::string::npos);
  CHECK(table[4].find("b\uFFFD") == 2);
  CHECK(column_of(table[4], "-") == column_of(table[1], "label"));
}

TEST_CASE("colour only where it is wanted") {
  const auto with_colour = [](bool colour, const std::string& label) {
    cli::Terminal terminal{true, colour, true, 80};
    return rows(terminal, {label}, 1, {{1, "text"}}, {answer({1})})[2];
  };
  CHECK(with_colour(false, "POSITIVE").find("\033[") == std::string::npos);
  CHECK(with_colour(true, "POSITIVE").find("\033[32mPOSITIVE") != std::string::npos);
  CHECK(with_colour(true, "positive").find("\033[32mpositive") != std::string::npos);
  CHECK(with_colour(true, "NEGATIVE").find("\033[31mNEGATIVE") != std::string::npos);
  CHECK(with_colour(true, "toxic").find("\033[36mtoxic") != std::string::npos);
}

TEST_CASE("without UTF-8 there is only ASCII around the text") {
  cli::Terminal ascii{false, false, false, 80};
  const auto table = rows(ascii, {"a"}, 1, {{1, std::string(200, 'x')}}, {answer({1}, true)});
  for (const std::string& row : table)
    for (const char c : row)
      CHECK(static_cast<unsigned char>(c) < 0x80);
  CHECK(table[2].find("xxx...") != std::string::npos);
  CHECK(table[2].find("####") != std::string::npos);
}

TEST_CASE("scores that are no probabilities keep their column") {
  const auto table = rows(plain, {"stars"}, 1, {{1, "x"}, {2, "y"}}, {answer({-12.5f}), answer({3.25f})});
  CHECK(table[2].find("-12.5000") + 8 == table[3].find("3.2500") + 6);
}

TEST_CASE("a very narrow terminal and a very long label do no harm") {
  for (std::size_t columns = 1; columns < 40; ++columns) {
    const cli::Terminal narrow{false, false, true, columns};
    CHECK(rows(narrow, {std::string(300, 'L')}, 1, {{1, "some text"}}, {answer({0.5f}, true)}).size() == 4);
  }
}
