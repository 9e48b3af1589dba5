#pragma once
// From the URL of a Redis server to addresses of sockets.

#include "redis_url.hpp"

#include <functional>
#include <future>
#include <memory>
#include <vector>

#include <sys/socket.h>

namespace service {

struct RedisAddress {
  sockaddr_storage storage;
  socklen_t size;
};

/// Wakes a thread that polls. All methods are safe from any thread.
class RedisWake {
public:
  /// Throws std::system_error.
  RedisWake();
  RedisWake(const RedisWake&) = delete;
  RedisWake& operator=(const RedisWake&) = delete;
  ~RedisWake();

  int descriptor() const { return descriptor_; } // readable after ring(), until silence()
  void ring() const;
  void silence() const;

private:
  int descriptor_;
};

/// The addresses of a server; none if there are none, or the name is not known. May take as long as a resolver likes.
using RedisResolve = std::function<std::vector<RedisAddress>(const RedisUrl&)>;

/// Asks the system's resolver (getaddrinfo). At most four addresses, in its order.
std::vector<RedisAddress> resolve_redis(const RedisUrl& url);

/// The address, if the URL has no name that must be looked up; else none.
std::vector<RedisAddress> literal_redis_address(const RedisUrl& url);

/// Calls `resolve` on a thread that nobody waits for: not the one who drops the future, nor the end of the process.
/// Rings when the future is ready.
std::future<std::vector<RedisAddress>> resolve_in_background(RedisResolve resolve, const RedisUrl& url,
                                                             std::shared_ptr<const RedisWake> wake);

} // namespace service
