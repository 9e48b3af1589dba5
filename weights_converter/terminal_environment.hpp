#pragma once
// A conversion at a terminal: progress bars, signals as exceptions, and hashes by OpenSSL.

#include "../examples/common/progress_bar.hpp"
#include "../examples/common/sha256.hpp"
#include "environment.hpp"
#include "interruption.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace convert {

class TerminalEnvironment : public Environment {
public:
  /// Throws Interrupted if the conversion is to stop. The bar is drawn on standard error if that is a terminal.
  void progress(std::string_view phase, std::size_t done, std::size_t total) override {
    stop_if_interrupted();
    if (phase != phase_) {
      bar_.emplace(cli::terminal_at(STDERR_FILENO).interactive, "MB " + std::string(phase), total);
      phase_ = phase;
    }
    bar_->update(done / 1'000'000, done);
  }

  void hash(std::string_view part) override { hash_.update(part); }
  std::string sha256() override { return hash_.finish(); }

private:
  std::string phase_;
  std::optional<cli::ProgressBar> bar_;
  cli::Sha256 hash_;
};

} // namespace convert
