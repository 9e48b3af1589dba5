#pragma once
// One phase of a conversion: its progress bar, and the point where an interruption takes hold.

#include "../examples/common/progress_bar.hpp"
#include "interruption.hpp"

#include <cstddef>
#include <string_view>

namespace convert {

/// Counts bytes. The bar is drawn on standard error if that is a terminal.
class Progress {
public:
  Progress(std::string_view what, std::size_t total) : bar_(cli::terminal_at(STDERR_FILENO).interactive, what, total) {}

  /// Throws Interrupted if the conversion is to stop.
  void operator()(std::size_t done) {
    stop_if_interrupted();
    bar_.update(done / 1'000'000, done);
  }

private:
  cli::ProgressBar bar_;
};

} // namespace convert
