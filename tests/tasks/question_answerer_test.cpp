#include <distilbert/tasks/question_answerer.hpp>
#include <doctest/doctest.h>

#include "golden_calls.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const Shape small{.vocab = 60, .positions = 40, .dim = 16, .hidden_dim = 24, .n_layers = 1, .n_heads = 2, .head = "qa"};

/// n words of the vocabulary of random_model.hpp, one token each, no two the same up to 55
std::string words(std::size_t n) {
  std::string text;
  for (std::size_t i = 0; i < n; ++i)
    text += (i ? " w" : "w") + std::to_string(5 + i * 7 % 55);
  return text;
}

void check_answers(const std::vector<Answer>& found, Json expected) {
  std::vector<Json> all{expected};
  if (expected.is_array()) {
    const auto list = list_of(expected);
    all.assign(list.begin(), list.end());
  }
  REQUIRE(found.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(i);
    CHECK(found[i].text == text_of(all[i]["answer"].value()));
    CHECK(near(found[i].score, all[i]["score"].value()));
    CHECK(found[i].begin == size_of(all[i]["start"].value()));
    CHECK(found[i].end == size_of(all[i]["end"].value()));
  }
}

bool same(const std::vector<Answer>& a, const std::vector<Answer>& b) {
  const auto as_tuple = [](const Answer& x) { return std::tie(x.text, x.score, x.begin, x.end); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](const Answer& x, const Answer& y) { return as_tuple(x) == as_tuple(y); });
}

template <class Call> std::string message_of(ErrorCode expected, const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    CHECK(std::string(describe(e.code())) == describe(expected));
    return e.what();
  }
  FAIL("no error");
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

} // namespace

TEST_CASE("answers are those of transformers' question-answering pipeline") {
  const std::size_t calls = each_golden_call<QuestionAnswerer>(
      {"question-answering"},
      [](const QuestionAnswerer& answerer, Json args, const std::map<std::string, Json>& asked, Json result) {
        QuestionAnswererOptions options;
        options.offset_unit = OffsetUnit::code_points;
        std::vector<std::string> questions, contexts;
        bool several = false;
        const auto add = [&](Json one) {
          questions.push_back(text_of(one["question"].value()));
          contexts.push_back(text_of(one["context"].value()));
        };
        for (const Json given : list_of(args)) {
          if (!given.is_array()) {
            add(given);
            continue;
          }
          several = true;
          for (const Json one : list_of(given))
            add(one);
        }
        for (const auto& [name, value] : asked) {
          if (name == "question") {
            questions = texts_of(value);
            several = value.is_array();
          } else if (name == "context")
            contexts = texts_of(value);
          else if (name == "top_k")
            options.top_k = size_of(value);
          else if (name == "max_answer_len")
            options.max_answer_length = size_of(value);
          else if (name == "max_seq_len")
            options.max_length = size_of(value);
          else if (name == "doc_stride")
            options.doc_stride = size_of(value);
          else if (name == "handle_impossible_answer")
            options.handle_impossible_answer = value.get_bool().value();
          else if (name == "align_to_words")
            options.align_to_words = value.get_bool().value();
          else if (name != "max_question_len" && name != "padding") // which change nothing there
            FAIL(name);
        }
        std::vector<TextPair> pairs;
        for (std::size_t i = 0; i < questions.size(); ++i)
          pairs.push_back({questions[i], contexts[contexts.size() == 1 ? 0 : i]});
        const auto found = answerer.answer(pairs, options);
        if (!several)
          return check_answers(found.at(0), result);
        std::size_t i = 0;
        for (const Json expected : list_of(result))
          check_answers(found.at(i++), expected);
        CHECK(found.size() == i);
      });
  CHECK(calls > 30);
}

TEST_CASE("a question's answers are the same bits alone, in a batch, and on any number of threads") {
  const RandomModel model(small);
  const std::string lengthy = words(300), brief = words(9);
  const std::vector<TextPair> pairs = {{"w5", lengthy}, {"w5 w6 w7", brief}, {"w8", "w9"}, {"w10", lengthy}};
  QuestionAnswererOptions options;
  options.top_k = 5;
  options.handle_impossible_answer = true;
  std::vector<std::vector<Answer>> alone;
  for (const std::size_t threads : {1u, 2u, 5u}) {
    LoadOptions load;
    load.threads = threads;
    const auto answerer = QuestionAnswerer::from_pretrained(model.path(), load);
    const auto together = answerer.answer(pairs, options);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (threads == 1)
        alone.push_back(answerer.answer(pairs[i].first, pairs[i].second, options));
      CHECK(same(together[i], alone[i]));
    }
  }
}

TEST_CASE("all spans of a short context have probabilities that add up") {
  const RandomModel model(small);
  const auto answerer = QuestionAnswerer::from_pretrained(model.path());
  const std::string context = words(12);
  QuestionAnswererOptions options;
  options.top_k = SIZE_MAX;
  options.max_answer_length = SIZE_MAX;
  options.handle_impossible_answer = true;
  for (const bool align : {true, false}) {
    options.align_to_words = align;
    const auto all = answerer.answer("w5", context, options);
    CHECK(all.size() == 12 * 13 / 2 + 1);
    double sum = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      sum += double{all[i].score};
      CHECK(all[i].text == context.substr(all[i].begin, all[i].end - all[i].begin));
      CHECK((i == 0 || all[i].score <= all[i - 1].score));
    }
    CHECK(sum > 0.1);
    CHECK(sum < 1);
    options.top_k = 7;
    CHECK(same(answerer.answer("w5", context, options), {all.begin(), all.begin() + 7}));
    options.top_k = SIZE_MAX;
  }
  options.max_answer_length = 1;
  options.handle_impossible_answer = false;
  for (const Answer& answer : answerer.answer("w5", context, options))
    CHECK(!contains(answer.text, " "));
}

TEST_CASE("a word that the context repeats is one answer, whatever its case") {
  const RandomModel model(small);
  const auto answerer = QuestionAnswerer::from_pretrained(model.path());
  QuestionAnswererOptions options;
  options.top_k = 100;
  options.max_answer_length = 1;
  const auto once = answerer.answer("w5", "w7 w8", options), twice = answerer.answer("w5", "w7 w8 W7 w7", options);
  CHECK(once.size() == 2);
  CHECK(twice.size() == 2);
  options.align_to_words = false;
  CHECK(answerer.answer("w5", "\u00c4 \u00e4", options).size() == 1);
}

TEST_CASE("long contexts are read to their end") {
  const RandomModel model(small);
  const auto answerer = QuestionAnswerer::from_pretrained(model.path());
  const std::string context = words(54) + " " + words(54) + " w53";
  QuestionAnswererOptions options;
  options.top_k = SIZE_MAX;
  options.max_answer_length = 1;
  CHECK(answerer.answer("w5", context, options).size() == 55);
  for (const std::size_t stride : {0u, 1u, 20u}) {
    options.doc_stride = stride;
    options.max_length = 30;
    CHECK(answerer.answer("w5", context, options).size() == 55);
  }
  const auto answers = answerer.answer({{words(9), context}, {"w5", words(2000)}});
  CHECK(answers[0].size() == 1);
  CHECK(answers[1].size() == 1);
}

TEST_CASE("positions count what was asked for") {
  const auto answerer = load_golden<QuestionAnswerer>("distilbert_qa");
  const std::string context = "Zo\u00eb \U0001F600 lives in S\u00e3o Paulo";
  QuestionAnswererOptions options;
  options.top_k = 20;
  const auto bytes = answerer.answer("Where?", context, options);
  options.offset_unit = OffsetUnit::code_points;
  const auto code_points = answerer.answer("Where?", context, options);
  options.offset_unit = OffsetUnit::utf16;
  const auto utf16 = answerer.answer("Where?", context, options);
  REQUIRE(bytes.size() > 10);
  const auto starts = [&](std::uint32_t end, unsigned char least) { // of code points whose lead byte is so high
    return std::count_if(context.begin(), context.begin() + end,
                         [&](unsigned char c) { return c >= least && (c < 0x80 || c >= 0xC0); });
  };
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    CHECK(bytes[i].text == context.substr(bytes[i].begin, bytes[i].end - bytes[i].begin));
    CHECK(code_points[i].begin == starts(bytes[i].begin, 0));
    CHECK(code_points[i].end == starts(bytes[i].end, 0));
    CHECK(utf16[i].begin == starts(bytes[i].begin, 0) + starts(bytes[i].begin, 0xF0));
    CHECK(utf16[i].end == starts(bytes[i].end, 0) + starts(bytes[i].end, 0xF0));
  }
}

TEST_CASE("questions and contexts without words") {
  const RandomModel model(small);
  const auto answerer = QuestionAnswerer::from_pretrained(model.path());
  CHECK(answerer.answer(" ", "w5 w6").size() == 1);
  CHECK(answerer.answer("?", "?!").size() == 1);
  CHECK(answerer.answer("[CLS] [SEP]", "[CLS] [SEP] [MASK]").size() == 1);
  CHECK(answerer.answer("w5", "nobody").at(0).text == "nobody");
  CHECK(answerer.answer("w5", " \t").empty());
  QuestionAnswererOptions options;
  options.handle_impossible_answer = true;
  const auto none = answerer.answer("w5", " ", options);
  REQUIRE(none.size() == 1);
  CHECK(none[0].text.empty());
  CHECK(none[0].score == 1);
  CHECK(answerer.answer(std::vector<TextPair>{}).empty());
}

TEST_CASE("what cannot be answered is refused by the index of its pair") {
  const RandomModel model(small);
  const auto answerer = QuestionAnswerer::from_pretrained(model.path());
  const std::string lengthy = words(100);
  const auto refusal = [&](ErrorCode code, const TextPair& pair, const QuestionAnswererOptions& options = {}) {
    return message_of(code, [&] { answerer.answer({{"w5", "w6"}, pair}, options); });
  };
  CHECK(contains(refusal(ErrorCode::invalid_argument, {"", "w5"}), "text 1: the question is empty"));
  CHECK(contains(refusal(ErrorCode::invalid_argument, {"w5", ""}), "text 1: the context is empty"));
  CHECK(contains(refusal(ErrorCode::invalid_utf8, {"w5", "\xFF"}), "text 1"));
  CHECK(contains(refusal(ErrorCode::invalid_utf8, {"\xC3", "w5"}), "text 1"));
  CHECK(contains(refusal(ErrorCode::invalid_truncation, {lengthy, lengthy}), "text 1"));

  QuestionAnswererOptions options;
  options.top_k = 0;
  CHECK(contains(refusal(ErrorCode::invalid_argument, {"w5", "w6"}, options), "top_k"));
  options = {};
  options.max_answer_length = 0;
  CHECK(contains(refusal(ErrorCode::invalid_argument, {"w5", "w6"}, options), "max_answer_length"));
  for (const std::size_t stride : {std::size_t{38}, std::size_t{1000}, SIZE_MAX}) {
    options = {};
    options.doc_stride = stride;
    CHECK(contains(refusal(ErrorCode::invalid_truncation, {"w5", "w6"}, options), std::to_string(stride)));
  }
  options = {};
  options.doc_stride = 35; // as much as the question leaves room for
  refusal(ErrorCode::invalid_truncation, {"w5 w6", lengthy}, options);
  for (const std::size_t max_length : {std::size_t{1}, std::size_t{3}, std::size_t{41}, SIZE_MAX}) {
    options = {};
    options.max_length = max_length;
    refusal(ErrorCode::invalid_truncation, {"w5", lengthy}, options);
  }
}

TEST_CASE("ill-formed UTF-8 is replaced when asked") {
  const RandomModel model(small);
  LoadOptions load;
  load.invalid_utf8 = InvalidUtf8::replace;
  const auto answerer = QuestionAnswerer::from_pretrained(model.path(), load);
  for (const OffsetUnit unit : {OffsetUnit::bytes, OffsetUnit::code_points, OffsetUnit::utf16}) {
    QuestionAnswererOptions options;
    options.offset_unit = unit;
    options.top_k = 100;
    for (const Answer& answer : answerer.answer("\xFF w5", "w6 \xF0\x9F w7 \xED\xA0\x80w8\xC3", options))
      CHECK(answer.begin < answer.end);
  }
}

TEST_CASE("NaN in the weights never becomes a score, and is said of its pair") {
  std::vector<Tensor> tensors = random_tensors(small);
  for (Tensor& tensor : tensors)
    if (tensor.name == "embeddings.word_embeddings.weight")
      tensor.values[50 * 16 + 3] = NAN;
  const RandomModel model(small, std::move(tensors));
  const auto answerer = QuestionAnswerer::from_pretrained(model.path());
  const std::string lengthy = words(30) + " " + words(30), poisoned = lengthy + " w50";
  CHECK(answerer.answer("w5", lengthy).size() == 1);
  CHECK(contains(message_of(ErrorCode::non_finite_result,
                            [&] {
                              answerer.answer({{"w5", lengthy}, {"w5", poisoned}});
                            }),
                 "text 1"));
}

TEST_CASE("a model of another kind is refused") {
  const RandomModel classifier({.labels = 2});
  message_of(ErrorCode::missing_tensor, [&] { QuestionAnswerer::from_pretrained(classifier.path()); });
}

TEST_CASE("a tokenizer that pads at the left is refused; one that cuts there makes windows from the end") {
  const RandomModel model(small);
  const std::string question = words(4), context = words(50);
  const auto answers = [&] { return QuestionAnswerer::from_pretrained(model.path()).answer(question, context); };
  const auto right = answers();
  write_file(model.path() / "tokenizer_config.json", R"({"truncation_side": "left"})");
  CHECK_FALSE(same(answers(), right));
  write_file(model.path() / "tokenizer_config.json", R"({"padding_side": "left"})");
  CHECK(contains(message_of(ErrorCode::unsupported_architecture, answers), "padding_side"));
}
