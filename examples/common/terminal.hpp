#pragma once
// What stands at the other end of a file descriptor: a terminal or not, how wide, and what it can show.

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cli {

struct Terminal {
  bool interactive = false; ///< a terminal that understands cursor movement
  bool colour = false;      ///< interactive, and the user has not set NO_COLOR (no-color.org)
  bool utf8 = false;        ///< the locale's character set is UTF-8
  std::size_t columns = 0;  ///< of the terminal; else $COLUMNS; else 100
};

namespace detail {
inline std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

/// Asks the environment as setlocale() would, without the cost of loading a locale.
inline bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string locale(environment(name));
    if (locale.empty())
      continue;
    std::transform(locale.begin(), locale.end(), locale.begin(), [](unsigned char c) { return std::tolower(c); });
    return locale.find("utf-8") != locale.npos || locale.find("utf8") != locale.npos;
  }
  return false;
}

inline std::size_t columns_of_terminal(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  const std::string_view text = environment("COLUMNS");
  std::size_t columns = 0;
  std::from_chars(text.data(), text.data() + text.size(), columns);
  return columns > 0 ? columns : 100;
}
} // namespace detail

inline Terminal terminal_at(int descriptor) {
  Terminal terminal;
  terminal.interactive = isatty(descriptor) == 1 && detail::environment("TERM") != "dumb";
  terminal.colour = terminal.interactive && detail::environment("NO_COLOR").empty();
  terminal.utf8 = detail::locale_is_utf8();
  terminal.columns = detail::columns_of_terminal(descriptor);
  return terminal;
}

/// Whether two descriptors lead to one terminal, as standard output and standard error do unless one is redirected.
inline bool same_terminal(int a, int b) {
  struct stat of_a {};
  struct stat of_b {};
  return isatty(a) == 1 && isatty(b) == 1 && fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 &&
         of_a.st_rdev == of_b.st_rdev;
}

} // namespace cli
