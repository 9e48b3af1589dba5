#include "server.hpp"

#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <atomic>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace service {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
public:
  Session(Tcp::socket socket, const ServerOptions& options, const Server::Handle& handle)
      : stream_(std::move(socket)), options_(options), handle_(handle) {}

  void read() {
    parser_.emplace();
    parser_->body_limit(options_.max_body_bytes);
    stream_.expires_after(options_.idle_timeout);
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (!error)
        self->dispatch();
    });
  }

private:
  void dispatch() {
    auto message = parser_->release();
    Request request;
    request.method = std::string(message.method_string());
    const std::string target(message.target());
    request.path = target.substr(0, target.find('?'));
    request.query = request.path.size() < target.size() ? target.substr(request.path.size() + 1) : "";
    for (const auto& field : message) {
      std::string name(field.name_string());
      for (char& c : name)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      request.fields.push_back({std::move(name), std::string(field.value())});
    }
    request.body = std::move(message.body());
    const bool keep_alive = message.keep_alive();
    handle_(std::move(request), [self = shared_from_this(), keep_alive](Response response) {
      asio::post(self->stream_.get_executor(), [self, keep_alive, response = std::move(response)]() mutable {
        self->write(std::move(response), keep_alive);
      });
    });
  }

  void write(Response response, bool keep_alive) {
    auto message = std::make_shared<http::response<http::string_body>>();
    message->result(response.status);
    message->version(11);
    message->keep_alive(keep_alive);
    if (!response.content_type.empty())
      message->set(http::field::content_type, response.content_type);
    for (const Field& field : response.fields)
      message->insert(field.name, field.value);
    message->body() = std::move(response.body);
    message->prepare_payload();
    stream_.expires_after(options_.write_timeout);
    http::async_write(stream_, *message,
                      [self = shared_from_this(), message, keep_alive](beast::error_code error, std::size_t) {
                        if (!error && keep_alive)
                          self->read();
                      });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  const ServerOptions& options_;
  const Server::Handle& handle_;
};

} // namespace

class Server::Impl {
public:
  Impl(const ServerOptions& options, Handle handle)
      : options_(options), handle_(std::move(handle)), acceptor_(context_) {
    const Tcp::endpoint endpoint(asio::ip::make_address(options.host), options.port);
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(Tcp::acceptor::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen(4096);
    accept();
    threads_.emplace_back([this] { context_.run(); });
  }

  ~Impl() {
    context_.stop();
    for (std::thread& thread : threads_)
      thread.join();
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
  void accept() {
    acceptor_.async_accept([this](beast::error_code error, Tcp::socket socket) {
      if (!error)
        std::make_shared<Session>(std::move(socket), options_, handle_)->read();
      accept();
    });
  }

  ServerOptions options_;
  Handle handle_;
  asio::io_context context_{1};
  Tcp::acceptor acceptor_;
  std::vector<std::thread> threads_;
};

Server::Server(const ServerOptions& options, Handle handle)
    : impl_(std::make_unique<Impl>(options, std::move(handle))) {}
Server::~Server() = default;
std::uint16_t Server::port() const { return impl_->port(); }
std::size_t Server::connections() const { return 0; }
void Server::start_drain() {}
bool Server::finish(std::chrono::milliseconds) { return true; }

} // namespace service
