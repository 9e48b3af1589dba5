#include "lane.hpp"

#include "response_head.hpp"
#include "session.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

namespace service {

namespace {

constexpr std::chrono::milliseconds patience{100};       // until memory may have come back
constexpr std::chrono::milliseconds look_at_work{1'000}; // is there still somebody to answer?

} // namespace

void Lane::run(const std::function<bool()>& tend) {
  const auto work = boost::asio::make_work_guard(context);
  while (!context.stopped()) {
    try {
      if (tend())
        context.run();
      else
        context.run_for(patience);
    } catch (const std::exception&) {
      // Memory for an operation of the loop itself has run out; who asked for it meets its deadline.
    }
  }
}

void Lane::adopt(boost::asio::ip::tcp::socket socket, bool too_many) {
  auto& idle = stages_[static_cast<std::size_t>(Stage::idle)];
  try {
    idle.push_back(std::make_shared<Session>(std::move(socket), *this));
  } catch (const std::exception&) {
    return state_->left();
  }
  const std::shared_ptr<Session> session = idle.back();
  session->place = std::prev(idle.end());
  session->start(too_many);
}

void Lane::enter(Session& session, Stage stage) {
  auto& from = stages_[static_cast<std::size_t>(session.stage)];
  auto& to = stages_[static_cast<std::size_t>(stage)];
  to.splice(to.end(), from, session.place);
  session.stage = stage;
  session.deadline = Clock::now() + length(stage);
  if (session.deadline < alarm_)
    set_timer();
}

void Lane::leave(Session& session) {
  stages_[static_cast<std::size_t>(session.stage)].erase(session.place);
  state_->left();
}

std::chrono::milliseconds Lane::length(Stage stage) const {
  const ServerOptions& options = state_->options;
  switch (stage) {
  case Stage::idle: return options.idle_timeout;
  case Stage::head: return options.header_timeout;
  case Stage::body: return options.body_timeout / 2; // then the session looks at its pace
  case Stage::answer: return options.write_timeout;
  case Stage::linger: return options.linger_timeout;
  case Stage::work: break;
  }
  return look_at_work;
}

void Lane::set_timer() {
  Clock::time_point first = Clock::time_point::max();
  for (const auto& stage : stages_)
    if (!stage.empty())
      first = std::min(first, stage.front()->deadline);
  if (first == Clock::time_point::max())
    return;
  alarm_ = Clock::time_point::max(); // stays, should the following fail
  timer_.expires_at(first);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error)
      return;
    alarm_ = Clock::time_point::max();
    expire();
    set_timer();
  });
  alarm_ = first;
}

void Lane::expire() {
  const Clock::time_point now = Clock::now();
  for (auto& stage : stages_)
    while (!stage.empty() && stage.front()->deadline <= now) {
      const std::shared_ptr<Session> session = stage.front();
      session->expire();
    }
}

/// The act may end the session, but no other.
template <class Act> void Lane::each(const Act& act) {
  for (auto& stage : stages_)
    for (auto next = stage.begin(); next != stage.end();) {
      const std::shared_ptr<Session> session = *next++;
      act(*session);
    }
}

void Lane::close_idle() {
  each([](Session& session) { session.close_if_idle(); });
}

void Lane::cut_all() {
  each([](Session& session) { session.cut(); });
}

std::string_view Lane::date() {
  if (const std::time_t now = std::time(nullptr); now != second_) {
    second_ = now;
    date_ = http_date(now);
  }
  return date_;
}

} // namespace service
