#include <common/command_line.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

TEST_CASE("arguments pass through CLI11 unchanged") {
  const char* const argv[] = {"program", "[SEP]", "[a,b]", "\x01x", "", "'q'", "{}", "a,b", "--", "-v"};
  CLI::App app;
  std::vector<std::string> texts;
  app.add_option("TEXT", texts);
  app.parse(cli::IntactArguments::reversed(10, argv));
  for (std::string& text : texts)
    cli::IntactArguments::restore(text);
  CHECK(texts == std::vector<std::string>{"[SEP]", "[a,b]", "\x01x", "", "'q'", "{}", "a,b", "-v"});
}

TEST_CASE("whole numbers: digits alone, within the range") {
  const CLI::Validator check = cli::whole_number(2, 1024);
  const auto accepted = [&](std::string text) { return check(text).empty(); };
  CHECK(accepted("2"));
  CHECK(accepted("1024"));
  for (const char* text : {"1", "1025", "-2", "+2", "2.0", " 2", "2 ", "0x10", "", "x", "18446744073709551618"})
    CHECK_MESSAGE(!accepted(text), text);
  std::string text = "7 apples";
  CHECK(check(text) == "\"7 apples\" is not a whole number from 2 to 1024");
}

TEST_CASE("help names the environment variable and none of CLI11's remarks") {
  CLI::App app("Does things.", "program");
  app.formatter(std::make_shared<cli::HelpFormatter>());
  int n = 0;
  bool other = false;
  auto* first =
      app.add_option("--number", n, "A number")->check(cli::whole_number(1, 9))->type_name("N")->envname("NUMBER");
  app.add_flag("--other", other, "Another")->excludes(first)->group("More");
  const std::string help = app.help();
  CHECK(help.find("--number N ") != help.npos);
  CHECK(help.find("(or set NUMBER)") != help.npos);
  CHECK(help.find("Excludes") == help.npos);
  CHECK(help.find("\n\n\n") == help.npos);
}
