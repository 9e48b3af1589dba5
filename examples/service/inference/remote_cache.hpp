#pragma once
// A cache outside of this process, shared by its replicas.

#include "engine.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace service {

/// Never the reason for a call to fail: at worst it finds nothing. Thread-safe.
class RemoteCache {
public:
  /// Rows in the order of the keys; null where there is none.
  using Found = std::function<void(std::vector<std::shared_ptr<const Row>>)>;

  virtual ~RemoteCache() = default;

  /// Looks rows up. Calls `found` exactly once, on any thread, possibly before it returns, and at the latest when the
  /// cache's budget of time is used up. A key is any string of bytes; two keys never share a row.
  virtual void get(std::vector<std::string> keys, Found found) = 0;

  /// Stores a row, some time later; may forget it.
  virtual void put(std::string key, std::shared_ptr<const Row> row) = 0;
};

} // namespace service
