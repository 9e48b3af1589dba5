#pragma once
// Output for other programs: one line for each text, whatever happened to it. The formats are described in --help.

#include "../common/json_text.hpp"
#include "answers.hpp"
#include "ranking.hpp"

#include <cstddef>
#include <string>
#include <vector>

/// {"text":...,"label":...,"score":...,"tokens":...,"truncated":...}, then what --top-k (0: nothing) and --logits add
inline void write_json(std::string& out, const Line& line, const Answer& answer, const std::vector<std::string>& labels,
                       std::size_t top_k, bool with_logits) {
  if (!answer.error.empty()) {
    out += "{\"line\":";
    cli::append_number(out, line.number);
    out += ",\"error\":";
    cli::append_json_string(out, answer.error);
    out += "}\n";
    return;
  }
  const auto& [label, score, scores, logits, token_count, truncated] = answer.classification;
  out += "{\"text\":";
  cli::append_json_string(out, line.text);
  out += ",\"label\":";
  cli::append_json_string(out, label);
  out += ",\"score\":";
  cli::append_number(out, score);
  out += ",\"tokens\":";
  cli::append_number(out, token_count);
  out += ",\"truncated\":";
  out += truncated ? "true" : "false";
  if (top_k > 0) {
    const char* separator = ",\"scores\":[";
    for (const std::size_t id : best_labels(scores, top_k)) {
      out += separator;
      out += "{\"label\":";
      cli::append_json_string(out, labels[id]);
      out += ",\"score\":";
      cli::append_number(out, scores[id]);
      out += '}';
      separator = ",";
    }
    out += ']';
  }
  if (with_logits) {
    out += ",\"logits\":";
    cli::append_json_array(out, logits);
  }
  out += "}\n";
}

/// The logits, separated by tabs; nothing for a text that could not be read
inline void write_logits(std::string& out, const Answer& answer) {
  const std::vector<float>& logits = answer.classification.logits;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (i > 0)
      out += '\t';
    cli::append_number(out, logits[i]);
  }
  out += '\n';
}

/// [101,...,102], or null for a text that could not be read
inline void write_ids(std::string& out, const Answer& answer) {
  if (answer.error.empty())
    cli::append_json_array(out, answer.ids);
  else
    out += "null";
  out += '\n';
}
