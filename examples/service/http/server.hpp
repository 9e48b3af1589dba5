#pragma once
// HTTP/1.1 on TCP: connections in, requests to a handler, responses out. Boost.Asio carries the bytes.

#include "message.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace service {

struct ServerOptions {
  std::string host = "0.0.0.0";         // address to listen at: of IPv4 or IPv6
  std::uint16_t port = 8000;            // 0: one that the system chooses
  std::size_t threads = 1;              // of connections; each connection belongs to one of them
  std::size_t max_connections = 20'000; // what comes beyond is answered 503 and closed
  std::size_t max_body_bytes = 2'000'000;
  // Of all requests under way, and as much again of all answers above 64 KiB; what comes beyond is answered 503.
  std::size_t max_total_body_bytes = 256'000'000;
  std::size_t min_body_rate = 256; // bytes a second of a body, on average over half of body_timeout
  // Each is for the whole, however the bytes trickle. A request that is late is answered 408.
  std::chrono::milliseconds header_timeout{5'000}; // from the first byte of a request to the end of its header
  std::chrono::milliseconds body_timeout{10'000};  // for the body
  std::chrono::milliseconds write_timeout{10'000}; // for a client to take the answer
  std::chrono::milliseconds idle_timeout{75'000};  // between requests, and before the first; closed without a word
  std::chrono::milliseconds linger_timeout{2'000}; // for a client to close after the last answer
  // Told of each answer that no handler gives: to what is no request, too long, too late, one connection too many,
  // `OPTIONS *`, or in place of an answer for which there is no room. The method may be empty or anything. Runs on the
  // threads of connections; must not throw.
  std::function<void(std::string_view method, unsigned status)> on_own_answer = {};
};

/// A server that listens from its construction on. All methods are safe from any thread but those of its connections,
/// on which the handler runs. What the handler holds of a request may outlive the server: its answer then goes nowhere.
class Server {
public:
  /// Takes a request; routes are behind it. Runs on the thread of the connection, which it must not keep: what takes
  /// long answers later. `gone` of the request's caller turns true when the client has reset the connection. A
  /// connection whose Respond is gone unused is cut, within a second or so.
  using Handle = std::function<void(Request, Respond)>;

  /// Listens at once; throws std::system_error whose what() says why it cannot, in a line.
  Server(const ServerOptions& options, Handle handle);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Cuts what is still open.
  ~Server();

  std::uint16_t port() const;
  std::size_t connections() const;

  /// From now on every response says `Connection: close`, and idle connections are closed; new ones are still taken, as
  /// is a connection that came a moment ago and is about to send its request.
  void start_drain();
  /// Drains, takes no new connection, waits until every request that has begun is answered, `limit` at most, then
  /// closes all. Whether every request that had come in whole was answered.
  bool finish(std::chrono::milliseconds limit);

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace service
