#pragma once
// The cache in this process: rows by the texts' keys, those not asked for the longest give way.

#include "text_key.hpp"

#include <cstddef>
#include <list>
#include <memory>
#include <unordered_map>

namespace service {

/// Not thread-safe.
class LruCache {
public:
  /// Holds at most so many bytes, all that it allocates and the rows counted, as glibc's malloc gives them out. A row
  /// that is still held elsewhere after it gave way is no longer counted.
  explicit LruCache(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  /// The text's row, or null. It is now the last to give way.
  std::shared_ptr<const Row> find(const TextKey& key);

  /// Keeps the row of a text. One that is larger than the whole cache is not kept. Throws std::bad_alloc, and then has
  /// not kept it.
  void insert(TextKey key, std::shared_ptr<const Row> row);

  std::size_t bytes() const { return bytes_; }
  std::size_t size() const { return entries_.size(); }

private:
  struct Entry {
    TextKey key;
    std::shared_ptr<const Row> row;
    std::size_t bytes;
  };
  using Entries = std::list<Entry>;
  using Places = std::unordered_map<const TextKey*, Entries::iterator, SameKey, SameKey>;

  static std::size_t bytes_of(const TextKey& key, const Row& row);
  void drop_oldest();

  std::size_t most_bytes_, bytes_ = 0;
  Entries entries_; // the last used first
  Places places_;
};

} // namespace service
