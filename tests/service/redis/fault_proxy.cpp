#include "fault_proxy.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using Clock = std::chrono::steady_clock;

FaultProxy::FaultProxy(std::string target)
    : target_(std::move(target)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&name), size) != 0 || listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&name), &size) != 0)
    throw std::runtime_error("the proxy cannot listen");
  port_ = ntohs(name.sin_port);
  thread_ = std::thread([this] { accept_all(); });
}

FaultProxy::~FaultProxy() {
  stop_ = true;
  thread_.join();
  for (std::thread& thread : threads_)
    thread.join();
  close(listener_);
}

void FaultProxy::set(const Fault& fault) {
  const std::lock_guard<std::mutex> lock(mutex_);
  fault_ = fault;
}

Fault FaultProxy::fault() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return fault_;
}

void FaultProxy::accept_all() {
  while (!stop_) {
    pollfd polled{listener_, POLLIN, 0};
    if (poll(&polled, 1, 5) <= 0)
      continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0)
      continue;
    ++connections_;
    threads_.emplace_back([this, client] { serve(client); });
  }
}

void FaultProxy::serve(int client) {
  const int on = 1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  target_.copy(name.sun_path, sizeof name.sun_path - 1);
  bool goes_on = connect(server, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;

  constexpr std::string_view pong = "+PONG\r\n";
  std::deque<std::pair<Clock::time_point, std::string>> late;
  std::array<char, 65536> buffer;
  std::size_t passed = 0;
  bool greeted = false, inserted = false;
  const auto pass_on = [&](std::string_view bytes, const Fault& fault) {
    const std::size_t whole = bytes.size();
    if (passed + whole > fault.cut_after) {
      bytes = bytes.substr(0, fault.cut_after - std::min(passed, fault.cut_after));
      harmed_ += whole - bytes.size();
      goes_on = false;
    }
    passed += bytes.size();
    for (std::size_t i = 0, piece = fault.drip ? 1 : bytes.size(); i < bytes.size(); i += piece)
      if (send(client, bytes.data() + i, std::min(piece, bytes.size() - i), MSG_NOSIGNAL) < 0)
        goes_on = false;
    if (!goes_on && fault.reset) {
      const linger none{1, 0};
      setsockopt(client, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    }
  };

  while (goes_on && !stop_) {
    std::array<pollfd, 2> polled{{{client, POLLIN, 0}, {server, POLLIN, 0}}};
    poll(polled.data(), polled.size(), late.empty() ? 5 : 1);
    const Fault fault = this->fault();
    if (polled[0].revents != 0) {
      const ssize_t count = recv(client, buffer.data(), buffer.size(), 0);
      if (count <= 0 || send(server, buffer.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL) != count)
        break;
    }
    if (polled[1].revents != 0) {
      const ssize_t count = recv(server, buffer.data(), buffer.size(), 0);
      if (count <= 0)
        break;
      std::string bytes(buffer.data(), static_cast<std::size_t>(count));
      if (fault.swallow) {
        harmed_ += bytes.size();
        bytes.clear();
      } else if (!fault.greeting.empty()) {
        harmed_ += bytes.size();
        bytes = fault.greeting;
      } else if (greeted && !fault.instead.empty()) {
        harmed_ += bytes.size();
        bytes = fault.instead;
      } else if (greeted && !fault.insert.empty() && !std::exchange(inserted, true)) {
        harmed_ += fault.insert.size();
        bytes = fault.insert + bytes;
      }
      greeted = greeted || bytes.ends_with(pong);
      harmed_ += fault.delay.count() > 0 ? bytes.size() : 0;
      late.emplace_back(Clock::now() + fault.delay, std::move(bytes));
    }
    for (; goes_on && !late.empty() && late.front().first <= Clock::now(); late.pop_front())
      pass_on(late.front().second, fault);
  }
  close(server);
  close(client);
}
