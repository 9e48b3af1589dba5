// QuestionAnswerer and Answer.

#include "answers.hpp"
#include "bind.hpp"
#include "loading.hpp"
#include "records.hpp"
#include "text_pairs.hpp"

#include <distilbert/tasks/question_answerer.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bindings {

namespace {

using distilbert::Answer;
using distilbert::QuestionAnswerer;

/// The pairs of one question and one context, of several questions and one context, or of as many of both.
py::list pairs_of(const py::object& question, const py::object& context) {
  py::list pairs;
  if (py::isinstance<py::str>(question)) {
    pairs.append(py::make_tuple(question, context));
  } else if (py::isinstance<py::str>(context)) {
    for (const py::handle one : question)
      pairs.append(py::make_tuple(one, context));
  } else {
    const py::list questions(question), contexts(context);
    if (questions.size() != contexts.size())
      throw distilbert::Error(distilbert::ErrorCode::invalid_argument,
                              std::to_string(questions.size()) + " questions, " + std::to_string(contexts.size()) +
                                  " contexts");
    for (std::size_t i = 0; i < questions.size(); ++i)
      pairs.append(py::make_tuple(questions[i], contexts[i]));
  }
  return pairs;
}

py::object answer(const Loaded<QuestionAnswerer>& self, const py::object& question, const py::object& context,
                  std::size_t top_k, std::optional<std::size_t> doc_stride, std::size_t max_answer_len,
                  std::optional<std::size_t> max_seq_len, bool handle_impossible_answer, bool align_to_words,
                  bool progress) {
  distilbert::QuestionAnswererOptions options;
  options.top_k = top_k;
  options.doc_stride = doc_stride;
  options.max_answer_length = max_answer_len;
  options.max_length = max_seq_len.value_or(0);
  options.handle_impossible_answer = handle_impossible_answer;
  options.align_to_words = align_to_words;
  options.offset_unit = distilbert::OffsetUnit::code_points;
  const py::list pairs = pairs_of(question, context);
  const py::list answers = answers_of<TextPairs>(pairs, self.threads, progress, [&](const TextPairs& chunk) {
    return self.model.answer(chunk.values(), options);
  });
  if (top_k == 1)
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const py::list best = answers[i];
      answers[i] = best.empty() ? py::none() : py::object(best[0]);
    }
  return py::isinstance<py::str>(question) ? py::object(answers[0]) : py::object(answers);
}

} // namespace

void bind_question_answerer(py::module_& module) {
  define_record(module, "Answer", {"text", "score", "start", "end"}, &Answer::text, &Answer::score, &Answer::begin,
                &Answer::end);
  py::class_<Loaded<QuestionAnswerer>> type(module, "QuestionAnswerer");
  define_loading(type, &QuestionAnswerer::from_pretrained);
  type.def("__call__", &answer, py::arg("question"), py::arg("context"), py::arg("top_k") = 1,
           py::arg("doc_stride") = py::none(), py::arg("max_answer_len") = 15, py::arg("max_seq_len") = py::none(),
           py::arg("handle_impossible_answer") = false, py::arg("align_to_words") = true, py::kw_only(),
           py::arg("progress") = false);
}

} // namespace bindings
