#pragma once
// What the programs' command lines have in common, on top of CLI11: plain help, whole numbers, arguments left intact.

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cli {

/// Wrong usage that CLI11 itself cannot see.
struct UsageError : CLI::Error {
  explicit UsageError(std::string message) : Error("UsageError", std::move(message)) {}
};

/// Help without CLI11's remarks on types and exclusions; the environment variable of an option follows its description.
class HelpFormatter : public CLI::Formatter {
public:
  HelpFormatter() { column_width(32); }

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    return CLI::detail::find_and_replace(Formatter::make_help(app, std::move(name), mode), "\n\n\n", "\n\n");
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_name().empty() ? "" : ' ' + option->get_type_name();
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    const std::string& variable = option->get_envname();
    return option->get_description() + (variable.empty() ? "" : "\n(or set " + variable + ")");
  }
};

/// Accepts a whole number of this range, in digits alone.
inline CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
  const auto check = [=](const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool good = error == std::errc() && end == text.data() + text.size() && value >= least && value <= most;
    return good ? std::string()
                : '"' + text + "\" is not a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  };
  return CLI::Validator(check, "");
}

/// Arguments on their way through CLI11, which would take "[SEP]" for a list and apart: they travel behind a mark, and
/// so do those that begin with the mark themselves.
class IntactArguments {
public:
  /// argv as CLI11 wants it: without the program, last argument first.
  static std::vector<std::string> reversed(int argc, const char* const* argv) {
    std::vector<std::string> arguments;
    for (int i = argc - 1; i > 0; --i) {
      const std::string argument = argv[i];
      arguments.push_back(argument[0] == '[' || argument[0] == mark ? mark + argument : argument);
    }
    return arguments;
  }

  /// Takes the mark off a value that the user may begin as he likes.
  static void restore(std::string& value) {
    if (value[0] == mark)
      value.erase(0, 1);
  }

private:
  static constexpr char mark = '\x01';
};

} // namespace cli
