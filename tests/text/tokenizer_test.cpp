#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <distilbert/text/tokenizer.hpp>

#include "support.hpp"

using namespace distilbert;
using support::Ids;
using support::Spans;
using support::thrown_by;

namespace {

const Tokenizer& model() {
  static const Tokenizer tokenizer = Tokenizer::from_pretrained(support::model_directory());
  return tokenizer;
}

/// a 5, b 6, ... z 30
Tokenizer letters(const TokenizerOptions& options = {}) {
  std::vector<std::string> tokens;
  for (char c = 'a'; c <= 'z'; ++c)
    tokens.emplace_back(1, c);
  return Tokenizer::from_vocabulary(support::small_vocabulary(tokens), {}, options);
}

EncodeOptions limited(std::size_t max_length, Side side = Side::right, std::size_t stride = 0) {
  EncodeOptions options;
  options.max_length = max_length;
  options.truncation_side = side;
  options.stride = stride;
  return options;
}

std::vector<Ids> ids_of(const std::vector<Encoding>& encodings) {
  std::vector<Ids> result;
  for (const Encoding& encoding : encodings)
    result.push_back(encoding.ids);
  return result;
}

} // namespace

TEST_CASE("the ids that everybody knows") {
  CHECK(model().encode("I love this film").ids == Ids{101, 1045, 2293, 2023, 2143, 102});
  CHECK(model().encode("").ids == Ids{101, 102});
  CHECK(model().vocabulary_size() == 30522);
  CHECK(model().pad_id() == 0);
  CHECK(model().unk_id() == 100);
  CHECK(model().cls_id() == 101);
  CHECK(model().sep_id() == 102);
  CHECK(model().mask_id() == 103);
}

TEST_CASE("all columns of an encoding") {
  const Encoding encoding = model().encode("Unaffable, 42");
  CHECK(encoding.ids == Ids{101, 14477, 20961, 3468, 1010, 4413, 102});
  CHECK(encoding.offsets == Spans{{0, 0}, {0, 3}, {3, 6}, {6, 9}, {9, 10}, {11, 13}, {0, 0}});
  CHECK(encoding.word_ids == Ids{-1, 0, 0, 0, 1, 2, -1});
  CHECK(encoding.type_ids == Ids{0, 0, 0, 0, 0, 0, 0});
  CHECK(encoding.sequence_ids == Ids{-1, 0, 0, 0, 0, 0, -1});
  CHECK(encoding.special_tokens_mask == std::vector<std::uint8_t>{1, 0, 0, 0, 0, 0, 1});
  CHECK_FALSE(encoding.truncated);
}

TEST_CASE("the config's side of truncation counts where the options have none") {
  TokenizerConfig config;
  config.truncation_side = Side::left;
  const std::string vocabulary = support::small_vocabulary({"a", "b", "c", "d"});
  const Tokenizer left = Tokenizer::from_vocabulary(vocabulary, config), right = Tokenizer::from_vocabulary(vocabulary);
  EncodeOptions options;
  options.max_length = 4;
  CHECK(right.encode("a b c d", options).ids == Ids{2, 5, 6, 3});
  CHECK(left.encode("a b c d", options).ids == Ids{2, 7, 8, 3});
  CHECK(left.encode("a b c d", options).truncated);
  CHECK(left.encode("a b c d").ids == Ids{2, 5, 6, 7, 8, 3});
  CHECK(ids_of(left.encode_windows("a b c d", options)) == std::vector<Ids>{{2, 7, 8, 3}, {2, 5, 6, 3}});
  CHECK(left.encode("a b c d", limited(4, Side::right)).ids == Ids{2, 5, 6, 3});
  CHECK(right.encode("a b c d", limited(4, Side::left)).ids == Ids{2, 7, 8, 3});
  options.max_length = 6;
  options.truncation = TruncationStrategy::only_first;
  CHECK(left.encode("a b c", "d", options).ids == Ids{2, 6, 7, 3, 8, 3});
  CHECK(left.encode_windows("a b c", "d", options).front().ids == Ids{2, 6, 7, 3, 8, 3});
}

TEST_CASE("append_ids cuts at the side that it is told") {
  const Tokenizer tokenizer = letters();
  for (const std::size_t max_length : {0u, 2u, 3u, 6u, 7u, 9u}) {
    Ids ids{99};
    const auto [count, truncated] = tokenizer.append_ids("a b c d e", max_length, ids, Side::left);
    const Encoding expected = tokenizer.encode("a b c d e", limited(max_length, Side::left));
    CHECK(Ids(ids.begin() + 1, ids.end()) == expected.ids);
    CHECK(ids.front() == 99);
    CHECK(count == expected.size());
    CHECK(truncated == expected.truncated);
  }
}

TEST_CASE("a pair has types and sequences of its own, and positions in each text") {
  const Encoding encoding = letters().encode("a b", "c");
  CHECK(encoding.ids == Ids{2, 5, 6, 3, 7, 3});
  CHECK(encoding.type_ids == Ids{0, 0, 0, 0, 1, 1});
  CHECK(encoding.sequence_ids == Ids{-1, 0, 0, -1, 1, -1});
  CHECK(encoding.offsets == Spans{{0, 0}, {0, 1}, {2, 3}, {0, 0}, {0, 1}, {0, 0}});
  CHECK(encoding.word_ids == Ids{-1, 0, 1, -1, 0, -1});
}

TEST_CASE("special tokens can be left out") {
  EncodeOptions options;
  options.add_special_tokens = false;
  CHECK(letters().encode("a b", options).ids == Ids{5, 6});
  CHECK(letters().encode("a", "b", options).type_ids == Ids{0, 1});
  options.max_length = 1;
  CHECK(letters().encode("a b", options).ids == Ids{5});
}

TEST_CASE("special tokens in the text are special, unless they are to be text") {
  CHECK(letters().encode("a[SEP]b").ids == Ids{2, 5, 3, 6, 3});
  CHECK(letters().encode("a[SEP]b").special_tokens_mask == std::vector<std::uint8_t>{1, 0, 0, 0, 1});
  TokenizerOptions options;
  options.encode_special_tokens = true;
  CHECK(letters(options).encode("a[SEP]b").ids == Ids{2, 5, 1, 1, 1, 6, 3}); // "[", "sep" and "]" are unknown
}

TEST_CASE("truncation on either side is reported") {
  const Tokenizer tokenizer = letters();
  const Encoding right = tokenizer.encode("a b c d", limited(4));
  CHECK(right.ids == Ids{2, 5, 6, 3});
  CHECK(right.truncated);
  const Encoding left = tokenizer.encode("a b c d", limited(4, Side::left));
  CHECK(left.ids == Ids{2, 7, 8, 3});
  CHECK(left.word_ids == Ids{-1, 2, 3, -1});
  CHECK(left.truncated);
  CHECK_FALSE(tokenizer.encode("a b", limited(4)).truncated);
  CHECK(tokenizer.encode("a b", limited(2)).ids == Ids{2, 3});
  CHECK(tokenizer.encode("a b", "c d e", limited(6)).ids == Ids{2, 5, 3, 7, 8, 3});
}

TEST_CASE("a limit that is too small is an error, not ignored") {
  CHECK(thrown_by([] { letters().encode("a", limited(1)); }).code == ErrorCode::invalid_truncation);
  CHECK(thrown_by([] { letters().encode("a", "b", limited(2)); }).code == ErrorCode::invalid_truncation);
  Ids ids = {42};
  CHECK(thrown_by([&] { letters().append_ids("a", 1, ids); }).code == ErrorCode::invalid_truncation);
  CHECK(ids == Ids{42});
}

TEST_CASE("windows cover the text, the first is what encode returns") {
  const Tokenizer tokenizer = letters();
  const auto windows = tokenizer.encode_windows("a b c d e", limited(5, Side::right, 1));
  CHECK(ids_of(windows) == std::vector<Ids>{{2, 5, 6, 7, 3}, {2, 7, 8, 9, 3}});
  CHECK(windows[1].offsets[1] == Span{4, 5});
  CHECK(windows[1].truncated);
  CHECK(ids_of(tokenizer.encode_windows("a b c d e", limited(5, Side::left, 1))) ==
        std::vector<Ids>{{2, 7, 8, 9, 3}, {2, 5, 6, 7, 3}});
  CHECK(ids_of(tokenizer.encode_windows("a", limited(0))) == std::vector<Ids>{{2, 5, 3}});
  CHECK(thrown_by([&] { tokenizer.encode_windows("a b c", limited(4, Side::right, 2)); }).code ==
        ErrorCode::invalid_truncation);
}

TEST_CASE("windows of a pair: each meets each") {
  EncodeOptions options = limited(5);
  CHECK(ids_of(letters().encode_windows("a b", "c d", options)) ==
        std::vector<Ids>{{2, 5, 3, 7, 3}, {2, 6, 3, 7, 3}, {2, 6, 3, 8, 3}, {2, 5, 3, 8, 3}});
  options.truncation = TruncationStrategy::only_second;
  CHECK(ids_of(letters().encode_windows("a", "c d", options)) == std::vector<Ids>{{2, 5, 3, 7, 3}, {2, 5, 3, 8, 3}});
}

TEST_CASE("windows that would fill the memory are refused") {
  const std::string text = support::repeated("a ", 400000);
  CHECK(thrown_by([&] { letters().encode_windows(text, text, limited(5)); }).code == ErrorCode::invalid_truncation);
}

TEST_CASE("append_ids appends what encode yields") {
  for (const char* text : {"", "a", "a b c", "a b c d e f g"})
    for (const std::size_t max_length : std::vector<std::size_t>{0, 2, 3, 5, 9}) {
      const Encoding encoding = letters().encode(text, limited(max_length));
      Ids ids = {42};
      const Tokenizer::IdCount count = letters().append_ids(text, max_length, ids);
      CHECK(ids.front() == 42);
      CHECK(Ids(ids.begin() + 1, ids.end()) == encoding.ids);
      CHECK(count.count == encoding.size());
      CHECK(count.truncated == encoding.truncated);
    }
}

TEST_CASE("ill-formed UTF-8 is refused wherever it is, or replaced") {
  const auto thrown = thrown_by([] { letters().encode("a b c\xFF", limited(3)); });
  CHECK(thrown.code == ErrorCode::invalid_utf8);
  CHECK(thrown.mentions("byte 5"));
  Ids ids;
  CHECK(thrown_by([&] { letters().append_ids("a b c\xFF", 3, ids); }).code == ErrorCode::invalid_utf8);
  CHECK(ids.empty());
  TokenizerOptions options;
  options.invalid_utf8 = InvalidUtf8::replace;
  const Encoding encoding = letters(options).encode("\xFF"
                                                    "a b");
  CHECK(encoding.ids == Ids{2, 5, 6, 3});
  CHECK(encoding.offsets[1] == Span{1, 2});
}

TEST_CASE("tokens and ids") {
  CHECK(model().token(2143) == "film");
  CHECK(model().id("##ing") == 2075);
  CHECK_FALSE(model().id("film film"));
  CHECK(thrown_by([] { model().token(30522); }).code == ErrorCode::invalid_token_id);
  CHECK(thrown_by([] { model().token(-1); }).code == ErrorCode::invalid_token_id);
}

TEST_CASE("decode") {
  CHECK(model().decode(model().encode("Unaffable, isn't it? [SEP]").ids) == "unaffable, isn ' t it?");
  CHECK(model().decode({101, 2143, 102}, false) == "[CLS] film [SEP]");
  CHECK(model().decode({}).empty());
  CHECK(model().convert_tokens_to_string({"##able", "un", "##aff", "Zo\u00eb", "."}) == "##able unaff Zo\u00eb.");
  CHECK(thrown_by([] { model().decode({30522}); }).code == ErrorCode::invalid_token_id);
}

TEST_CASE("added tokens behind the vocabulary get the next ids") {
  TokenizerConfig config;
  AddedToken token;
  token.content = "<new>";
  config.added_tokens = {token};
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(support::small_vocabulary({"a"}), config);
  CHECK(tokenizer.encode("a<new>a").ids == Ids{2, 5, 6, 5, 3});
  CHECK(tokenizer.vocabulary_size() == 7);
  CHECK(tokenizer.token(6) == "<new>");
  CHECK(tokenizer.id("<new>") == 6);
  CHECK(tokenizer.decode({5, 6}) == "a <new>");
}

TEST_CASE("a normalised added token is matched and decoded in its normalised form") {
  TokenizerConfig config;
  AddedToken token;
  token.content = "Caf\xC3\xA9 Noir";
  token.normalized = true;
  config.added_tokens = {token};
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(support::small_vocabulary({"a", "b"}), config);
  const Encoding encoding = tokenizer.encode("a CAFE\xCC\x81 noir b");
  CHECK(encoding.ids == Ids{2, 5, 7, 6, 3});
  CHECK(encoding.offsets == Spans{{0, 0}, {0, 1}, {2, 13}, {14, 15}, {0, 0}});
  CHECK(tokenizer.decode({7}) == "cafe noir");
}

TEST_CASE("the special tokens that everything needs must be there") {
  for (const char* missing : {"[PAD]", "[UNK]", "[CLS]", "[SEP]"}) {
    std::string vocabulary = support::small_vocabulary({"a"});
    vocabulary.replace(vocabulary.find(missing), 5, "xxxxx");
    const auto thrown = thrown_by([&] { Tokenizer::from_vocabulary(vocabulary); });
    CHECK(thrown.code == ErrorCode::invalid_vocabulary);
    CHECK(thrown.mentions(missing));
  }
  CHECK_FALSE(Tokenizer::from_vocabulary("[PAD]\n[UNK]\n[CLS]\n[SEP]\n").mask_id());
}

TEST_CASE("one tokenizer serves many threads, and survives being moved and copied") {
  Tokenizer original = letters();
  const Tokenizer copy = original;
  const Tokenizer moved = std::move(original);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i)
        wrong[t] += (t % 2 == 0 ? copy : moved).encode("a b\xCC\x81 c[SEP]").ids != Ids{2, 5, 6, 7, 3, 3};
    });
  for (std::thread& thread : threads)
    thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}
