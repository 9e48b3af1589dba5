#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <distilbert/text/byte_trie.hpp>

using distilbert::detail::ByteTrie;

TEST_CASE("an empty trie holds nothing") {
  const ByteTrie trie;
  CHECK(trie.key_count() == 0);
  CHECK(trie.value(trie.descend(ByteTrie::root, "")) == ByteTrie::no_value);
  CHECK(trie.longest_match(ByteTrie::root, "abc").value == ByteTrie::no_value);
}

TEST_CASE("the longest key wins, and of equal keys the last") {
  const ByteTrie trie({{"a", 1}, {"abc", 2}, {"##b", 3}, {"a", 4}, {"", 5}, {std::string_view("\0\xFF", 2), 6}});
  CHECK(trie.key_count() == 5);
  CHECK(trie.value(trie.descend(ByteTrie::root, "a")) == 4);
  CHECK(trie.value(trie.descend(ByteTrie::root, "ab")) == ByteTrie::no_value);
  CHECK(trie.value(ByteTrie::root) == 5);
  CHECK(trie.longest_match(ByteTrie::root, "abcd").length == 3);
  CHECK(trie.longest_match(ByteTrie::root, "abd").value == 4);
  CHECK(trie.longest_match(ByteTrie::root, "abd").length == 1);
  CHECK(trie.longest_match(ByteTrie::root, "x").value == ByteTrie::no_value); // the empty key matches nothing
  CHECK(trie.longest_match(ByteTrie::root, std::string_view("\0\xFF!", 3)).value == 6);
  CHECK(trie.longest_match(trie.descend(ByteTrie::root, "##"), "bb").value == 3);
  CHECK(trie.descend(ByteTrie::root, "##c") == ByteTrie::nowhere);
}

TEST_CASE("it agrees with a map on random keys") {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::map<std::string, std::int32_t> map;
    std::vector<std::string> keys;
    for (int i = 0; i < 60; ++i) {
      std::string key;
      for (auto length = random() % 12; length > 0; --length)
        key += static_cast<char>(random() % 3 * 127); // equal beginnings, and bytes above 0x7F
      keys.push_back(key);
    }
    std::vector<ByteTrie::Entry> entries;
    for (const std::string& key : keys) {
      map[key] = static_cast<std::int32_t>(entries.size());
      entries.push_back({key, map[key]});
    }
    const ByteTrie trie(entries);
    REQUIRE(trie.key_count() == map.size());
    for (const auto& [key, value] : map) {
      REQUIRE(trie.value(trie.descend(ByteTrie::root, key)) == value);
      const std::string text = key + keys[random() % keys.size()];
      std::size_t longest = 0;
      for (std::size_t length = 1; length <= text.size(); ++length)
        if (map.count(text.substr(0, length)) != 0)
          longest = length;
      const ByteTrie::Match match = trie.longest_match(ByteTrie::root, text);
      REQUIRE(match.length == longest);
      if (longest != 0)
        REQUIRE(match.value == map[text.substr(0, longest)]);
    }
  }
}
