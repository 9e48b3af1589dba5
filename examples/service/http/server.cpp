#include "server.hpp"

#include "lane.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <future>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace service {

namespace asio = boost::asio;

namespace {

using Tcp = asio::ip::tcp;
using Error = boost::system::error_code;

constexpr int backlog = 4'096;
constexpr std::chrono::milliseconds accept_pause{100}; // when descriptors have run out, and nothing but time helps
constexpr std::chrono::milliseconds drain_step{20};

/// Connections that may wait for their 503; more are left to the system's queue.
std::size_t most_refused(const ServerOptions& options) { return options.max_connections / 8 + 8; }

} // namespace

class Server::Impl {
public:
  Impl(const ServerOptions& options, Handle handle)
      : state_(std::make_shared<ServerState>(options, std::move(handle))), lanes_(make_lanes(state_)),
        acceptor_(lanes_[0]->context), pause_(lanes_[0]->context) {
    listen();
    try {
      for (const auto& lane : lanes_)
        threads_.emplace_back([this, lane] { lane->run([&] { return lane != lanes_[0] || accepts(); }); });
    } catch (...) {
      stop();
      throw;
    }
  }

  ~Impl() {
    stop();
    for (const auto& lane : lanes_)
      lane->cut_all();
  }

  std::uint16_t port() const { return port_; }
  std::size_t connections() const { return state_->connections; }

  void start_drain() {
    state_->draining = true;
    close_idle();
  }

  bool finish(std::chrono::milliseconds limit) {
    const Clock::time_point deadline = Clock::now() + limit;
    start_drain();
    std::promise<void> closing;
    const std::future<void> closed = closing.get_future(); // ready, too, where memory fails what holds the promise
    asio::post(lanes_[0]->context, [this, closing = std::move(closing)]() mutable {
      stop_accepting();
      // After the connection that asynchronous accepting may have got just before.
      asio::post(lanes_[0]->context, [closing = std::move(closing)]() mutable { closing.set_value(); });
    });
    closed.wait();
    while (!empty_within(drain_step) && Clock::now() < deadline)
      close_idle();
    const bool all = state_->unanswered == 0;
    for (const auto& lane : lanes_)
      asio::post(lane->context, [lane = lane.get()] { lane->cut_all(); });
    empty_within(std::chrono::seconds(1));
    return all;
  }

private:
  struct Turn {};

  static std::vector<std::shared_ptr<Lane>> make_lanes(const std::shared_ptr<ServerState>& state) {
    std::vector<std::shared_ptr<Lane>> lanes;
    while (lanes.size() < std::max<std::size_t>(state->options.threads, 1))
      lanes.push_back(std::make_shared<Lane>(state));
    return lanes;
  }

  void stop() {
    for (const auto& lane : lanes_)
      lane->context.stop();
    for (std::thread& thread : threads_)
      thread.join();
  }

  void listen() {
    const ServerOptions& options = state_->options;
    try {
      const Tcp::endpoint endpoint(asio::ip::make_address(options.host), options.port);
      acceptor_.open(endpoint.protocol());
      acceptor_.set_option(Tcp::acceptor::reuse_address(true));
      acceptor_.bind(endpoint);
      acceptor_.listen(backlog);
      acceptor_.non_blocking(true);
      port_ = acceptor_.local_endpoint().port();
    } catch (const boost::system::system_error& error) {
      throw std::system_error(error.code(), "cannot listen at " + options.host + ":" + std::to_string(options.port));
    }
  }

  /// Whether connections are accepted, or will be after a pause; begins to, if need be. Whatever ends an operation ends
  /// its turn: failing memory, too, on the way to the handler or in it.
  bool accepts() noexcept {
    try {
      if (acceptor_.is_open() && turn_.expired())
        accept();
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

  void accept() {
    Lane& lane = next_lane();
    acceptor_.async_accept(lane.context, [this, &lane, turn = new_turn()](const Error& error, Tcp::socket socket) {
      if (!error)
        welcome(lane, std::move(socket));
      if (!acceptor_.is_open())
        return;
      const bool full = state_->connections >= state_->options.max_connections + most_refused(state_->options);
      if (full || (error && error != asio::error::connection_aborted))
        wait();
      else
        accept();
    });
  }

  void wait() {
    pause_.expires_after(accept_pause);
    pause_.async_wait([this, turn = new_turn()](const Error&) {
      if (acceptor_.is_open())
        accept();
    });
  }

  std::shared_ptr<Turn> new_turn() {
    auto turn = std::make_shared<Turn>();
    turn_ = turn;
    return turn;
  }

  void welcome(Lane& lane, Tcp::socket socket) noexcept {
    const bool too_many = ++state_->connections > state_->options.max_connections;
    try {
      asio::dispatch(lane.context, [&lane, too_many, socket = std::move(socket)]() mutable {
        lane.adopt(std::move(socket), too_many);
      });
    } catch (const std::exception&) {
      state_->left();
    }
  }

  /// Who is in the system's queue has been told that he is connected, and is still served.
  void stop_accepting() noexcept {
    Error error;
    try {
      while (!error) {
        Lane& lane = next_lane();
        Tcp::socket socket = acceptor_.accept(lane.context, error);
        if (!error)
          welcome(lane, std::move(socket));
      }
    } catch (const std::exception&) { // the others are not served
    }
    acceptor_.close(error);
  }

  void close_idle() {
    for (const auto& lane : lanes_)
      asio::post(lane->context, [lane = lane.get()] { lane->close_idle(); });
  }

  bool empty_within(std::chrono::milliseconds time) {
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, time, [this] { return state_->connections == 0; });
  }

  Lane& next_lane() { return *lanes_[next_++ % lanes_.size()]; }

  std::shared_ptr<ServerState> state_;
  std::vector<std::shared_ptr<Lane>> lanes_;
  Tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::weak_ptr<Turn> turn_; // of the operation that is to accept, or waits until it may
  std::size_t next_ = 0;
  std::uint16_t port_ = 0;
  std::vector<std::thread> threads_;
};

Server::Server(const ServerOptions& options, Handle handle)
    : impl_(std::make_unique<Impl>(options, std::move(handle))) {}
Server::~Server() = default;
std::uint16_t Server::port() const { return impl_->port(); }
std::size_t Server::connections() const { return impl_->connections(); }
void Server::start_drain() { impl_->start_drain(); }
bool Server::finish(std::chrono::milliseconds limit) { return impl_->finish(limit); }

} // namespace service
