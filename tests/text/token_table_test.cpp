#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <distilbert/text/token_table.hpp>

#include "support.hpp"

using distilbert::detail::ShortText;
using distilbert::detail::TokenTable;

namespace {

TokenTable table_of(const std::vector<std::string>& tokens) {
  std::string text;
  std::vector<TokenTable::Extent> extents;
  for (const std::string& token : tokens) {
    extents.push_back({static_cast<std::uint32_t>(text.size()), static_cast<std::uint32_t>(token.size())});
    text += token;
  }
  return TokenTable(text, extents);
}

TokenTable::Match longest_match(const TokenTable& table, std::string_view word, std::size_t shorter = 0) {
  const std::string padded = std::string(word) + std::string(16, '?');
  return table.longest_match(padded.data(), word.size(), shorter);
}

/// 16 bytes whose hash by `seed` is the same for every `high`.
std::string colliding(std::uint64_t high, std::size_t seed) {
  const std::uint64_t factor = TokenTable::factors[seed][0];
  std::uint64_t inverse = factor; // Newton's method modulo 2^64
  for (int i = 0; i < 6; ++i)
    inverse *= 2 - factor * inverse;
  const std::uint64_t low = (42 - high * TokenTable::factors[seed][1]) * inverse;
  std::string token(16, '\0');
  std::memcpy(token.data(), &low, 8);
  std::memcpy(token.data() + 8, &high, 8);
  return token;
}

void set_word(std::string& bytes, std::size_t at, std::uint32_t word) { std::memcpy(&bytes[at], &word, sizeof word); }

/// Whether the table is refused; one that is not answers every question, rightly or wrongly, and a sanitizer looks on.
bool is_refused(const std::string& bytes) {
  const auto thrown = support::thrown_by([&] {
    const TokenTable table = TokenTable::from_bytes(support::placed(bytes));
    std::string word = "abc";
    for (std::size_t number = 0; number < table.size(); ++number)
      word += table.token(number);
    for (std::size_t begin = 0; begin < word.size(); ++begin) {
      const auto match = longest_match(table, std::string_view(word).substr(begin));
      REQUIRE(match.value < static_cast<std::int32_t>(table.size()));
      REQUIRE(table.find(std::string_view(word).substr(begin)) < static_cast<std::int32_t>(table.size()));
    }
  });
  CHECK((!thrown.code || thrown.code == distilbert::ErrorCode::invalid_packed_model));
  return thrown.code.has_value();
}

} // namespace

TEST_CASE("an empty table holds nothing") {
  for (const TokenTable& table : {TokenTable(), table_of({})}) {
    CHECK(table.token_count() == 0);
    CHECK(table.find("") == TokenTable::none);
    CHECK(table.find("a") == TokenTable::none);
    CHECK(table.find(ShortText::load_padded("a"), 1) == TokenTable::none);
    CHECK(longest_match(table, "abc").value == TokenTable::none);
    CHECK(longest_match(table, std::string(40, 'a')).value == TokenTable::none);
  }
}

TEST_CASE("of equal tokens the last counts, and null bytes are bytes") {
  using namespace std::string_literals;
  const auto table =
      table_of({"a", "a\0"s, "b", "a", "", "\0"s, "", "long, long, long token", "long, long, long token"});
  CHECK(table.token_count() == 6);
  CHECK(table.find("a") == 3);
  CHECK(table.find("a\0"s) == 1);
  CHECK(table.find("\0"s) == 5);
  CHECK(table.find("\0\0"s) == TokenTable::none);
  CHECK(table.find("") == 6);
  CHECK(table.find("long, long, long token") == 8);
  CHECK(table.find("long, long, long tokem") == TokenTable::none);
  CHECK(table.find(ShortText::load_padded("b"), 1) == 2);
}

TEST_CASE("numbers without a token") {
  const TokenTable table("ab", {{0, 0}, TokenTable::absent, {0, 2}, TokenTable::absent});
  CHECK(table.size() == 4);
  CHECK(table.token_count() == 2);
  CHECK(table.find("") == 0);
  CHECK(table.find("ab") == 2);
  CHECK(table.token(1).empty());
  CHECK(table.token(2) == "ab");
}

TEST_CASE("it agrees with a map on random tokens, short and long") {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::map<std::string, std::int32_t> map;
    std::vector<std::string> tokens;
    for (int i = 0; i < 60; ++i) {
      std::string token;
      for (auto length = random() % (round % 2 == 0 ? 12 : 40); length > 0; --length)
        token += static_cast<char>(random() % 8 == 0 ? random() % 3 * 127 : 'a'); // equal beginnings, any bytes
      map[token] = i;
      tokens.push_back(token);
    }
    const TokenTable table = table_of(tokens);
    REQUIRE(table.token_count() == map.size());
    for (const auto& [token, value] : map) {
      REQUIRE(table.find(token) == value);
      const std::string word = token + tokens[random() % tokens.size()];
      const std::size_t shorter = random() % 4;
      std::size_t longest = 0;
      for (std::size_t length = shorter + 1; length <= word.size(); ++length)
        if (map.count(word.substr(0, length)) != 0)
          longest = length;
      const TokenTable::Match match = longest_match(table, word, shorter);
      REQUIRE(match.length == longest);
      REQUIRE(match.value == (longest == 0 ? TokenTable::none : map[word.substr(0, longest)]));
    }
  }
}

TEST_CASE("tokens that collide under one hash are found under another") {
  std::vector<std::string> tokens;
  for (std::uint64_t i = 0; i < 20000; ++i)
    tokens.push_back(colliding(i, i % 2)); // half of them under the first hash, half under the second
  const TokenTable table = table_of(tokens);
  std::size_t found = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    found += table.find(tokens[i]) == static_cast<std::int32_t>(i);
  CHECK(found == tokens.size());
}

TEST_CASE("tokens that collide under every hash are refused") {
  std::vector<std::string> tokens;
  for (std::uint64_t i = 0; i < 4000; ++i)
    tokens.push_back(colliding(i, i % TokenTable::seed_count));
  CHECK(support::thrown_by([&] { table_of(tokens); }).code == distilbert::ErrorCode::invalid_vocabulary);
}

TEST_CASE("a table that lies elsewhere is used there, and is the one that was built") {
  std::mt19937 random(2);
  for (const std::size_t count : {0u, 1u, 7u, 300u}) {
    std::vector<std::string> tokens{"", "a long, long, long token"};
    for (std::size_t i = 0; i < count; ++i)
      tokens.push_back(std::string(1 + random() % 20, static_cast<char>('a' + random() % 3)) + std::to_string(i % 90));
    const TokenTable built = table_of(tokens);
    CHECK(built.bytes().size() % 64 == 0);
    const auto bytes = support::placed(built.bytes());
    const TokenTable table = TokenTable::from_bytes(bytes);
    CHECK(table.bytes().data() == bytes.bytes.data());
    CHECK(table.text() == built.text());
    CHECK(table.size() == built.size());
    CHECK(table.token_count() == built.token_count());
    std::string words;
    for (std::size_t number = 0; number < built.size(); ++number) {
      REQUIRE(table.token(number) == tokens[number]);
      REQUIRE(table.find(tokens[number]) == built.find(tokens[number]));
      words += tokens[number];
    }
    for (std::size_t begin = 0; begin < words.size(); ++begin) {
      const auto expected = longest_match(built, std::string_view(words).substr(begin));
      const auto found = longest_match(table, std::string_view(words).substr(begin));
      REQUIRE(found.value == expected.value);
      REQUIRE(found.length == expected.length);
    }
  }
}

TEST_CASE("a broken table is refused, or answers wrongly, and nothing worse") {
  const std::string good(table_of({"a", "ab", "", "a long, long, long token", "b"}).bytes());
  REQUIRE_FALSE(is_refused(good));
  for (std::size_t size = 0; size < good.size(); ++size)
    REQUIRE(is_refused(good.substr(0, size)));
  CHECK(is_refused(good + std::string(64, '\0')));

  // size, token_count, text_bytes, longest, seed, reach, empty_token
  const std::uint32_t least_impossible[] = {6, 6, 256, 29, 4, 256, 5};
  for (std::size_t field = 0; field < std::size(least_impossible); ++field)
    for (const std::uint32_t value : {least_impossible[field], 0x7fffffffu, 0x80000000u, 0xfffffffeu}) {
      CAPTURE(field);
      CAPTURE(value);
      std::string bad = good;
      set_word(bad, 4 * field, value);
      CHECK(is_refused(bad));
    }
  std::size_t refused = 0;
  for (std::size_t at = 0; at < good.size(); at += 4)
    for (const std::uint32_t value : {0u, 1u, 5u, 6u, 28u, 29u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      std::string bad = good;
      set_word(bad, at, value);
      refused += is_refused(bad);
    }
  CHECK(refused > 4 * (5 * 2 + 1 + 256)); // a slot's number has four values that are too large, an extent more

  std::string full = good; // no slot is free: whoever looks for one must stop
  const std::size_t slots = 32 + 2 * 8, end = slots + (5 * 2 + 1 + 256) * 8;
  for (std::size_t at = slots; at < end; at += 8)
    set_word(full, at + 4, 1);
  set_word(full, 20, 255); // reach
  CHECK_FALSE(is_refused(full));
}
