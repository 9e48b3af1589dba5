#pragma once
// HTTP/1.1 on TCP: connections in, requests to a handler, responses out. Boost.Beast does the parsing.

#include "message.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace service {

struct ServerOptions {
  std::string host = "0.0.0.0"; // address to listen at: of IPv4 or IPv6
  std::uint16_t port = 8000;    // 0: one that the system chooses
  std::size_t threads = 1;      // of connections; each connection belongs to one of them
  std::size_t max_connections = 20'000;
  std::size_t max_body_bytes = 2'000'000;
  std::chrono::milliseconds header_timeout{5'000}; // from the first byte of a request to the end of its header
  std::chrono::milliseconds body_timeout{10'000};  // for the body
  std::chrono::milliseconds write_timeout{10'000}; // for a client to take the answer
  std::chrono::milliseconds idle_timeout{75'000};  // between requests, and before the first
};

/// A server that listens from its construction on. All methods are safe from any thread.
class Server {
public:
  /// Takes a request; routes are behind it.
  using Handle = std::function<void(Request, Respond)>;

  /// Listens at once; throws std::system_error whose what() says why it cannot, in a line.
  Server(const ServerOptions& options, Handle handle);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Cuts what is still open.
  ~Server();

  std::uint16_t port() const;
  std::size_t connections() const;

  /// From now on every response says `Connection: close`, and idle connections are closed; new ones are still taken.
  void start_drain();
  /// Takes no new connection, waits until every accepted request is answered, `limit` at most, then closes all. Whether
  /// all was answered.
  bool finish(std::chrono::milliseconds limit);

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace service
