#pragma once
// A thread of connections: its event loop, its connections, and their deadlines.

#include "server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <ctime>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace service {

class Session;

/// What a connection is doing. Each stage may last only so long; `work` for as long as somebody can still answer.
enum class Stage { idle, head, body, work, answer, linger };

/// What the lanes of a server share. Thread-safe.
struct ServerState {
  ServerState(const ServerOptions& server_options, Server::Handle server_handle)
      : options(server_options), handle(std::move(server_handle)) {}

  /// A connection has been closed.
  void left() {
    const std::lock_guard lock(mutex);
    --connections;
    changed.notify_all();
  }

  const ServerOptions options;
  const Server::Handle handle;
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> request_bytes{0}, answer_bytes{0}; // of all BodyShares
  std::atomic<std::size_t> unanswered{0}; // requests that are whole, and whose answer has not been written yet
  std::mutex mutex;
  std::condition_variable changed; // connections has fallen
};

/// The bytes of a body, of a request or of an answer, that count against the server's limit of its kind until their
/// end. What holds it may outlive the server.
class BodyShare {
public:
  using Kind = std::atomic<std::size_t> ServerState::*;

  BodyShare(std::shared_ptr<ServerState> state, Kind kind) : state_(std::move(state)), kind_(kind) {}
  // The state is copied, for the share that is moved from holds the next body.
  // NOLINTNEXTLINE(performance-move-constructor-init)
  BodyShare(BodyShare&& other) noexcept
      : state_(other.state_), kind_(other.kind_), bytes_(std::exchange(other.bytes_, 0)) {}
  BodyShare& operator=(BodyShare&&) = delete;
  ~BodyShare() { release(); }

  /// Holds so many bytes, no fewer than before; false if all together would be too many.
  bool grow(std::size_t bytes) {
    const std::size_t more = bytes - bytes_;
    const bool fits = (state_.get()->*kind_ += more) <= state_->options.max_total_body_bytes || more == 0;
    bytes_ = bytes;
    return fits;
  }
  void release() { state_.get()->*kind_ -= std::exchange(bytes_, 0); }

private:
  std::shared_ptr<ServerState> state_;
  Kind kind_;
  std::size_t bytes_ = 0;
};

/// One event loop and the connections that live on it. All but `context` is for the loop's own thread. A stage has the
/// same length for all, so each stage's connections stand in a list in the order of their deadlines.
class Lane : public std::enable_shared_from_this<Lane> {
public:
  explicit Lane(std::shared_ptr<ServerState> state) : state_(std::move(state)) {}

  /// Runs the loop until it is stopped. Lets `tend` see first, and whenever an operation of the loop has failed,
  /// whether all is under way that should be; as long as it is not, from time to time.
  void run(const std::function<bool()>& tend);

  /// Takes a connection in; one of too many is told so, and closed.
  void adopt(boost::asio::ip::tcp::socket socket, bool too_many);
  /// Puts the connection into the stage, whose time begins now.
  void enter(Session& session, Stage stage);
  /// Forgets a connection that has been closed.
  void leave(Session& session);

  /// Closes the connections that wait for a request.
  void close_idle();
  void cut_all();

  ServerState& state() { return *state_; }
  BodyShare new_share(BodyShare::Kind kind) const { return {state_, kind}; }
  /// Now, as the Date field has it.
  std::string_view date();

  boost::asio::io_context context{1};
  std::array<char, 65'536> buffer; // for what a read brings; connections have none of their own

private:
  std::chrono::milliseconds length(Stage stage) const;
  void set_timer();
  void expire();
  template <class Act> void each(const Act& act);

  std::shared_ptr<ServerState> state_;
  std::array<std::list<std::shared_ptr<Session>>, 6> stages_;
  boost::asio::steady_timer timer_{context};
  Clock::time_point alarm_ = Clock::time_point::max();
  std::time_t second_ = 0;
  std::string date_;
};

} // namespace service
