#include "lru_cache.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace service {

namespace {

/// What malloc takes for a block.
constexpr std::size_t allocated(std::size_t bytes) {
  return std::max<std::size_t>((bytes + sizeof(void*) + 15) / 16 * 16, 32);
}

} // namespace

std::size_t LruCache::bytes_of(const TextKey& key, const Row& row) {
  constexpr std::size_t pointer = sizeof(void*);
  constexpr std::size_t entry = allocated(2 * pointer + sizeof(Entry));
  constexpr std::size_t place = allocated(pointer + sizeof(Places::value_type) + sizeof(std::size_t));
  constexpr std::size_t buckets = 4 * pointer; // the table may have twice the places it needs, while it grows thrice
  constexpr std::size_t row_object = allocated(2 * pointer + sizeof(Row));
  const std::size_t bytes =
      key.bytes().capacity() > std::string().capacity() ? allocated(key.bytes().capacity() + 1) : 0;
  return entry + place + buckets + row_object + bytes + allocated(row.capacity() * sizeof(float));
}

std::shared_ptr<const Row> LruCache::find(const TextKey& key) {
  const auto found = places_.find(&key);
  if (found == places_.end())
    return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->row;
}

void LruCache::insert(TextKey key, std::shared_ptr<const Row> row) {
  const std::size_t bytes = bytes_of(key, *row);
  if (bytes > most_bytes_ || find(key))
    return;
  while (bytes > most_bytes_ - bytes_)
    drop_oldest();
  entries_.push_front({std::move(key), std::move(row), bytes});
  try {
    places_.emplace(&entries_.front().key, entries_.begin());
  } catch (...) {
    entries_.pop_front();
    throw;
  }
  bytes_ += bytes;
}

void LruCache::drop_oldest() {
  places_.erase(&entries_.back().key);
  bytes_ -= entries_.back().bytes;
  entries_.pop_back();
}

} // namespace service
