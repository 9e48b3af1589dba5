#pragma once
// One connection: requests in, answers out, in turn.

#include "lane.hpp"
#include "request_reader.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

namespace service {

/// Lives on the thread of its lane. The next request is read when the one before has been answered; what a client
/// sends meanwhile waits in the system's buffer.
class Session : public std::enable_shared_from_this<Session> {
public:
  Session(boost::asio::ip::tcp::socket socket, Lane& lane)
      : socket_(std::move(socket)), lane_(lane), reader_(lane.state().options.max_body_bytes),
        request_share_(lane.new_share(&ServerState::request_bytes)),
        answer_share_(lane.new_share(&ServerState::answer_bytes)) {}

  /// Waits for the first request; one connection of too many is told so, and closed.
  void start(bool too_many);
  /// The time of its stage is over.
  void expire();
  /// Closes if it is idle: it has had its requests answered, or has been silent since it came.
  void close_if_idle();
  /// Closes whatever is under way.
  void cut();

  // What the lane knows of it.
  Stage stage = Stage::idle;
  Clock::time_point deadline = Clock::time_point::max();
  std::list<std::shared_ptr<Session>>::iterator place;

private:
  using Error = boost::system::error_code;
  struct Answerer;
  struct Sender;

  void wait();
  void receive();
  void go_on();
  void react();
  void send_continue();
  void work();
  void watch();
  void refuse(const Refusal& refusal);
  void take_answer(std::uint64_t request, Response response);
  void answer_ourselves(std::string_view method, Response response);
  void answer(Response response);
  void answered();
  void linger();
  bool idle() const;
  template <class Act> auto guarded(Act act);

  boost::asio::ip::tcp::socket socket_;
  Lane& lane_;
  RequestReader reader_;
  BodyShare request_share_;        // of the body that the reader holds
  BodyShare answer_share_;         // of body_
  std::string unread_;             // bytes that came behind the request at hand
  std::size_t unread_at_ = 0;      // of which so many have been taken
  bool reading_ = false;           // waits for bytes
  bool watching_ = false;          // waits for the client to be gone
  unsigned looks_ = 0;             // at the pace of a body
  std::size_t since_look_ = 0;     // bytes of the body
  std::shared_ptr<Caller> caller_; // of the request that is not answered yet
  std::weak_ptr<void> answerer_;   // is there as long as an answer may come
  std::uint64_t requests_ = 0;
  bool keep_alive_ = true;
  bool bodiless_ = false;   // the answer is to HEAD
  std::string head_, body_; // of the answer
  Clock::time_point opened_ = Clock::now();
};

} // namespace service
