#include "session.hpp"

#include "detail.hpp"
#include "response_head.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>

#include <poll.h>

#include <array>
#include <exception>
#include <utility>

namespace service {

namespace asio = boost::asio;

namespace {

constexpr std::size_t small_answer = 65'536;            // mostly waits in the system's buffer
constexpr unsigned looks_at_body = 2;                   // in the time that a body may take
constexpr std::chrono::milliseconds about_to_send{200}; // a connection younger than this has a request on its way

} // namespace

/// Who owes the answer to a request: held by its Respond, and by an answer on its way here.
struct Session::Answerer {
  std::weak_ptr<Lane> lane;
  std::weak_ptr<Session> session;
  std::uint64_t request;
};

/// The caller of a request, which counts against the limit for as long as anybody holds it.
struct Session::Sender : Caller {
  explicit Sender(BodyShare whose) : share(std::move(whose)) {}

  BodyShare share;
};

/// The act with this session kept alive; whatever it throws, such as for want of memory, ends this connection alone.
template <class Act> auto Session::guarded(Act act) {
  return [self = shared_from_this(), act](const Error& error, auto... more) {
    if (!self->socket_.is_open())
      return;
    try {
      act(error, more...);
    } catch (const std::exception&) {
      self->cut();
    }
  };
}

void Session::start(bool too_many) {
  Error ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  try {
    lane_.enter(*this, Stage::idle);
    if (too_many)
      refuse({503, "Too many connections"});
    else
      wait();
  } catch (const std::exception&) {
    cut();
  }
}

void Session::wait() {
  if (std::exchange(reading_, true))
    return;
  socket_.async_wait(asio::socket_base::wait_read, guarded([this](const Error& error) {
                       reading_ = false;
                       if (error)
                         cut();
                       else if (stage != Stage::work && stage != Stage::answer)
                         receive();
                     }));
}

void Session::receive() {
  Error error;
  const std::size_t size = socket_.read_some(asio::buffer(lane_.buffer), error);
  if (error == asio::error::would_block)
    return wait();
  if (error == asio::error::eof && stage != Stage::linger) {
    reader_.end();
    return reader_.state() == RequestReader::State::refused ? react() : cut();
  }
  if (error)
    return cut();
  if (stage == Stage::linger)
    return wait();
  if (stage == Stage::body)
    since_look_ += size;
  std::string_view bytes(lane_.buffer.data(), size);
  bytes.remove_prefix(reader_.read(bytes));
  unread_ = bytes;
  react();
}

void Session::go_on() {
  if (unread_at_ == unread_.size())
    return wait();
  unread_at_ += reader_.read(std::string_view(unread_).substr(unread_at_));
  if (unread_at_ == unread_.size()) {
    std::string().swap(unread_); // gives the memory back
    unread_at_ = 0;
  }
  react();
}

void Session::react() {
  using State = RequestReader::State;
  if (!request_share_.grow(reader_.head().request.body.size()))
    return refuse({503, "Too many bodies are under way"});
  switch (reader_.state()) {
  case State::idle: return wait();
  case State::head:
    if (stage != Stage::head)
      lane_.enter(*this, Stage::head);
    return wait();
  case State::expects:
  case State::body:
    if (stage != Stage::body) {
      looks_ = 0;
      since_look_ = reader_.head().request.body.size();
      lane_.enter(*this, Stage::body);
    }
    return reader_.state() == State::expects ? send_continue() : wait();
  case State::complete: return work();
  case State::refused: return refuse(reader_.refusal());
  }
}

void Session::send_continue() {
  static constexpr std::string_view words = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(socket_, asio::buffer(words), guarded([this](const Error& error, std::size_t) {
                      if (error)
                        return cut();
                      if (stage != Stage::body)
                        return; // too late
                      reader_.go_on();
                      go_on();
                    }));
}

void Session::work() {
  Request request = reader_.take();
  keep_alive_ = reader_.head().keep_alive;
  bodiless_ = request.method == "HEAD";
  caller_ = request.caller = std::make_shared<Sender>(std::move(request_share_));
  ++requests_;
  ++lane_.state().unanswered;
  lane_.enter(*this, Stage::work);
  if (request.path == "*")
    return answer_ourselves(request.method, {204, {}, {{"Allow", "GET, POST, OPTIONS"}}, {}});
  try {
    const auto answerer = std::make_shared<Answerer>(Answerer{lane_.weak_from_this(), weak_from_this(), requests_});
    answerer_ = answerer;
    lane_.state().handle(std::move(request), [answerer](Response response) {
      const std::shared_ptr<Lane> lane = answerer->lane.lock();
      if (!lane)
        return;
      asio::dispatch(lane->context, [answerer, response = std::move(response)]() mutable {
        if (const std::shared_ptr<Session> session = answerer->session.lock())
          session->take_answer(answerer->request, std::move(response));
      });
    });
  } catch (const std::exception&) {
    if (stage == Stage::work && socket_.is_open())
      answer_ourselves({}, detail(500, "Internal Server Error"));
  }
  if (stage == Stage::work)
    watch();
}

/// A client that resets its connection is gone; one that has merely said all it has to say still gets its answer.
void Session::watch() {
  if (std::exchange(watching_, true) || !socket_.is_open())
    return;
  socket_.async_wait(asio::socket_base::wait_error, guarded([this](const Error&) {
                       pollfd state{socket_.native_handle(), 0, 0};
                       if (::poll(&state, 1, 0) == 1)
                         cut();
                     }));
}

/// Only the first answer to the request at hand counts.
void Session::take_answer(std::uint64_t request, Response response) {
  if (request != requests_ || stage != Stage::work || !socket_.is_open())
    return;
  try {
    answer(std::move(response));
  } catch (const std::exception&) {
    cut();
  }
}

void Session::refuse(const Refusal& refusal) {
  Response response = detail(refusal.status, refusal.words);
  if (refusal.status == 405)
    response.fields.push_back({"Allow", "GET, POST"});
  if (refusal.status == 503)
    response.fields.push_back({"Retry-After", "1"});
  keep_alive_ = false;
  const std::string method = reader_.head().request.method;
  bodiless_ = method == "HEAD";
  reader_.take(); // whatever has come of it makes room
  request_share_.release();
  answer_ourselves(method, std::move(response));
}

void Session::answer_ourselves(std::string_view method, Response response) {
  if (const auto& told = lane_.state().options.on_own_answer)
    told(method, response.status);
  answer(std::move(response));
}

void Session::answer(Response response) {
  if (response.body.size() > small_answer && !answer_share_.grow(response.body.size())) {
    answer_share_.release();
    response = detail(503, "Too many answers are under way");
    response.fields.push_back({"Retry-After", "1"});
    return answer_ourselves({}, std::move(response));
  }
  keep_alive_ = keep_alive_ && !lane_.state().draining;
  lane_.enter(*this, Stage::answer);
  head_.clear();
  append_response_head(head_, response, {keep_alive_, reader_.head().http_1_0, lane_.date()});
  body_ = std::move(response.body);
  const bool bare = bodiless_ || !has_body(response.status);
  const std::array<asio::const_buffer, 2> buffers{asio::buffer(head_),
                                                  bare ? asio::const_buffer{} : asio::buffer(body_)};
  asio::async_write(socket_, buffers, guarded([this](const Error& error, std::size_t) {
                      if (error)
                        cut();
                      else
                        answered();
                    }));
}

void Session::answered() {
  if (std::exchange(caller_, nullptr))
    --lane_.state().unanswered;
  std::string().swap(body_); // gives the memory back, which an empty string would keep
  answer_share_.release();
  if (!keep_alive_)
    return linger();
  reader_.next();
  lane_.enter(*this, Stage::idle);
  go_on();
}

/// Closes our side, and takes and drops what the client is still sending: closing at once would reset the connection,
/// and might take the answer from a client that has not read it yet.
void Session::linger() {
  Error error;
  socket_.shutdown(asio::socket_base::shutdown_send, error);
  if (error)
    return cut();
  std::string().swap(unread_);
  lane_.enter(*this, Stage::linger);
  wait();
}

void Session::expire() {
  try {
    switch (stage) {
    case Stage::head: return refuse({408, "The header did not come in time"});
    case Stage::body: {
      const auto& options = lane_.state().options;
      const auto expected = options.min_body_rate * static_cast<std::size_t>(options.body_timeout.count()) / 1000;
      if (++looks_ == looks_at_body || since_look_ < expected / looks_at_body)
        return refuse({408, "The body did not come in time"});
      since_look_ = 0;
      return lane_.enter(*this, Stage::body);
    }
    case Stage::answer: {
      Error ignored; // what the client does not read must not wait in the system's buffer either
      socket_.set_option(asio::socket_base::linger(true, 0), ignored);
      return cut();
    }
    case Stage::work: return answerer_.expired() ? cut() : lane_.enter(*this, Stage::work);
    case Stage::idle:
    case Stage::linger: return cut();
    }
  } catch (const std::exception&) {
    cut();
  }
}

bool Session::idle() const {
  Error error;
  return stage == Stage::idle && (requests_ > 0 || Clock::now() - opened_ > about_to_send) &&
         socket_.available(error) == 0;
}

void Session::close_if_idle() {
  if (socket_.is_open() && idle())
    cut();
}

void Session::cut() {
  if (!socket_.is_open())
    return;
  if (caller_) {
    caller_->gone = true;
    --lane_.state().unanswered;
  }
  Error ignored;
  socket_.close(ignored);
  lane_.leave(*this);
}

} // namespace service
