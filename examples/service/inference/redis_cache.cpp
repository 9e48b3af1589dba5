#include "redis_cache.hpp"

#include "redis_value.hpp"
#include "redis_worker.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace service {

RedisCache::RedisCache(RedisOptions options)
    : options_(std::move(options)), worker_(std::make_unique<Worker>(options_, stats_)) {}

RedisCache::~RedisCache() = default;

void RedisCache::get(std::vector<std::string> keys, Found found) {
  if (keys.empty() || stats_.breaker == RedisStats::Breaker::open) {
    worker_->count_errors(keys.size());
    return found(std::vector<std::shared_ptr<const Row>>(keys.size()));
  }
  for (std::string& key : keys)
    key = redis_key(options_.fingerprint, key);
  worker_->get(std::move(keys), std::move(found));
}

void RedisCache::put(std::string key, std::shared_ptr<const Row> row) {
  const auto finite = [](float value) { return std::isfinite(value); };
  if (stats_.breaker == RedisStats::Breaker::open || row->size() > options_.max_row_floats ||
      !std::all_of(row->begin(), row->end(), finite)) {
    ++stats_.dropped;
    return;
  }
  key = redis_key(options_.fingerprint, key);
  const std::string value = RedisValue::encode(key, *row);
  worker_->put(options_.ttl.count() > 0 ? redis_command({"SET", key, value, "EX", std::to_string(options_.ttl.count())})
                                        : redis_command({"SET", key, value}));
}

} // namespace service
