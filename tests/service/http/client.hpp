#pragma once
// A client of a server in the same process.

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace service::test {

/// A client that blocks, for ten seconds at most.
class Client {
public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::close(socket_); }

  void send(const std::string& bytes) {
    REQUIRE(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }

  /// All bytes until the server closes, `most` of them.
  std::string receive(std::size_t most = std::string::npos) {
    std::string all;
    char bytes[4096];
    for (ssize_t size;
         all.size() < most && (size = ::recv(socket_, bytes, std::min(sizeof bytes, most - all.size()), 0)) > 0;)
      all.append(bytes, static_cast<std::size_t>(size));
    return all;
  }

  /// Lets its end be that of a program that has crashed.
  void reset_at_end() {
    const linger none{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }

private:
  int socket_;
};

} // namespace service::test
