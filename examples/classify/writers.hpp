#pragma once
// The form of the output: the writer that belongs to the options.

#include "line_writers.hpp"
#include "options.hpp"
#include "table.hpp"

#include "../common/terminal.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

/// Appends the output for some lines; they come in order.
using Writer = std::function<void(std::string& out, const std::vector<Line>&, const std::vector<Answer>&)>;

/// labels: the model's, by id; Form::ids has none
inline Writer make_writer(const Options& options, const std::vector<std::string>& labels) {
  const auto one_by_one = [](auto write) -> Writer {
    return [write](std::string& out, const std::vector<Line>& lines, const std::vector<Answer>& answers) {
      for (std::size_t i = 0; i < lines.size(); ++i)
        write(out, lines[i], answers[i]);
    };
  };
  switch (options.form) {
  case Form::json:
    return one_by_one([labels, options](std::string& out, const Line& line, const Answer& answer) {
      write_json(out, line, answer, labels, options.top_k, options.logits);
    });
  case Form::logits:
    return one_by_one([](std::string& out, const Line&, const Answer& answer) { write_logits(out, answer); });
  case Form::ids:
    return one_by_one([](std::string& out, const Line&, const Answer& answer) { write_ids(out, answer); });
  case Form::table: break;
  }
  const auto table = std::make_shared<Table>(cli::terminal_at(STDOUT_FILENO), labels, options.top_k);
  return [table](std::string& out, const std::vector<Line>& lines, const std::vector<Answer>& answers) {
    table->write(out, lines, answers);
  };
}
