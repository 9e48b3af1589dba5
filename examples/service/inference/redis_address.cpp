#include "redis_address.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <netdb.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

namespace service {
namespace {

std::vector<RedisAddress> look_up(const RedisUrl& url, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &list) != 0)
    return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  std::vector<RedisAddress> addresses;
  constexpr std::size_t most = 4;
  for (const addrinfo* entry = list; entry != nullptr && addresses.size() < most; entry = entry->ai_next) {
    RedisAddress& address = addresses.emplace_back();
    address.size = entry->ai_addrlen;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
  }
  return addresses;
}

} // namespace

RedisWake::RedisWake() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_ < 0)
    throw std::system_error(errno, std::generic_category(), "eventfd");
}

RedisWake::~RedisWake() { close(descriptor_); }

void RedisWake::ring() const { eventfd_write(descriptor_, 1); }

void RedisWake::silence() const {
  eventfd_t count;
  eventfd_read(descriptor_, &count);
}

std::vector<RedisAddress> resolve_redis(const RedisUrl& url) { return look_up(url, 0); }

std::vector<RedisAddress> literal_redis_address(const RedisUrl& url) {
  if (!url.host.empty())
    return look_up(url, AI_NUMERICHOST);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  url.path.copy(name.sun_path, sizeof name.sun_path - 1);
  RedisAddress address{};
  address.size = sizeof name;
  std::memcpy(&address.storage, &name, sizeof name);
  return {address};
}

std::future<std::vector<RedisAddress>> resolve_in_background(RedisResolve resolve, const RedisUrl& url,
                                                             std::shared_ptr<const RedisWake> wake) {
  std::promise<std::vector<RedisAddress>> promise;
  auto future = promise.get_future();
  std::thread([resolve = std::move(resolve), url, wake = std::move(wake), promise = std::move(promise)]() mutable {
    std::vector<RedisAddress> addresses;
    try {
      addresses = resolve(url);
    } catch (const std::exception&) { // as if the name were not known
    }
    promise.set_value(std::move(addresses));
    wake->ring();
  }).detach();
  return future;
}

} // namespace service
