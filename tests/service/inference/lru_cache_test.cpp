// What the cache holds, in which order it gives way, and that it counts every byte.

#include "service/inference/fake_engine.hpp"
#include "service/inference/lru_cache.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <malloc.h>
#include <new>
#include <random>

namespace {

std::atomic<std::size_t> live{0}; // bytes that malloc has given to operator new

} // namespace

void* operator new(std::size_t bytes) {
  void* block = std::malloc(bytes);
  if (!block)
    throw std::bad_alloc();
  live += malloc_usable_size(block) + sizeof(std::size_t);
  return block;
}
void operator delete(void* block) noexcept {
  if (block)
    live -= malloc_usable_size(block) + sizeof(std::size_t);
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

using namespace service;
using namespace service::test;

namespace {

TextKey key(std::vector<std::int32_t> ids, std::vector<std::int32_t> types = {}, Output output = Output::pooled) {
  return *TextKey::of(output, text(std::move(ids), std::move(types)));
}

std::shared_ptr<const Row> row(float value, std::size_t size = 2) { return std::make_shared<const Row>(size, value); }

} // namespace

TEST_CASE("keys differ where texts do, and only there") {
  const std::vector<TextKey> different = {key({}),
                                          key({1}),
                                          key({0}),
                                          key({1, 0}),
                                          key({1, 2, 0, 1}),
                                          key({1, 2}, {0, 1}),
                                          key({1, 2}),
                                          key({1, 2}, {0, 256}),
                                          key({1}, {}, Output::tokens),
                                          key({}, {}, Output::tokens)};
  for (std::size_t a = 0; a < different.size(); ++a)
    for (std::size_t b = 0; b < different.size(); ++b)
      CHECK((different[a] == different[b]) == (a == b));
  CHECK(key({1, 2}) == key({1, 2}, {0, 0}));
}

TEST_CASE("a key holds its text") {
  const TextKey plain = key({5, 6, 7}), typed = key({5, 6}, {0, 1}, Output::tokens), empty = key({});
  CHECK(plain.text().ids == std::vector{5, 6, 7});
  CHECK(plain.text().type_ids == std::vector{0, 0, 0});
  CHECK(plain.output() == Output::pooled);
  CHECK(plain.tokens() == 3);
  CHECK(typed.text().ids == std::vector{5, 6});
  CHECK(typed.text().type_ids == std::vector{0, 1});
  CHECK(typed.output() == Output::tokens);
  CHECK(typed.tokens() == 2);
  CHECK(empty.text().size() == 0);
}

TEST_CASE("those not asked for the longest give way") {
  LruCache probe(1'000'000);
  probe.insert(key({1}), row(1));
  LruCache cache(3 * probe.bytes());
  for (std::int32_t id : {1, 2, 3})
    cache.insert(key({id}), row(static_cast<float>(id)));
  REQUIRE(cache.size() == 3);
  CHECK(*cache.find(key({1})) == Row{1, 1}); // now 2 is the oldest
  cache.insert(key({4}), row(4));
  CHECK(cache.find(key({2})) == nullptr);
  CHECK(cache.find(key({1})));
  cache.insert(key({3}), row(9)); // is there already; counts as asked for
  CHECK(*cache.find(key({3})) == Row{3, 3});
  cache.insert(key({5}), row(5));
  CHECK(cache.find(key({4})) == nullptr);
  CHECK(cache.size() == 3);
  CHECK(cache.bytes() <= 3 * probe.bytes());

  cache.insert(key({6}), row(6, 100'000)); // larger than the cache: nothing gives way for it
  CHECK(cache.find(key({6})) == nullptr);
  CHECK(cache.size() == 3);
  cache.insert(key({7}), row(7, 60)); // as large as two or three
  CHECK(cache.find(key({7})));
  CHECK(cache.bytes() <= 3 * probe.bytes());
  LruCache none(0);
  none.insert(key({1}), row(1));
  CHECK(none.find(key({1})) == nullptr);
}

TEST_CASE("what the cache allocates never exceeds what it may") {
  std::mt19937 random(7);
  for (const std::size_t most : {100'000u, 1'000'000u, 4'000'000u})
    for (const std::size_t longest : {3u, 40u, 512u}) {
      const std::size_t before = live;
      LruCache cache(most);
      std::size_t largest = 0;
      for (int i = 0; i < 30'000; ++i) {
        std::vector<std::int32_t> ids(1 + random() % longest);
        for (std::int32_t& id : ids)
          id = static_cast<std::int32_t>(random() % 30'000);
        std::vector<std::int32_t> types(random() % 2 ? ids.size() : 0, 1);
        cache.insert(key(std::move(ids), std::move(types)), row(1, 1 + random() % (longest * 8)));
        largest = std::max(largest, live - before);
        if (i % 100 == 0)
          REQUIRE(live - before <= most);
      }
      CHECK(largest <= most);
      CHECK(largest > most * 8 / 10); // and what it may is used
      CHECK(cache.bytes() <= most);
    }
}
