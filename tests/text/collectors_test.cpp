// The short way to the ids against the exact one: append_ids must yield what encode does, whatever the text.

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <distilbert/text/tokenizer.hpp>

#include "support.hpp"

using namespace distilbert;

namespace {

AddedToken added(const char* content, bool normalized = false) {
  AddedToken token;
  token.content = content;
  token.normalized = normalized;
  return token;
}

/// Tokenizers that take the short way in all its variants, or not at all.
std::vector<std::pair<const char*, Tokenizer>> make_tokenizers() {
  const std::string english = support::read_file(support::model_directory() / "vocab.txt");
  std::vector<std::string> letters{"the",   "film", "un", "able", "##",  "x", "xx",
                                   "xfilm", "a",    "A",  "ab",   "##B", "B", "!"};
  for (char c = 'a'; c <= 'w'; ++c)
    for (const char* prefix : {"", "##", "x"})
      letters.push_back(std::string(prefix) + c);
  letters.push_back(std::string(40, 'a'));
  letters.push_back("##" + std::string(15, 'b'));
  letters.push_back("caf\xC3\xA9");
  letters.push_back("\xE4\xB8\xAD");
  const std::string small = support::small_vocabulary(letters);

  std::vector<std::pair<const char*, Tokenizer>> tokenizers;
  const auto add = [&](const char* name, const std::string& vocabulary, const TokenizerConfig& config,
                       InvalidUtf8 invalid = InvalidUtf8::replace, bool encode_special_tokens = false) {
    TokenizerOptions options;
    options.invalid_utf8 = invalid;
    options.encode_special_tokens = encode_special_tokens;
    tokenizers.emplace_back(name, Tokenizer::from_vocabulary(vocabulary, config, options));
  };
  const TokenizerConfig plain;
  add("the model's own", english, plain);
  add("ill-formed text refused", english, plain, InvalidUtf8::refuse);
  add("special tokens as text", english, plain, InvalidUtf8::replace, true);
  TokenizerConfig config;
  config.normalizer.lowercase = false;
  add("cased", small, config);
  config.normalizer.clean_text = false;
  add("unclean", small, config);
  config = plain;
  config.added_tokens = {added("the film"), added("a"), added("<x>"), added("!!"), added("\xC3\xA9")};
  config.added_tokens[1].single_word = true;
  config.added_tokens[2].lstrip = config.added_tokens[2].rstrip = true;
  add("added tokens", english, config);
  config.added_tokens.push_back(added("Caf\xC3\xA9", true));
  add("added tokens to be normalised", english, config);
  config = plain;
  config.word_piece.max_input_chars_per_word = 4;
  add("short words", small, config);
  config.word_piece.max_input_chars_per_word = 0;
  add("no words at all", small, config);
  config = plain;
  config.word_piece.continuing_subword_prefix = "x";
  add("a prefix that is a letter", small, config);
  config.word_piece.continuing_subword_prefix = "";
  add("no prefix", small, config);
  config.word_piece.continuing_subword_prefix = "0123456789abcdefg";
  add("a prefix too long for the short way", small, config);
  return tokenizers;
}

class Chance {
public:
  std::size_t below(std::size_t end) { return random_() % end; }
  template <class T> const T& of(const std::vector<T>& items) { return items[below(items.size())]; }

private:
  std::mt19937 random_{1};
};

const std::vector<std::vector<std::string>>& pieces() {
  static const std::vector<std::vector<std::string>> classes{
      {" ", " ", " ", "  ", "\t", "\n", "\r\n", "\xC2\xA0", "\xE3\x80\x80", "\x0B", "\x0C"},
      {".", ",", "'", "!", "!!", "...", "-", "--", "(", ")", "\"", "@", "[", "]", "`", "{", "~", "/", ":", "^"},
      {"the", "The", "THE", "film", "a", "an", "is", "joy", "unaffable", "Unaffable", "cafe", "42", "3d", "x", "xx",
       "B"},
      {std::string(15, 'a'), std::string(16, 'b'), std::string(17, 'c'), std::string(40, 'a'), std::string(63, 'd'),
       std::string(64, 'e'), std::string(65, 'F'), std::string(99, 'g'), std::string(100, 'h'), std::string(101, 'i'),
       std::string(300, 'j'), "telecommunications", "Pneumonoultramicroscopicsilicovolcanoconiosis"},
      {"caf\xC3\xA9", "na\xC3\xAFve", "\xC3\x85", "e\xCC\x81", "\xCC\x81", "\xC4\xB0", "\xC3\x9F", "\xE1\xBA\x9E",
       "\xE2\x80\x99", "\xE2\x80\x9C", "\xE2\x80\x94", "\xE3\x80\xAE", "\xD0\xB6", "\xE2\x84\xAA"},
      {"\xE4\xB8\xAD", "\xE6\x96\x87", "\xED\x95\x9C", "\xF0\xA0\x80\x80", "\xF0\x9F\x98\x80", "\xE0\xA4\xBF"},
      {std::string(1, '\0'), "\x01", "\x1B", "\x7F", "\xC2\xAD", "\xE2\x80\x8B", "\xEF\xBB\xBF", "\xEF\xBF\xBD",
       "\xEE\x80\x80"},
      {"[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "[sep]", "[SE", "P]", "[", "<x>", "the film", "Caf\xC3\xA9",
       "CAFE"},
      {"\xFF", "\xC3", "\xE2\x82", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"}};
  return classes;
}

std::string make_text(Chance& chance) {
  const std::size_t style = chance.below(4); // 0: English words, 1: any ASCII, 2: of everything, 3: any bytes
  std::string text;
  for (std::size_t length = chance.below(style == 0 ? 24 : 12); length > 0; --length) {
    if (style == 0)
      text += chance.of(pieces()[chance.below(20) == 0 ? chance.below(5) : 2]) + (chance.below(8) != 0 ? " " : ". ");
    else if (style == 1)
      for (std::size_t run = chance.below(20); run > 0; --run)
        text += static_cast<char>(chance.below(8) != 0 ? 32 + chance.below(95) : chance.below(128));
    else if (style == 2)
      text += chance.of(chance.of(pieces()));
    else
      text += static_cast<char>(chance.below(256));
  }
  return text;
}

} // namespace

TEST_CASE("append_ids yields what encode yields") {
  constexpr std::size_t texts_each = 17000;
  const std::vector<std::size_t> limits{0, 0, 0, 2, 3, 4, 7, 16, 512};
  const auto tokenizers = make_tokenizers();
  Chance chance;
  std::vector<std::int32_t> ids;
  std::size_t compared = 0, wrong = 0;
  for (const auto& named : tokenizers) {
    const Tokenizer& tokenizer = named.second;
    for (std::size_t i = 0; i < texts_each; ++i, ++compared) {
      const std::string text = make_text(chance);
      EncodeOptions options;
      options.max_length = chance.of(limits);
      Encoding encoding;
      ids.assign(1, 42);
      Tokenizer::IdCount count{};
      const auto exact = support::thrown_by([&] { encoding = tokenizer.encode(text, options); });
      const auto shorter = support::thrown_by([&] { count = tokenizer.append_ids(text, options.max_length, ids); });
      const bool same = exact.message == shorter.message && ids.front() == 42 &&
                        std::vector(ids.begin() + 1, ids.end()) == encoding.ids && count.count == encoding.size() &&
                        count.truncated == encoding.truncated;
      wrong += !same;
      if (!same && wrong < 10) {
        CAPTURE(named.first);
        CAPTURE(text);
        CHECK(std::vector(ids.begin() + 1, ids.end()) == encoding.ids);
        CHECK(count.truncated == encoding.truncated);
        CHECK(shorter.message == exact.message);
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(compared >= 200000);
}
