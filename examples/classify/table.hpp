#pragma once
// Output for people: text, label, score as a number and as a bar, aligned for the width of the terminal.

#include "../common/bar.hpp"
#include "../common/display_width.hpp"
#include "../common/format.hpp"
#include "../common/terminal.hpp"
#include "answers.hpp"
#include "ranking.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

class Table {
public:
  /// top_k: labels to show for each text, each on a row of its own
  Table(const cli::Terminal& terminal, const std::vector<std::string>& labels, std::size_t top_k)
      : terminal_(terminal), labels_(labels), top_k_(std::max<std::size_t>(top_k, 1)) {}

  /// Appends the rows of these lines; before the first ones, whose texts decide the width of their column, the head.
  void write(std::string& out, const std::vector<Line>& lines, const std::vector<Answer>& answers) {
    if (text_columns_ == 0) {
      lay_out(lines, answers);
      write_head(out);
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (answers[i].error.empty())
        write_rows(out, lines[i], answers[i].classification);
      else
        write_unread(out, lines[i]);
    }
  }

private:
  static constexpr std::size_t widest_table = 120;
  static constexpr std::size_t narrowest_text = 12; // of a narrow terminal
  static constexpr std::size_t usual_text = 32;     // at least, for texts to come may be longer than the first ones
  static constexpr std::size_t widest_label = 24;
  static constexpr std::size_t widest_bar = 20;
  static constexpr std::string_view margin = "  ";
  static constexpr std::string_view gap = "   ";

  enum Colour { dim = 2, red = 31, green = 32, yellow = 33, cyan = 36 };

  /// Labels and scores get what they need; text and bar share what is left.
  void lay_out(const std::vector<Line>& lines, const std::vector<Answer>& answers) {
    label_columns_ = std::string_view("label").size();
    for (const std::string& label : labels_)
      label_columns_ = std::max(label_columns_, cell(label, widest_label).columns);
    for (const Answer& answer : answers)
      for (const float score : answer.classification.scores)
        score_columns_ = std::max(score_columns_, number(score).size());
    const std::size_t taken = 2 * margin.size() + 3 * gap.size() + label_columns_ + score_columns_;
    const std::size_t width = std::min(terminal_.columns, widest_table);
    const std::size_t left = width > taken ? width - taken : 0;
    bar_columns_ = std::min(left / 3, widest_bar);
    const std::size_t most = std::max(left - bar_columns_, narrowest_text);
    text_columns_ = std::min(usual_text, most);
    for (const Line& line : lines)
      text_columns_ = std::max(text_columns_, cell(line.text, most).columns);
  }

  void write_head(std::string& out) const {
    out += '\n';
    out += margin;
    std::string head = "text" + std::string(text_columns_ - 4, ' ');
    head += gap;
    head += "label" + std::string(label_columns_ - 5, ' ');
    head += gap;
    head += "score";
    append_painted(out, head, dim);
    out += '\n';
  }

  void write_rows(std::string& out, const Line& line, const distilbert::Classification& answer) const {
    std::string_view text = line.text;
    for (const std::size_t id : best_labels(answer.scores, top_k_)) {
      write_text(out, text);
      text = {}; // further labels stand under the first one
      const cli::Cell label = cell(labels_[id], label_columns_);
      append_painted(out, label.text, colour_of(labels_[id]));
      out.append(label_columns_ - label.columns, ' ');
      out += gap;
      const std::string digits = number(answer.scores[id]);
      out.append(score_columns_ - std::min(digits.size(), score_columns_), ' ');
      out += digits + "  ";
      std::string bar;
      cli::append_bar(bar, static_cast<double>(answer.scores[id]), bar_columns_, terminal_.utf8);
      append_painted(out, bar, colour_of(labels_[id]));
      out += '\n';
    }
    if (answer.truncated) {
      out += margin;
      out += terminal_.utf8 ? "\u2514 " : "` ";
      append_painted(out, "only the first " + std::to_string(answer.token_count) + " tokens were read", dim);
      out += '\n';
    }
  }

  /// Marks a text that could not be read; why, is said on standard error.
  void write_unread(std::string& out, const Line& line) const {
    write_text(out, line.text);
    append_painted(out, "-", red);
    out += '\n';
  }

  /// Margin, text, and the gap behind it. Terminals disagree on the width of joined emoji and the like, so behind other
  /// text than ASCII they are told the column.
  void write_text(std::string& out, std::string_view text) const {
    const cli::Cell shown = cell(text, text_columns_);
    out += margin;
    out += shown.text;
    out.append(text_columns_ - shown.columns, ' ');
    if (terminal_.interactive && shown.text.size() != shown.columns)
      out += "\033[" + std::to_string(margin.size() + text_columns_ + 1) + 'G';
    out += gap;
  }

  cli::Cell cell(std::string_view text, std::size_t columns) const {
    return terminal_.utf8 ? cli::fit_columns(text, columns, "\u2026", 1) : cli::fit_columns(text, columns, "...", 3);
  }

  void append_painted(std::string& out, std::string_view text, Colour colour) const {
    if (terminal_.colour)
      out += "\033[" + std::to_string(colour) + 'm';
    out += text;
    if (terminal_.colour)
      out += "\033[0m";
  }

  static Colour colour_of(std::string_view label) {
    static constexpr std::pair<std::string_view, Colour> known[] = {
        {"POSITIVE", green}, {"NEGATIVE", red}, {"NEUTRAL", yellow}};
    const auto same_letters = [&](const auto& entry) {
      return std::equal(label.begin(), label.end(), entry.first.begin(), entry.first.end(),
                        [](char a, char b) { return (a & ~0x20) == b; });
    };
    const auto found = std::find_if(std::begin(known), std::end(known), same_letters);
    return found == std::end(known) ? cyan : found->second;
  }

  static std::string number(float score) { return cli::fixed(static_cast<double>(score), 4); }

  cli::Terminal terminal_;
  std::vector<std::string> labels_;
  std::size_t top_k_;
  std::size_t text_columns_ = 0; // 0: nothing has been written yet
  std::size_t label_columns_ = 0;
  std::size_t score_columns_ = 0;
  std::size_t bar_columns_ = 0;
};
