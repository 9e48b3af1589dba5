#include <algorithm>
#include <thread>

#include <distilbert/tasks/text_classifier.hpp>
#include <doctest/doctest.h>

#include "../nn/random_model.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

const Shape small{.vocab = 60, .positions = 20, .dim = 16, .hidden_dim = 24, .n_layers = 1, .n_heads = 2};

/// n words of the vocabulary of random_model.hpp, one token each
std::string words(std::size_t n) {
  std::string text;
  for (std::size_t i = 0; i < n; ++i)
    text += (i ? " w" : "w") + std::to_string(5 + i * 7 % 55);
  return text;
}

/// A random model with the tensor `name` changed by `change`.
template <class Change> RandomModel model_with(const Shape& shape, const std::string& name, const Change& change) {
  std::vector<Tensor> tensors = random_tensors(shape);
  for (Tensor& tensor : tensors)
    if (tensor.name == name)
      change(tensor.values);
  return {shape, std::move(tensors)};
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

TEST_CASE("scores follow transformers' text-classification pipeline") {
  enum class Function { none, sigmoid, softmax };
  struct Row {
    const char* problem_type;
    std::size_t labels;
    Function function;
  };
  // TextClassificationPipeline.postprocess: regression first, then several independent labels or one, then softmax
  const Row rows[] = {{"", 1, Function::sigmoid},
                      {"", 2, Function::softmax},
                      {"", 7, Function::softmax},
                      {"", 19, Function::softmax},
                      {"regression", 1, Function::none},
                      {"regression", 3, Function::none},
                      {"single_label_classification", 1, Function::sigmoid},
                      {"single_label_classification", 3, Function::softmax},
                      {"multi_label_classification", 1, Function::sigmoid},
                      {"multi_label_classification", 7, Function::sigmoid}};
  for (const Row& row : rows) {
    CAPTURE(row.problem_type);
    CAPTURE(row.labels);
    Shape shape = small;
    shape.problem_type = row.problem_type;
    shape.labels = row.labels;
    const RandomModel model(shape);
    const auto classifier = TextClassifier::from_pretrained(model.path());
    const std::string text = words(5);
    const std::vector<float> logits = classifier.logits(std::vector<std::string_view>{text});
    const Classification answer = classifier.classify(text);
    REQUIRE(answer.scores.size() == row.labels);
    double sum = 0;
    for (const float logit : logits)
      sum += std::exp(double{logit});
    std::size_t best = 0;
    for (std::size_t i = 0; i < row.labels; ++i) {
      const double logit = double{logits[i]};
      const double expected = row.function == Function::none      ? logit
                              : row.function == Function::sigmoid ? 1 / (1 + std::exp(-logit))
                                                                  : std::exp(logit) / sum;
      CHECK(std::fabs(double{answer.scores[i]} - expected) < 1e-6);
      if (logits[i] > logits[best])
        best = i;
    }
    CHECK(answer.label == "label " + std::to_string(best));
    CHECK(answer.score == answer.scores[best]);
  }
}

TEST_CASE("logits far apart give 0 and 1, equal ones the lowest id") {
  for (const char* problem_type : {"single_label_classification", "multi_label_classification"}) {
    Shape shape = small;
    shape.problem_type = problem_type;
    const auto far = model_with(shape, "classifier.bias", [](auto& bias) { bias = {-300.0f, 300.0f}; });
    const Classification answer = TextClassifier::from_pretrained(far.path()).classify("w5");
    CHECK(answer.label == "label 1");
    CHECK(answer.scores[0] < 1e-30f);
    CHECK(answer.scores[0] >= 0.0f);
    CHECK(answer.scores[1] == 1.0f);

    std::vector<Tensor> tensors = random_tensors(shape);
    for (Tensor& tensor : tensors)
      if (tensor.name.starts_with("classifier"))
        std::fill(tensor.values.begin(), tensor.values.end(), 0.0f);
    const RandomModel equal(shape, std::move(tensors));
    CHECK(TextClassifier::from_pretrained(equal.path()).classify("w5").label == "label 0");
  }
}

TEST_CASE("finite logits that have no finite scores are an error, never NaN") {
  for (const auto& bias : {std::vector{-3e38f, 3e38f}, std::vector{-1e31f, -1e31f}}) {
    const auto model = model_with(small, "classifier.bias", [&](auto& values) { values = bias; });
    const auto classifier = TextClassifier::from_pretrained(model.path());
    try {
      for (const float score : classifier.classify("w5").scores)
        CHECK(std::isfinite(score));
    } catch (const Error& e) {
      CHECK(e.code() == ErrorCode::non_finite_result);
    }
  }
}

TEST_CASE("truncation is reported, and what is cut off does not matter") {
  const RandomModel model(small);
  LoadOptions options;
  options.max_length = 8;
  for (const auto& [classifier, room] : {std::pair(TextClassifier::from_pretrained(model.path()), 18),
                                         {TextClassifier::from_pretrained(model.path(), options), 6}}) {
    const auto n = static_cast<std::size_t>(room);
    CHECK(classifier.max_length() == n + 2);
    const Classification full = classifier.classify(words(n)), cut = classifier.classify(words(n + 1)),
                         huge = classifier.classify(words(200000)), shorter = classifier.classify(words(n - 1));
    CHECK(!shorter.truncated);
    CHECK(shorter.token_count == n + 1);
    CHECK(!full.truncated);
    CHECK(full.token_count == n + 2);
    for (const Classification& answer : {cut, huge}) {
      CHECK(answer.truncated);
      CHECK(answer.token_count == n + 2);
      CHECK(answer.scores == full.scores);
    }
  }
}

TEST_CASE("a text without words is [CLS] [SEP]") {
  const RandomModel model(small);
  const auto classifier = TextClassifier::from_pretrained(model.path());
  const std::vector<float> expected = classifier.logits(std::vector<std::vector<std::int32_t>>{{2, 3}});
  for (const std::string_view text : {std::string_view(""), std::string_view(" \t\r\n"), std::string_view("\0", 1)}) {
    CHECK(classifier.classify(text).token_count == 2);
    CHECK(!classifier.classify(text).truncated);
    CHECK(classifier.logits(std::vector<std::string_view>{text}) == expected);
  }
  CHECK(classifier.classify(std::vector<std::string_view>{}).empty());
  CHECK(classifier.logits(std::vector<std::string_view>{}).empty());
  CHECK(classifier.logits(std::vector<std::vector<std::int32_t>>{}).empty());
}

TEST_CASE("text and its ids have the same logits; all overloads agree") {
  const RandomModel model(small);
  const auto classifier = TextClassifier::from_pretrained(model.path());
  const std::vector<std::string> texts = {"w7 w8", "W59", "unheard w5"};
  const std::vector<std::vector<std::int32_t>> ids = {{2, 7, 8, 3}, {2, 59, 3}, {2, 1, 5, 3}};
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  CHECK(classifier.logits(views) == classifier.logits(ids));
  const auto from_strings = classifier.classify(texts), from_views = classifier.classify(views);
  REQUIRE(from_strings.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(from_strings[i].scores == from_views[i].scores);
    CHECK(from_views[i].scores == classifier.classify(texts[i]).scores);
    CHECK(from_views[i].token_count == ids[i].size());
  }
}

TEST_CASE("invalid UTF-8 is refused by the index of its text, or replaced when asked") {
  const RandomModel model(small);
  std::vector<std::string_view> texts(100, "w5");
  texts[77] = "w6 \xFF w7";
  const auto strict = TextClassifier::from_pretrained(model.path());
  CHECK(contains(message_of(ErrorCode::invalid_utf8, [&] { strict.classify(texts); }), "text 77"));
  LoadOptions options;
  options.invalid_utf8 = InvalidUtf8::replace;
  const auto lenient = TextClassifier::from_pretrained(model.path(), options);
  CHECK(lenient.classify(texts)[77].scores == strict.classify("w6 w7").scores);
}

TEST_CASE("special tokens in a text are special by default and text when asked") {
  const RandomModel model(small);
  LoadOptions options;
  options.encode_special_tokens = true;
  CHECK(TextClassifier::from_pretrained(model.path()).classify("[SEP]").token_count == 3);
  CHECK(TextClassifier::from_pretrained(model.path(), options).classify("[SEP]").token_count == 5); // [ sep ]
}

TEST_CASE("NaN and infinity in the weights never become a score") {
  for (const float poison : {NAN, INFINITY, -INFINITY}) {
    CAPTURE(poison);
    const auto model =
        model_with(small, "embeddings.word_embeddings.weight", [&](auto& rows) { rows[50 * 16 + 3] = poison; });
    for (const Precision precision : {Precision::fp32, Precision::bf16}) {
      LoadOptions options;
      options.precision = precision;
      const auto classifier = TextClassifier::from_pretrained(model.path(), options);
      CHECK(std::isfinite(classifier.classify("w49").score));
      std::vector<std::string_view> texts(150, "w5 w6 w7");
      texts[120] = "w9 w50";
      CHECK(contains(message_of(ErrorCode::non_finite_result, [&] { classifier.classify(texts); }), "text 120"));
      CHECK(contains(message_of(ErrorCode::non_finite_result,
                                [&] {
                                  classifier.logits({{2, 3}, {2, 50, 3}});
                                }),
                     "text 1"));
    }
    LoadOptions checked, int8;
    checked.check_finite = true;
    int8.precision = Precision::int8;
    message_of(ErrorCode::non_finite_weight, [&] { TextClassifier::from_pretrained(model.path(), checked); });
    message_of(ErrorCode::non_finite_weight, [&] { TextClassifier::from_pretrained(model.path(), int8); });
  }
  for (const char* name : {"embeddings.LayerNorm.weight", "transformer.layer.0.attention.q_lin.weight",
                           "transformer.layer.0.attention.v_lin.bias", "transformer.layer.0.ffn.lin1.weight",
                           "transformer.layer.0.output_layer_norm.bias", "pre_classifier.bias", "classifier.weight"}) {
    CAPTURE(name);
    for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
      const bool biases_only =
          std::string(name).ends_with("bias") || contains(name, "LayerNorm") || contains(name, "classifier.weight");
      if (precision == Precision::int8 && !biases_only)
        continue; // refused at load, see above
      const auto model = model_with(small, name, [](auto& values) { values[1] = NAN; });
      LoadOptions options;
      options.precision = precision;
      const auto classifier = TextClassifier::from_pretrained(model.path(), options);
      message_of(ErrorCode::non_finite_result, [&] { classifier.classify("w5 w6"); });
    }
  }
}

TEST_CASE("ids that the model cannot take are refused by the index of their text") {
  const RandomModel model(small);
  const auto classifier = TextClassifier::from_pretrained(model.path());
  std::vector<std::vector<std::int32_t>> texts(200, {2, 5, 6, 7, 3});
  const auto refusal = [&](ErrorCode code, const std::vector<std::int32_t>& ids) {
    texts[150] = ids;
    return message_of(code, [&] { classifier.logits(texts); });
  };
  CHECK(contains(refusal(ErrorCode::invalid_token_id, {2, 60, 3}), "text 150"));
  CHECK(contains(refusal(ErrorCode::invalid_token_id, {-1}), "text 150"));
  CHECK(contains(refusal(ErrorCode::text_too_long, std::vector<std::int32_t>(21, 5)), "text 150"));
  CHECK(contains(refusal(ErrorCode::invalid_argument, {}), "text 150"));
}

TEST_CASE("options out of range and models that do not fit together are refused") {
  const RandomModel model(small);
  LoadOptions options;
  for (const std::size_t max_length : {std::size_t{1}, std::size_t{21}, SIZE_MAX}) {
    options.max_length = max_length;
    message_of(ErrorCode::invalid_truncation, [&] { TextClassifier::from_pretrained(model.path(), options); });
  }
  LoadOptions selfcheck;
  selfcheck.selfcheck = true; // a Hugging Face directory has no probe
  message_of(ErrorCode::probe_mismatch, [&] { TextClassifier::from_pretrained(model.path(), selfcheck); });

  write_file(model.path() / "vocab.txt", vocabulary(small) + "one-more\n");
  message_of(ErrorCode::invalid_vocabulary, [&] { TextClassifier::from_pretrained(model.path()); });
  message_of(ErrorCode::file_not_found, [&] { TextClassifier::from_pretrained(model.path() / "missing"); });
}

TEST_CASE("eight threads share one classifier") {
  const RandomModel model(small);
  LoadOptions options;
  options.threads = 2;
  const auto classifier = TextClassifier::from_pretrained(model.path(), options);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 120; ++i)
    texts.push_back(words(i % 19));
  std::vector<std::vector<float>> expected;
  for (const Classification& answer : classifier.classify(texts))
    expected.push_back(answer.scores);

  std::vector<std::size_t> wrong(8, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t round = 0; round < 10; ++round) {
        const std::size_t one = (t * 10 + round) % texts.size();
        wrong[t] += classifier.classify(texts[one]).scores != expected[one];
        const auto all = classifier.classify(texts);
        for (std::size_t i = 0; i < texts.size(); ++i)
          wrong[t] += all[i].scores != expected[i];
      }
    });
  for (std::thread& thread : threads)
    thread.join();
  CHECK(wrong == std::vector<std::size_t>(8, 0));
}

TEST_CASE("memory stays below its bound, whatever the texts") {
  const RandomModel model({.vocab = 60, .positions = 300, .dim = 16, .hidden_dim = 24, .n_layers = 1, .n_heads = 2});
  for (const std::size_t threads : {1u, 2u, 3u}) {
    LoadOptions options;
    options.threads = threads;
    const auto classifier = TextClassifier::from_pretrained(model.path(), options);
    CHECK(classifier.idle_memory() == 0);
    const std::size_t bound = classifier.memory_bound();
    CHECK(bound < threads * 5'000'000);
    std::vector<std::string> texts; // a byte a token, the worst that text can be; empty ones, the most in a batch
    for (std::size_t i = 0; i < 2000; ++i)
      texts.push_back(std::string(i % 400, i % 3 ? '.' : '!'));
    texts.resize(3000);
    classifier.classify(texts);
    CHECK(classifier.idle_memory() > 0);
    CHECK(classifier.idle_memory() <= bound);
    classifier.logits(std::vector<std::vector<std::int32_t>>(1000, {2}));
    classifier.logits(std::vector<std::vector<std::int32_t>>(9, std::vector<std::int32_t>(300, 7)));
    classifier.classify(words(299));
    CHECK(classifier.idle_memory() <= bound);
  }
  // ids are not cut at max_length
  const RandomModel wide({.vocab = 60, .positions = 3000, .dim = 16, .hidden_dim = 24, .n_layers = 1, .n_heads = 2});
  LoadOptions options;
  options.max_length = 16;
  options.threads = 2;
  const auto classifier = TextClassifier::from_pretrained(wide.path(), options);
  classifier.logits({std::vector<std::int32_t>(3000, 7)});
  CHECK(classifier.idle_memory() <= classifier.memory_bound());
}

TEST_CASE("a pair is read as its ids are") {
  const RandomModel model(small);
  const auto classifier = TextClassifier::from_pretrained(model.path());
  const Tokenizer& tokenizer = classifier.tokenizer();
  const std::string a = words(4), b = words(3), long_a = words(30);
  const auto pairs = classifier.classify_pairs({{a, b}, {b, a}, {a, ""}, {long_a, b}});
  EncodeOptions cut;
  cut.max_length = classifier.max_length();
  CHECK(pairs[0].logits == classifier.logits({tokenizer.encode(a, b).ids}));
  CHECK(pairs[1].logits == classifier.logits({tokenizer.encode(b, a).ids}));
  CHECK(pairs[2].logits == classifier.logits({tokenizer.encode(a, "").ids}));
  CHECK(pairs[3].logits == classifier.logits({tokenizer.encode(long_a, b, cut).ids}));
  CHECK(pairs[0].logits != pairs[1].logits);
  const auto encoded = classifier.classify_encoded({tokenizer.encode(a, b), tokenizer.encode(long_a, b, cut)});
  CHECK(encoded[0].logits == pairs[0].logits);
  CHECK(encoded[1].scores == pairs[3].scores);
  CHECK_FALSE(encoded[0].truncated);
  CHECK(encoded[1].truncated);
  const std::string too_long = message_of(ErrorCode::text_too_long, [&] {
    classifier.classify_encoded({tokenizer.encode(a), tokenizer.encode(long_a, b)});
  });
  CHECK(contains(too_long, "text 1"));
  CHECK(pairs[0].token_count == 4 + 3 + 3);
  CHECK_FALSE(pairs[0].truncated);
  CHECK(pairs[3].token_count == classifier.max_length());
  CHECK(pairs[3].truncated);
  CHECK(classifier.classify_pairs({}).empty());
  const std::string found = message_of(ErrorCode::invalid_utf8, [&] {
    classifier.classify_pairs({{a, b}, {a, "\xff"}});
  });
  CHECK(contains(found, "text 1"));
}

TEST_CASE("windows read a text to its end and weigh their logits by the tokens they add") {
  const RandomModel model(small);
  const auto classifier = TextClassifier::from_pretrained(model.path());
  const std::size_t room = classifier.max_length() - 2, stride = 4; // 18 tokens a window, 14 of them new
  const std::string brief = words(room), text = words(40);
  const auto answers = classifier.classify_windows({brief, text, ""}, stride);
  CHECK(answers[0].logits == classifier.classify(brief).logits);
  CHECK(answers[2].logits == classifier.classify("").logits);
  CHECK(classifier.classify(text).truncated);
  CHECK_FALSE(answers[1].truncated);

  EncodeOptions options;
  options.max_length = classifier.max_length();
  options.stride = stride;
  const auto windows = classifier.tokenizer().encode_windows(text, options);
  REQUIRE(windows.size() == 3);
  const std::size_t fresh[] = {18, 14, 8};
  CHECK(answers[1].token_count == windows[0].size() + windows[1].size() + windows[2].size());
  for (std::size_t label = 0; label < small.labels; ++label) {
    double expected = 0;
    for (std::size_t w = 0; w < 3; ++w)
      expected += classifier.logits({windows[w].ids})[label] * static_cast<double>(fresh[w]) / 40;
    CHECK(answers[1].logits[label] == doctest::Approx(expected).epsilon(1e-5));
  }
  const auto too_far = [&] { classifier.classify_windows({text}, room); };
  message_of(ErrorCode::invalid_truncation, too_far);
}

TEST_CASE("what is called between batches can end a call") {
  struct Stopped {};
  const RandomModel model(small);
  const std::string text = words(10); // of which some 25 make a batch
  const std::vector<std::string_view> texts(600, text);
  const auto expected = TextClassifier::from_pretrained(model.path()).logits(texts);
  struct Row {
    std::size_t threads;
    std::ptrdiff_t texts;
  };
  for (const Row row : {Row{1, 600}, {2, 600}, {8, 70}}) {
    CAPTURE(row.threads);
    LoadOptions options;
    options.threads = row.threads;
    int calls = 0;
    bool stop = true;
    options.between_batches = [&, calling = std::this_thread::get_id()] {
      CHECK(std::this_thread::get_id() == calling);
      ++calls;
      if (stop)
        throw Stopped();
    };
    const auto classifier = TextClassifier::from_pretrained(model.path(), options);
    const std::vector<std::string_view> some(texts.begin(), texts.begin() + row.texts);
    CHECK_THROWS_AS(classifier.logits(some), Stopped);
    CHECK(calls == 1);
    stop = false;
    const auto logits = classifier.logits(some);
    CHECK(std::equal(logits.begin(), logits.end(), expected.begin()));
    CHECK(logits.size() == some.size() * small.labels);
    CHECK(calls > 1);
    calls = 0;
    classifier.classify(text);
    CHECK(calls == 0);
  }
}
