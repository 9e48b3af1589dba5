#pragma once
// A progress bar on standard error: how many items are done, how fast, and, where the end is known, how long it takes.

#include "bar.hpp"
#include "format.hpp"
#include "terminal.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include <unistd.h>

namespace cli {

/// Draws nothing in the first moment, so that short work leaves no flicker, and then ten times a second at most.
class ProgressBar {
public:
  /// noun: what is counted ("lines"). total: the amount of work in the unit of update()'s second argument; 0: unknown.
  ProgressBar(bool enabled, std::string_view noun, std::uint64_t total)
      : enabled_(enabled), noun_(noun), total_(total), terminal_(terminal_at(STDERR_FILENO)), start_(Clock::now()),
        next_draw_(start_ + std::chrono::milliseconds(200)) {}
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }

  void update(std::uint64_t items, std::uint64_t work_done) {
    const auto now = Clock::now();
    if (!enabled_ || now < next_draw_)
      return;
    next_draw_ = now + std::chrono::milliseconds(100);
    draw(items, work_done, std::chrono::duration<double>(now - start_).count());
  }

  /// Takes the bar off the screen: before a message, and at the end.
  void clear() {
    if (drawn_)
      std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }

private:
  using Clock = std::chrono::steady_clock;

  void draw(std::uint64_t items, std::uint64_t work_done, double seconds) {
    std::string row = '\r' + grouped(items) + ' ' + noun_ + "  " + rate(items, seconds);
    if (total_ > 0 && work_done > 0) {
      const double fraction = std::min(1.0, static_cast<double>(work_done) / static_cast<double>(total_));
      constexpr std::size_t numbers_columns = 55, widest_bar = 30;
      if (terminal_.columns > numbers_columns) {
        const std::size_t columns = std::min(terminal_.columns - numbers_columns, widest_bar);
        row += "  [";
        row.append(columns - append_bar(row, fraction, columns, terminal_.utf8), ' ');
        row += ']';
      }
      row += "  " + std::to_string(static_cast<int>(fraction * 100)) + " %  ";
      row += clock_time(seconds / fraction - seconds) + " left";
    }
    row += "\033[K";
    std::fputs(row.c_str(), stderr);
    drawn_ = true;
  }

  bool enabled_;
  std::string noun_;
  std::uint64_t total_;
  Terminal terminal_;
  Clock::time_point start_, next_draw_;
  bool drawn_ = false;
};

} // namespace cli
