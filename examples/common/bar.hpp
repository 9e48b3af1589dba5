#pragma once
// A horizontal bar for a fraction, fine to an eighth of a column where the locale can show it.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

namespace cli {

/// Appends a bar that fills `fraction` (kept within 0 to 1) of `columns`, without padding, and returns the columns it
/// took. A fraction above zero always shows.
inline std::size_t append_bar(std::string& out, double fraction, std::size_t columns, bool utf8) {
  static constexpr const char* eighths[] = {"\u258F", "\u258E", "\u258D", "\u258C", "\u258B", "\u258A", "\u2589"};
  const double steps = static_cast<double>(columns) * (utf8 ? 8 : 1);
  const double filled = std::clamp(fraction, 0.0, 1.0) * steps;
  const auto units = static_cast<std::size_t>(filled > 0 ? std::max(1.0, std::round(filled)) : 0);
  const std::size_t whole = utf8 ? units / 8 : units;
  const std::size_t rest = utf8 ? units % 8 : 0;
  for (std::size_t i = 0; i < whole; ++i)
    out += utf8 ? "\u2588" : "#";
  if (rest > 0)
    out += eighths[rest - 1];
  return whole + (rest > 0 ? 1 : 0);
}

} // namespace cli
