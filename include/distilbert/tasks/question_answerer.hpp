#pragma once
// A question and a text in, the parts of the text that answer it out.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "question_answering.hpp"
#include "task.hpp"

namespace distilbert {

struct QuestionAnswererOptions {
  /// The most answers to give; at least 1.
  std::size_t top_k = 1;
  /// Tokens that an answer may have; at least 1. Words that it is aligned to may add some.
  std::size_t max_answer_length = 15;
  /// Tokens of a window, in which the question stands before a part of the context; 0: 384, or max_length() if that is
  /// less. A question is never cut: it must leave room for the context.
  std::size_t max_length = 0;
  /// Tokens of the context that consecutive windows share; by default 128, or half of max_length if that is less.
  std::optional<std::size_t> doc_stride;
  /// Rank among the answers also that there is none: "" from 0 to 0, with the least probability that a window gives it.
  bool handle_impossible_answer = false;
  /// Answers begin and end where words do.
  bool align_to_words = true;
  /// What Answer::begin and end count.
  OffsetUnit offset_unit = OffsetUnit::bytes;
};

/// A part of a context.
struct Answer {
  std::string text;                 // the context from begin to end
  float score = 0;                  // probability that it begins there times probability that it ends there, in its
                                    // window; the sum for a text found several times, in whatever case, and so maybe
                                    // more than 1
  std::uint32_t begin = 0, end = 0; // in the context, of the most probable one in the first window that has it
};

/// Extractive question answering with everything that belongs to it: tokenizer, model, windows over long contexts.
/// Answers are those of transformers' question-answering pipeline, whose max_question_len has no effect with its fast
/// tokenizers. What it gives besides is left out here: spans of score 0 to fill top_k, which end before they begin or
/// are longer than max_answer_length, and spans of a question in which somebody wrote "[CLS]".
///
///   const auto answerer = QuestionAnswerer::from_pretrained("squad");
///   const auto answers = answerer.answer("Who lives in Oxford?", "Maria Smith lives in Oxford.");
///   std::printf("%s\n", answers.at(0).text.c_str());                                                  // Maria Smith
///
/// A question's answers do not depend, to the last bit, on what else is in the call or on the number of threads.
/// Immutable once loaded; all methods may be called from any number of threads at once. Movable, not copyable.
class QuestionAnswerer {
public:
  /// Loads a model directory, converted or as Hugging Face writes it. Throws Error with the reason if it is not one;
  /// ErrorCode::unsupported_architecture for a padding_side "left", with which the context comes before the question.
  static QuestionAnswerer from_pretrained(const std::filesystem::path& directory, const LoadOptions& options = {}) {
    return QuestionAnswerer(Task::from_pretrained(directory, options));
  }

  /// Loads a model that lies in memory, as TextClassifier::from_memory.
  static QuestionAnswerer from_memory(const ModelBytes& files, const LoadOptions& options = {}) {
    return QuestionAnswerer(Task::from_memory(files, options));
  }

  /// The best answers, best first; none if the context has no words. Throws ErrorCode::invalid_argument if either text
  /// is empty or an option out of range, invalid_truncation for a max_length that is more than max_length(), a question
  /// that leaves no room in it or a doc_stride too large, invalid_utf8 (by default), and non_finite_result.
  std::vector<Answer> answer(std::string_view question, std::string_view context,
                             const QuestionAnswererOptions& options = {}) const {
    return answer(std::vector<TextPair>{{question, context}}, options).front();
  }

  /// The same of several pairs, each a question and its context, in their order. An error names the index of its pair.
  std::vector<std::vector<Answer>> answer(const std::vector<TextPair>& pairs,
                                          const QuestionAnswererOptions& options = {}) const {
    const EncodeOptions encode = encode_options(options);
    const auto windows = Task::windows_of(pairs.size(), encode.stride, [&](std::size_t i) {
      if (pairs[i].first.empty() || pairs[i].second.empty())
        throw Error(ErrorCode::invalid_argument,
                    pairs[i].first.empty() ? "the question is empty" : "the context is empty");
      return tokenizer().encode_windows(pairs[i].first, pairs[i].second, encode);
    });
    std::vector<Candidates> candidates(windows.encodings.size());
    task_.run(windows, [&](std::size_t first, const Batch& batch, const float* logits) {
      for (std::size_t i = 0; i < batch.texts(); ++i)
        candidates[first + i] = candidates_of(windows.encodings[first + i], windows.text_of(first + i),
                                              logits + 2 * batch.offsets[i], options);
    });
    std::vector<std::vector<Answer>> answers(pairs.size());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto* all = candidates.data();
      answers[i] = merge(pairs[i].second, all + windows.first[i], all + windows.first[i + 1], options);
    }
    return answers;
  }

  const DistilBertConfig& config() const { return task_.config(); }
  const Tokenizer& tokenizer() const { return task_.tokenizer(); }
  /// Precision of the weights
  Precision precision() const { return task_.precision(); }
  /// The most tokens that a window can have, special tokens included
  std::size_t max_length() const { return task_.max_length(); }
  /// See TextClassifier.
  std::size_t memory_bound() const { return task_.memory_bound(); }
  std::size_t idle_memory() const { return task_.idle_memory(); }

private:
  using Task = detail::Task<DistilBertForQuestionAnswering>;

  struct Candidate {
    Span place; // bytes of the context
    float score;
  };

  /// What a window has to say, best first.
  struct Candidates {
    std::vector<Candidate> best;
    float no_answer = 0;
  };

  explicit QuestionAnswerer(Task task) : task_(std::move(task)) {
    if (tokenizer().config().padding_side == Side::left)
      throw Error(ErrorCode::unsupported_architecture,
                  "the tokenizer's padding_side is \"left\": the context would come before the question");
  }

  EncodeOptions encode_options(const QuestionAnswererOptions& options) const {
    if (options.top_k == 0 || options.max_answer_length == 0)
      throw Error(ErrorCode::invalid_argument,
                  std::string(options.top_k == 0 ? "top_k" : "max_answer_length") + " is 0, at least 1 is possible");
    EncodeOptions encode;
    encode.max_length = options.max_length ? options.max_length : std::min<std::size_t>(max_length(), 384);
    if (encode.max_length > max_length())
      detail::throw_invalid_truncation("max_length " + std::to_string(encode.max_length) + ", the model takes " +
                                       std::to_string(max_length()));
    encode.stride = options.doc_stride.value_or(std::min<std::size_t>(encode.max_length / 2, 128));
    Task::check_stride(encode.stride, encode.max_length);
    encode.truncation = TruncationStrategy::only_second;
    return encode;
  }

  /// The most probable spans of a window: more than asked for if several may become one when they are aligned. `number`
  /// is that of the pair.
  Candidates candidates_of(const Encoding& window, std::size_t number, const float* logits,
                           const QuestionAnswererOptions& options) const {
    // Probabilities are shared out among the tokens of the context and [CLS], which stands for no answer.
    std::vector<std::size_t> tokens;
    for (std::size_t t = 0; t < window.size(); ++t)
      if (window.sequence_ids[t] == 1 || window.ids[t] == tokenizer().cls_id())
        tokens.push_back(t);
    const std::vector<float> start = probabilities(tokens, logits, number);
    const std::vector<float> end = probabilities(tokens, logits + 1, number);
    const auto first = static_cast<std::size_t>(
        std::find_if(tokens.begin(), tokens.end(), [&](std::size_t t) { return window.sequence_ids[t] == 1; }) -
        tokens.begin());

    struct Found {
      float score;
      std::uint32_t first, last;
    };
    std::vector<Found> found;
    for (std::size_t s = first; s < tokens.size(); ++s)
      for (std::size_t e = s; e < tokens.size() && e - s < options.max_answer_length; ++e)
        found.push_back(
            {start[s] * end[e], static_cast<std::uint32_t>(tokens[s]), static_cast<std::uint32_t>(tokens[e])});
    const std::size_t asked = std::min(options.top_k, found.size());
    const std::size_t kept = std::min(options.align_to_words ? 2 * asked + 10 : asked, found.size());
    std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(kept), found.end(),
                      [](const Found& a, const Found& b) {
                        return std::tuple(-a.score, a.first, a.last) < std::tuple(-b.score, b.first, b.last);
                      });
    found.resize(kept);

    Candidates candidates{{}, start[0] * end[0]};
    for (const Found& span : found) {
      std::size_t from = span.first, to = span.last;
      const auto same_word = [&](std::size_t a, std::size_t b) {
        return options.align_to_words && window.sequence_ids[a] == 1 && window.sequence_ids[b] == 1 &&
               window.word_ids[a] == window.word_ids[b];
      };
      while (same_word(from - 1, from))
        --from;
      while (same_word(to, to + 1))
        ++to;
      candidates.best.push_back({{window.offsets[from].begin, window.offsets[to].end}, span.score});
    }
    return candidates;
  }

  /// Softmax over the logits of some tokens, of which there is one in two numbers.
  static std::vector<float> probabilities(const std::vector<std::size_t>& tokens, const float* logits,
                                          std::size_t number) {
    std::vector<float> values(padded(tokens.size()));
    for (std::size_t i = 0; i < tokens.size(); ++i)
      values[i] = logits[2 * tokens[i]];
    active_kernels().softmax(values.data(), tokens.size());
    Task::check_finite(values.data(), tokens.size(), number); // logits too far apart for fp32 have no softmax
    return values;
  }

  /// The answers of all windows of a context.
  static std::vector<Answer> merge(std::string_view context, const Candidates* windows, const Candidates* windows_end,
                                   const QuestionAnswererOptions& options) {
    std::vector<Answer> answers;
    std::unordered_map<std::string, std::size_t> known; // lower-case text -> number of the answer
    float no_answer = 1;
    for (; windows != windows_end; ++windows) {
      no_answer = std::min(no_answer, windows->no_answer);
      for (const auto& [place, score] : windows->best) {
        const std::string_view text = context.substr(place.begin, place.end - place.begin);
        const auto [entry, fresh] = known.try_emplace(detail::lower_case(text), answers.size());
        if (fresh)
          answers.push_back({std::string(text), 0, place.begin, place.end});
        answers[entry->second].score += score;
      }
    }
    if (options.handle_impossible_answer)
      answers.push_back({"", no_answer, 0, 0});
    std::stable_sort(answers.begin(), answers.end(),
                     [](const Answer& a, const Answer& b) { return a.score > b.score; });
    if (answers.size() > options.top_k)
      answers.resize(options.top_k);
    std::vector<std::uint32_t*> positions;
    for (Answer& answer : answers)
      positions.insert(positions.end(), {&answer.begin, &answer.end});
    detail::convert_positions(context, options.offset_unit, std::move(positions));
    return answers;
  }

  Task task_;
};

} // namespace distilbert
