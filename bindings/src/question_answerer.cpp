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

py::list list_of(const py::object& texts) {
  py::list all;
  for (Items items(texts); !items.empty(); items.pop())
    all.append(items.front());
  return all;
}

/// The pairs of one question and one context, of several questions and one context, or of as many of both.
py::list pairs_of(const py::object& question, const py::object& context) {
  if (py::isinstance<py::str>(question) && !py::isinstance<py::str>(context))
    throw py::type_error("one question is about one context, a str");
  const py::list questions = list_of(question), contexts = list_of(context);
  const bool shared = py::isinstance<py::str>(context);
  if (!shared && questions.size() != contexts.size())
    throw distilbert::Error(distilbert::ErrorCode::invalid_argument, std::to_string(questions.size()) + " questions, " +
                                                                         std::to_string(contexts.size()) + " contexts");
  py::list pairs;
  for (std::size_t i = 0; i < questions.size(); ++i)
    pairs.append(py::make_tuple(questions[i], contexts[shared ? 0 : i]));
  return pairs;
}

py::object answer(const Loaded<QuestionAnswerer>& self, const py::object& question, const py::object& context,
                  Count top_k, std::optional<Count> doc_stride, Count max_answer_len, std::optional<Count> max_seq_len,
                  bool handle_impossible_answer, bool align_to_words, bool progress) {
  distilbert::QuestionAnswererOptions options;
  options.top_k = top_k;
  options.doc_stride = doc_stride;
  options.max_answer_length = max_answer_len;
  options.max_length = max_seq_len.value_or(Count{});
  options.handle_impossible_answer = handle_impossible_answer;
  options.align_to_words = align_to_words;
  options.offset_unit = distilbert::OffsetUnit::code_points;
  const py::list pairs = pairs_of(question, context);
  const py::list answers = answers_of<TextPairs>(pairs, self.threads, progress, [&](const TextPairs& chunk) {
    auto best = self.model.answer(chunk.values(), options);
    for (std::vector<Answer>& of_pair : best)
      for (Answer& one : of_pair)
        one.text = readable(std::move(one.text));
    return best;
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
