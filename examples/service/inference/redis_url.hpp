#pragma once
// Where a Redis server is, and as whom to log in.

#include <cstdint>
#include <string>
#include <string_view>

namespace service {

struct RedisUrl {
  std::string host;          // a name or an address; empty: the server is at `path`
  std::uint16_t port = 6379; // of TCP
  std::string path;          // of a Unix socket
  std::string user;          // empty: the default user
  std::string password;      // empty: no log-in
  unsigned database = 0;
};

/// Reads redis://[[user]:password@]host[:port][/database] or unix://[[user]:password@]/path[?db=database]. An IPv6
/// address stands in brackets; user, password and path may hold percent-encoded bytes.
/// Throws std::invalid_argument whose what() is a sentence for people that holds no part of the URL: it may be secret.
RedisUrl parse_redis_url(std::string_view url);

} // namespace service
