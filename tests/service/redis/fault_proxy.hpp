#pragma once
// A network between the cache and Redis that can be as bad as one likes.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

/// What happens to what the server says; the client is always heard.
struct Fault {
  std::chrono::milliseconds delay{0};                              // each byte arrives so much later
  std::size_t cut_after = std::numeric_limits<std::size_t>::max(); // bytes of a connection, which is closed then
  bool reset = false;                                              // what is cut is cut by RST, not FIN
  bool drip = false;                                               // a byte a packet
  bool swallow = false;                                            // nothing arrives, and nothing ends
  std::string instead;                                             // once the greeting is over, said for all else
  std::string greeting;                                            // said for all, from the first byte on
  std::string insert;                                              // said once, when the greeting is over
};

/// Listens at a port of its own and passes all on to a Unix socket. Thread-safe.
class FaultProxy {
public:
  explicit FaultProxy(std::string target);
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;
  ~FaultProxy();

  std::uint16_t port() const { return port_; }
  /// From now on, for old connections too.
  void set(const Fault& fault);
  /// How many connections there were.
  int connections() const { return connections_; }
  /// How many bytes of the server's were held back, replaced or cut off by a fault.
  std::size_t harmed() const { return harmed_; }

private:
  void accept_all();
  void serve(int client);
  Fault fault() const;

  std::string target_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  Fault fault_;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  std::atomic<std::size_t> harmed_{0};
  std::vector<std::thread> threads_; // of connections; only accept_all() adds to them
  std::thread thread_;
};
