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

using distilbert::detail::share;
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
  return TokenTable(share(text), extents);
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
  const TokenTable table(share("ab"), {{0, 0}, TokenTable::absent, {0, 2}, TokenTable::absent});
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
