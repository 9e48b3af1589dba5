#pragma once
// From lines to answers: each line gets its token ids or what the model says of it, or the sentence that says why not.

#include "input.hpp"
#include "options.hpp"

#include <distilbert/distilbert.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct Answer {
  std::string error; // empty: all is well
  std::vector<std::int32_t> ids;
  bool truncated = false; // the line has more tokens than were asked for
  distilbert::Classification classification;
};

inline constexpr const char* too_long_line = "the line is longer than 64 MiB";

/// The ids of each line, at most max_length of them (0: all), or its error. One answer for each line, in order.
inline std::vector<Answer> tokenize(const distilbert::Tokenizer& tokenizer, std::size_t max_length,
                                    const std::vector<Line>& lines) {
  std::vector<Answer> answers(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].too_long) {
      answers[i].error = too_long_line;
      continue;
    }
    try {
      const distilbert::Side side = tokenizer.config().truncation_side;
      answers[i].truncated = tokenizer.append_ids(lines[i].text, max_length, answers[i].ids, side).truncated;
    } catch (const distilbert::Error& e) {
      answers[i].error = e.what();
    }
  }
  return answers;
}

/// The model's answers, one for each line, in order. If the model refuses a text, each line is asked about alone, so
/// that the others get their answers.
inline std::vector<Answer> classify(const distilbert::TextClassifier& classifier, const std::vector<Line>& lines) {
  std::vector<Answer> answers(lines.size());
  std::vector<std::size_t> asked;
  std::vector<std::string_view> texts;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].too_long) {
      answers[i].error = too_long_line;
      continue;
    }
    asked.push_back(i);
    texts.push_back(lines[i].text);
  }
  const auto keep = [&](std::size_t i, distilbert::Classification classification) {
    answers[i].truncated = classification.truncated;
    answers[i].classification = std::move(classification);
  };
  try {
    std::vector<distilbert::Classification> classifications = classifier.classify(texts);
    for (std::size_t i = 0; i < asked.size(); ++i)
      keep(asked[i], std::move(classifications[i]));
  } catch (const distilbert::Error&) {
    for (const std::size_t i : asked) {
      try {
        keep(i, classifier.classify(lines[i].text));
      } catch (const distilbert::Error& e) {
        answers[i].error = e.what();
      }
    }
  }
  return answers;
}
