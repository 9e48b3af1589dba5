#include "redis_connection.hpp"

#include <array>
#include <cerrno>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace service {
namespace {

bool set(int descriptor, int level, int name, int value) {
  return setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

} // namespace

bool RedisConnection::connect(const RedisAddress& address) {
  close();
  const int family = address.storage.ss_family;
  descriptor_ = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0)
    return false;
  if (family != AF_UNIX) {
    set(descriptor_, IPPROTO_TCP, TCP_NODELAY, 1);
    // A connection that dies in silence is known to be dead within half a minute, and not to its next user.
    set(descriptor_, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(descriptor_, IPPROTO_TCP, TCP_KEEPIDLE, 15);
    set(descriptor_, IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(descriptor_, IPPROTO_TCP, TCP_KEEPCNT, 3);
  }
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0 &&
      errno != EINPROGRESS) {
    close();
    return false;
  }
  reader_.emplace(max_reply_bytes_);
  return true;
}

bool RedisConnection::connected() const {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

void RedisConnection::close() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
  descriptor_ = -1;
  output_ = {};
  written_ = 0;
  reader_.reset();
}

bool RedisConnection::flush() {
  while (written_ < output_.size()) {
    const ssize_t count = ::send(descriptor_, output_.data() + written_, output_.size() - written_, MSG_NOSIGNAL);
    if (count < 0)
      return would_block();
    written_ += static_cast<std::size_t>(count);
  }
  output_.clear();
  written_ = 0;
  return true;
}

bool RedisConnection::read() {
  std::array<char, 65536> buffer;
  const ssize_t count = recv(descriptor_, buffer.data(), buffer.size(), 0);
  if (count <= 0)
    return count < 0 && would_block();
  reader_->feed({buffer.data(), static_cast<std::size_t>(count)});
  return true;
}

} // namespace service
