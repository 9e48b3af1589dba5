#include <distilbert/tasks/token_classifier.hpp>
#include <doctest/doctest.h>

#include "golden_calls.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

constexpr Aggregation all_aggregations[] = {Aggregation::none, Aggregation::simple, Aggregation::first,
                                            Aggregation::average, Aggregation::max};

TokenClassifierOptions options_with(Aggregation aggregation, std::optional<std::size_t> stride = std::nullopt) {
  TokenClassifierOptions options;
  options.aggregation = aggregation;
  options.stride = stride;
  return options;
}

Aggregation aggregation_of(const std::string& name) {
  const char* names[] = {"none", "simple", "first", "average", "max"};
  return all_aggregations[std::find(std::begin(names), std::end(names), name) - std::begin(names)];
}

void check_entities(const std::vector<Entity>& found, Json expected) {
  std::size_t i = 0;
  for (const Json entity : list_of(expected)) {
    CAPTURE(i);
    REQUIRE(i < found.size());
    const Entity& ours = found[i++];
    const bool whole = entity["entity"].error() != simdjson::SUCCESS;
    CHECK(ours.label == text_of(entity[whole ? "entity_group" : "entity"].value()));
    CHECK(near(ours.score, entity["score"].value()));
    CHECK(ours.word == text_of(entity["word"].value()));
    CHECK(ours.begin == size_of(entity["start"].value()));
    CHECK(ours.end == size_of(entity["end"].value()));
    CHECK(ours.index == (whole ? 0 : size_of(entity["index"].value())));
  }
  CHECK(found.size() == i);
}

bool same(const std::vector<Entity>& a, const std::vector<Entity>& b) {
  const auto as_tuple = [](const Entity& e) { return std::tie(e.label, e.score, e.word, e.begin, e.end, e.index); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](const Entity& x, const Entity& y) { return as_tuple(x) == as_tuple(y); });
}

const Shape small{.vocab = 60,
                  .positions = 20,
                  .dim = 16,
                  .hidden_dim = 24,
                  .n_layers = 1,
                  .n_heads = 2,
                  .labels = 5,
                  .head = "token"};

/// n words of the vocabulary of random_model.hpp, one token each
std::string words(std::size_t n) {
  std::string text;
  for (std::size_t i = 0; i < n; ++i)
    text += (i ? " w" : "w") + std::to_string(5 + i * 7 % 55);
  return text;
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

} // namespace

TEST_CASE("entities are those of transformers' token-classification pipeline") {
  const std::size_t calls = each_golden_call<TokenClassifier>(
      {"token-classification", "ner"},
      [](const TokenClassifier& classifier, Json args, const std::map<std::string, Json>& asked, Json result) {
        if (asked.count("is_split_into_words"))
          return; // not for C++
        TokenClassifierOptions options;
        options.offset_unit = OffsetUnit::code_points;
        for (const auto& [name, value] : asked) {
          if (name == "aggregation_strategy")
            options.aggregation = aggregation_of(text_of(value));
          else if (name == "ignore_labels")
            options.ignore_labels = texts_of(value);
          else if (name == "stride")
            options.stride = size_of(value);
          else
            FAIL(name);
        }
        const Json texts = args.at(0).value();
        const auto found = classifier.classify(texts_of(texts), options);
        if (texts.is_string())
          return check_entities(found.at(0), result);
        std::size_t i = 0;
        for (const Json expected : list_of(result))
          check_entities(found.at(i++), expected);
        CHECK(found.size() == i);
      });
  CHECK(calls > 30);
}

TEST_CASE("positions count what was asked for") {
  const auto classifier = load_golden<TokenClassifier>("distilbert_ner");
  const std::string text = "Zo\u00eb \U0001F6EB\uFE0F left S\u00e3o Paulo";
  for (const Aggregation aggregation : all_aggregations) {
    TokenClassifierOptions options = options_with(aggregation);
    options.ignore_labels.clear();
    const auto bytes = classifier.classify(text, options);
    options.offset_unit = OffsetUnit::code_points;
    const auto code_points = classifier.classify(text, options);
    options.offset_unit = OffsetUnit::utf16;
    const auto utf16 = classifier.classify(text, options);
    REQUIRE(bytes.size() > 2);
    CHECK(bytes.back().end == text.size());
    const auto starts = [&](std::uint32_t end, unsigned char least) { // of code points whose lead byte is so high
      return std::count_if(text.begin(), text.begin() + end,
                           [&](unsigned char c) { return c >= least && (c < 0x80 || c >= 0xC0); });
    };
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      CHECK(code_points[i].begin == starts(bytes[i].begin, 0));
      CHECK(code_points[i].end == starts(bytes[i].end, 0));
      CHECK(utf16[i].begin == starts(bytes[i].begin, 0) + starts(bytes[i].begin, 0xF0));
      CHECK(utf16[i].end == starts(bytes[i].end, 0) + starts(bytes[i].end, 0xF0));
    }
  }
}

TEST_CASE("a text's entities are the same bits alone, in a batch, and on any number of threads") {
  const GoldenModel model("distilbert_ner", {.labels = 7, .head = "token"});
  const std::vector<std::string> texts = {"Maria met John",         "",        words(300),
                                          "a state-of-the-art lab", words(90), "St. Petersburg"};
  std::vector<std::vector<Entity>> alone;
  for (const std::size_t threads : {1u, 2u, 5u}) {
    LoadOptions load;
    load.threads = threads;
    const auto classifier = TokenClassifier::from_pretrained(model.path(), load);
    for (const Aggregation aggregation : all_aggregations) {
      const TokenClassifierOptions options = options_with(aggregation, 16);
      const auto together = classifier.classify(texts, options);
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (threads == 1)
          alone.push_back(classifier.classify(texts[i], options));
        CHECK(same(together[i], alone[static_cast<std::size_t>(aggregation) * texts.size() + i]));
      }
    }
  }
}

TEST_CASE("the scores of a token add up to one, and make its entity") {
  const RandomModel model(small);
  const auto classifier = TokenClassifier::from_pretrained(model.path());
  const std::string long_text = words(200);
  const auto all = classifier.scores({"w7 unheard w8", "", long_text});
  REQUIRE(all.size() == 3);
  CHECK(all[0].tokens.ids == std::vector<std::int32_t>{2, 7, 1, 8, 3});
  CHECK(all[0].tokens.offsets[2] == Span{3, 10});
  CHECK(all[1].tokens.size() == 2);
  CHECK(all[2].tokens.size() == 20);
  CHECK(all[2].tokens.truncated);
  for (const TokenScores& one : all) {
    REQUIRE(one.scores.size() == one.tokens.size() * 5);
    for (std::size_t token = 0; token < one.tokens.size(); ++token) {
      const float* row = one.scores.data() + token * 5;
      CHECK(std::fabs(row[0] + row[1] + row[2] + row[3] + row[4] - 1) < 1e-6f);
    }
  }
  const auto entities = classifier.classify("w7 unheard w8");
  REQUIRE(entities.size() == 3);
  for (const Entity& entity : entities) {
    const float* row = all[0].scores.data() + entity.index * 5;
    CHECK(entity.score == *std::max_element(row, row + 5));
  }
  CHECK(entities[1].word == "unheard");
  CHECK(entities[1].index == 2);
}

TEST_CASE("without a stride a text is read to max_length, with one to its end") {
  const RandomModel model(small);
  const auto classifier = TokenClassifier::from_pretrained(model.path());
  const std::string text = words(100);
  const auto cut = classifier.classify(text);
  CHECK(cut.size() == 18);
  for (const std::size_t stride : {0u, 1u, 9u, 17u})
    for (const Aggregation aggregation : all_aggregations) {
      const auto whole = classifier.classify(text, options_with(aggregation, stride));
      CHECK(whole.front().begin == 0);
      CHECK(whole.back().end == text.size());
      for (std::size_t i = 1; i < whole.size(); ++i)
        CHECK(whole[i - 1].end < whole[i].begin);
      if (aggregation == Aggregation::none)
        CHECK(whole.size() == 100);
    }
  for (const std::size_t stride : {std::size_t{18}, std::size_t{1000}, SIZE_MAX})
    for (const std::string_view any : {std::string_view("w5"), std::string_view(text)})
      message_of(ErrorCode::invalid_truncation,
                 [&] { classifier.classify(any, options_with(Aggregation::simple, stride)); });
}

TEST_CASE("texts without entities, and texts that are none") {
  const RandomModel model(small);
  const auto classifier = TokenClassifier::from_pretrained(model.path());
  for (const Aggregation aggregation : all_aggregations) {
    TokenClassifierOptions options = options_with(aggregation, 4);
    for (const std::string_view text : {std::string_view(""), std::string_view(" \t\n"), std::string_view("\0", 1)})
      CHECK(classifier.classify(text, options).empty());
    CHECK(classifier.classify(std::vector<std::string_view>{}, options).empty());
    options.ignore_labels = {"label 0", "label 1", "label 2", "label 3", "label 4"};
    CHECK(classifier.classify("w5 w6 w7", options).empty());
    options.ignore_labels.clear();
    const auto unknown = classifier.classify("nobody knows", options);
    REQUIRE(!unknown.empty());
    CHECK(unknown.front().word.substr(0, 6) == "nobody");
    CHECK(unknown.back().end == 12);
    CHECK(classifier.classify("[SEP]", options).at(0).word == "[SEP]"); // special by its text, not by its place
  }
}

TEST_CASE("invalid UTF-8 is refused by the index of its text, or replaced when asked") {
  const RandomModel model(small);
  const auto strict = TokenClassifier::from_pretrained(model.path());
  const std::string message = message_of(ErrorCode::invalid_utf8, [&] { strict.classify({"w5", "w6 \xFF w7"}); });
  CHECK(message.find("text 1") != message.npos);
  LoadOptions load;
  load.invalid_utf8 = InvalidUtf8::replace;
  const auto lenient = TokenClassifier::from_pretrained(model.path(), load);
  for (const Aggregation aggregation : all_aggregations)
    for (const auto& [text, end] : {std::pair("w6 \xFF w7", 7u), {"\xF0\x9F w6 w\xC3", 7u}, {"\xED\xA0\x80", 0u}}) {
      const auto entities = lenient.classify(text, options_with(aggregation, 3));
      CHECK((entities.empty() ? 0 : entities.back().end) == end);
    }
}

TEST_CASE("NaN in the weights never becomes a score") {
  std::vector<Tensor> tensors = random_tensors(small);
  for (Tensor& tensor : tensors)
    if (tensor.name == "embeddings.word_embeddings.weight")
      tensor.values[50 * 16 + 3] = NAN;
  const RandomModel model(small, std::move(tensors));
  const auto classifier = TokenClassifier::from_pretrained(model.path());
  CHECK(classifier.classify("w49").size() == 1);
  const std::string windows = words(100);
  for (const auto& stride : {std::optional<std::size_t>(), std::optional<std::size_t>(3)}) {
    const std::string message = message_of(ErrorCode::non_finite_result, [&] {
      classifier.classify({"w5", windows.substr(0, windows.find(" w50")), "w50 w6"},
                          options_with(Aggregation::max, stride));
    });
    CHECK(message.find("text 2") != message.npos);
  }
}

TEST_CASE("a model of another kind is refused") {
  const RandomModel encoder({.labels = 0, .prefix = ""});
  message_of(ErrorCode::missing_tensor, [&] { TokenClassifier::from_pretrained(encoder.path()); });
}
