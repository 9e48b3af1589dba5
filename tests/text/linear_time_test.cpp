// Ten megabytes of what could make a tokenizer slow. The bounds are far above what is needed and far below what
// anything quadratic would take.

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <distilbert/text/tokenizer.hpp>

#include "support.hpp"

using namespace distilbert;
using support::repeated;

namespace {

template <class Action> double seconds(Action&& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

TEST_CASE("time grows with the length of the text only") {
  constexpr std::size_t size = 10'000'000;
  const Tokenizer tokenizer = Tokenizer::from_pretrained(support::model_directory());
  const std::pair<const char*, std::string> texts[] = {
      {"one word", repeated("a", size)},
      {"words", repeated("the film is unaffable ", size)},
      {"dropped marks", repeated("\xCC\x81", size)},
      {"kept marks out of order", repeated("\xCC\x81\xE3\x80\xAE", size)},
      {"Chinese", repeated("\xE4\xB8\xAD", size)},
      {"Hangul", repeated("\xED\x95\x9C", size)},
      {"punctuation", repeated("!", size)},
      {"spaces", repeated(" ", size)},
      {"nulls", repeated(std::string(1, '\0'), size)},
      {"words as long as they may be", repeated(std::string(100, 'q') + " ", size)},
      {"starts of special tokens", repeated("[SEP", size)},
      {"special tokens", repeated("[SEP]", size)},
  };
  for (const auto& named : texts) {
    const std::string& text = named.second;
    CAPTURE(named.first);
    std::vector<std::int32_t> limited, all;
    CHECK(seconds([&] { tokenizer.append_ids(text, 512, limited); }) < 5);
    CHECK(limited.size() <= 512);
    CHECK(seconds([&] { tokenizer.append_ids(text, 0, all); }) < 20);
    EncodeOptions options;
    options.offset_unit = OffsetUnit::utf16;
    Encoding encoding;
    CHECK(seconds([&] { encoding = tokenizer.encode(text, options); }) < 40);
    CHECK(encoding.ids == all);
  }
}

TEST_CASE("an added token that eats white space, in a text of nothing else") {
  TokenizerConfig config;
  AddedToken space;
  space.content = " ";
  space.lstrip = space.rstrip = true;
  config.added_tokens = {space};
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(support::small_vocabulary({}), config);
  std::vector<std::int32_t> ids;
  CHECK(seconds([&] { tokenizer.append_ids(repeated(" ", 2'000'000), 0, ids); }) < 10);
  CHECK(ids.size() == 3);
}

TEST_CASE("a vocabulary of one token that is very long") {
  const Tokenizer tokenizer =
      Tokenizer::from_vocabulary(support::small_vocabulary({std::string(1'000'000, 'a'), "##a", "a"}));
  std::vector<std::int32_t> ids;
  CHECK(seconds([&] { tokenizer.append_ids(repeated(std::string(100, 'a') + " ", 1'000'000), 0, ids); }) < 20);
  CHECK(ids.size() == 2 + 9901 * 100);
}

TEST_CASE("a vocabulary of ten million lines") {
  std::string lines;
  for (int i = 0; i < 10'000'000; ++i)
    lines += std::to_string(i) + '\n';
  Vocabulary vocabulary;
  CHECK(seconds([&] { vocabulary = Vocabulary::from_lines(std::move(lines)); }) < 60);
  CHECK(vocabulary.size() == 10'000'000);
  CHECK(vocabulary.id("9999999") == 9'999'999);
  CHECK(vocabulary.token(1234567) == "1234567");
}
