#include "redis_worker.hpp"

#include "redis_value.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <exception>
#include <optional>
#include <utility>

#include <poll.h>

namespace service {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds connect_limit = 1s; // for all addresses together
constexpr std::chrono::nanoseconds put_limit = 1s;     // until a row is stored
// Lookups wait behind the rows that are under way to be stored: no more than these, or one.
constexpr std::size_t max_sent_put_bytes = 262'144;

/// The longest reply to a GETRANGE: "$" with the length, the value and one byte more, line ends.
std::size_t longest_reply(const RedisOptions& options) { return RedisValue::size(options.max_row_floats) + 1 + 32; }

/// The first word of an error, such as LOADING: all that is told of what a server says.
std::string error_code(const RedisReply& reply) {
  constexpr std::size_t longest = 32;
  std::string code;
  for (const char byte : reply.text.substr(0, longest)) {
    if (byte < 'A' || byte > 'Z')
      break;
    code += byte;
  }
  return code;
}

} // namespace

RedisCache::Worker::Worker(const RedisOptions& options, RedisStats& stats)
    : options_(options), stats_(stats), breaker_(options.failures, options.pause), connection_(longest_reply(options)),
      thread_([this] { run(); }) {}

RedisCache::Worker::~Worker() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_->ring();
  thread_.join();
}

void RedisCache::Worker::get(std::vector<std::string> keys, Found found) {
  Lookup lookup{std::move(keys), {}, std::move(found), {}};
  lookup.rows.reserve(lookup.keys.size());
  const std::lock_guard<std::mutex> lock(mutex_);
  lookup.deadline = std::chrono::steady_clock::now() + options_.budget; // inside the lock, so that they are in order
  new_lookups_.push_back(std::move(lookup));
  if (!std::exchange(rung_, true))
    wake_->ring();
}

void RedisCache::Worker::put(std::string command) {
  if (put_bytes_ + command.size() > options_.queue_bytes) {
    ++stats_.dropped;
    return;
  }
  put_bytes_ += command.size();
  const std::lock_guard<std::mutex> lock(mutex_);
  new_puts_.push_back(std::move(command));
  if (!std::exchange(rung_, true))
    wake_->ring();
}

void RedisCache::Worker::count_errors(std::size_t rows) {
  stats_.errors += rows;
  if (options_.metrics != nullptr && rows > 0)
    options_.metrics->cache("redis", "error", rows);
}

void RedisCache::Worker::run() {
  for (bool goes_on = true; goes_on;) {
    const TimePoint now = std::chrono::steady_clock::now();
    try {
      goes_on = take_work();
      if (goes_on) {
        step(now);
        wait(now);
      }
    } catch (const std::exception&) { // no memory, no thread
      fail_link(now, "out of resources");
    }
  }
  finish_all();
}

bool RedisCache::Worker::take_work() {
  const std::lock_guard<std::mutex> lock(mutex_);
  rung_ = false;
  for (; !new_lookups_.empty(); new_lookups_.pop_front())
    lookups_.push_back(std::move(new_lookups_.front()));
  for (; !new_puts_.empty(); new_puts_.pop_front())
    puts_.push_back(std::move(new_puts_.front()));
  return !stop_;
}

void RedisCache::Worker::step(TimePoint now) {
  expire(now);
  if (breaker_.open())
    finish_all();
  if (breaker_.open() || now < puts_from_)
    drop_puts();
  if (should_connect(now))
    start_connecting(now);
  if (link_ == Link::resolving && resolution_.valid() && resolution_.wait_for(0s) == std::future_status::ready) {
    addresses_ = resolution_.get();
    connect_to_next(now);
  }
  if (link_ == Link::up)
    send_commands(now);
}

void RedisCache::Worker::wait(TimePoint now) {
  const auto left = std::max<std::chrono::nanoseconds>(next_event(now) - std::chrono::steady_clock::now(), 0ns);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::min<std::chrono::nanoseconds>(left, 1h));
  timespec timeout{};
  timeout.tv_sec = seconds.count();
  timeout.tv_nsec = left > 1h ? 0 : (left - seconds).count();

  const bool connected = connection_.descriptor() >= 0;
  const bool writes = link_ == Link::connecting || connection_.wants_to_write();
  std::array<pollfd, 2> polled{{{wake_->descriptor(), POLLIN, 0},
                                {connection_.descriptor(), static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN), 0}}};
  if (ppoll(polled.data(), polled.size(), &timeout, nullptr) <= 0)
    return;
  if (polled[0].revents != 0)
    wake_->silence();
  if (!connected || polled[1].revents == 0)
    return;
  now = std::chrono::steady_clock::now();
  if (link_ == Link::connecting)
    connection_.connected() ? greet(now) : connect_to_next(now);
  else if ((polled[1].revents & ~POLLOUT) != 0)
    on_readable(now);
  else if (!connection_.flush())
    lost(now);
}

RedisCache::Worker::TimePoint RedisCache::Worker::next_event(TimePoint now) const {
  TimePoint next = TimePoint::max();
  if (should_connect(now))
    return now;
  if (!lookups_.empty())
    next = std::min(next, lookups_.front().deadline);
  if (link_ == Link::connecting || link_ == Link::greeting)
    next = std::min(next, link_deadline_);
  if (!sent_.empty())
    next = std::min(next, sent_.front().deadline);
  if (link_ == Link::down && (breaker_.open() || !known_))
    next = std::min(next, breaker_.next_attempt());
  return next;
}

void RedisCache::Worker::expire(TimePoint now) {
  if (!sent_.empty() && sent_.front().deadline <= now) {
    disconnect(false);
    count_failure(now, "a row was not stored in time");
  }
  if (!lookups_.empty() && lookups_.front().deadline <= now) {
    const bool late = asked_ > 0;
    while (!lookups_.empty() && lookups_.front().deadline <= now) {
      ++stats_.timeouts;
      finish_front();
    }
    if (late)
      disconnect(false);
    if (late || link_ != Link::up) // else it was this thread that came late
      count_failure(now, "no answer in time");
  }
  if (link_ == Link::connecting && link_deadline_ <= now)
    connect_to_next(now);
  if (link_ == Link::greeting && link_deadline_ <= now)
    fail_link(now, "no greeting in time");
}

bool RedisCache::Worker::should_connect(TimePoint now) const {
  if (link_ != Link::down)
    return false;
  const bool due = breaker_.next_attempt() <= now;
  return breaker_.open() ? due : !lookups_.empty() || !puts_.empty() || (!known_ && due);
}

void RedisCache::Worker::start_connecting(TimePoint now) {
  next_address_ = 0;
  if (addresses_.empty())
    addresses_ = literal_redis_address(options_.url);
  if (!addresses_.empty())
    return connect_to_next(now);
  link_ = Link::resolving;
  resolution_ = resolve_in_background(options_.resolve, options_.url, wake_);
}

void RedisCache::Worker::connect_to_next(TimePoint now) {
  while (next_address_ < addresses_.size())
    if (connection_.connect(addresses_[next_address_++])) {
      link_ = Link::connecting;
      link_deadline_ = now + connect_limit / addresses_.size();
      return;
    }
  fail_link(now, addresses_.empty() ? "its name is not known" : "cannot connect");
}

void RedisCache::Worker::greet(TimePoint now) {
  link_ = Link::greeting;
  link_deadline_ = now + options_.budget;
  const auto send = [this](std::string_view name, const std::string& command) {
    connection_.send(command);
    sent_.push_back({Sent::Command::greeting, name});
  };
  const RedisUrl& url = options_.url;
  if (!url.password.empty())
    send("AUTH",
         url.user.empty() ? redis_command({"AUTH", url.password}) : redis_command({"AUTH", url.user, url.password}));
  if (url.database != 0)
    send("SELECT", redis_command({"SELECT", std::to_string(url.database)}));
  send("PING", redis_command({"PING"}));
  if (!connection_.flush())
    lost(now);
}

void RedisCache::Worker::send_commands(TimePoint now) {
  const std::string last_byte = std::to_string(RedisValue::size(options_.max_row_floats));
  for (; asked_ < lookups_.size(); ++asked_) {
    const Lookup& lookup = lookups_[asked_];
    for (std::size_t i = lookup.rows.size(); i < lookup.keys.size(); ++i) {
      connection_.send(redis_command({"GETRANGE", lookup.keys[i], "0", last_byte}));
      sent_.push_back({Sent::Command::get});
    }
  }
  while (!puts_.empty() && sent_put_bytes_ < max_sent_put_bytes) {
    send_put(puts_.front(), now);
    put_bytes_ -= puts_.front().size();
    puts_.pop_front();
  }
  if (!connection_.flush())
    lost(now);
}

void RedisCache::Worker::send_put(std::string_view command, TimePoint now) {
  connection_.send(command);
  sent_.push_back({Sent::Command::put, {}, command.size(), now + put_limit});
  sent_put_bytes_ += command.size();
}

void RedisCache::Worker::on_readable(TimePoint now) {
  const bool alive = connection_.read();
  while (const auto reply = connection_.next())
    if (!on_reply(*reply, now)) {
      fail_link(now, "a reply that was not asked for");
      return;
    }
  if (connection_.broken())
    fail_link(now, "a reply that is none of Redis");
  else if (!alive)
    lost(now);
}

bool RedisCache::Worker::on_reply(RedisReply& reply, TimePoint now) {
  if (sent_.empty())
    return false;
  const Sent sent = sent_.front();
  sent_.pop_front();
  switch (sent.command) {
  case Sent::Command::greeting:
    if (reply.type != RedisReply::Type::status) {
      fail_link(now, reply.type == RedisReply::Type::error ? std::string(sent.name) + ": " + error_code(reply)
                                                           : "a strange greeting");
    } else if (sent_.empty()) {
      link_ = Link::up;
      known_ = true;
      ++stats_.connects;
      breaker_.close();
      tell_breaker("");
    }
    return true;
  case Sent::Command::get: return on_row(reply, now);
  case Sent::Command::put:
    sent_put_bytes_ -= sent.bytes;
    on_stored(reply, now);
    return reply.type != RedisReply::Type::nil && reply.type != RedisReply::Type::string;
  }
  return false;
}

bool RedisCache::Worker::on_row(RedisReply& reply, TimePoint now) {
  const bool error = reply.type == RedisReply::Type::error;
  if (!error && reply.type != RedisReply::Type::string)
    return false;
  Lookup& lookup = lookups_.front();
  const std::string& key = lookup.keys[lookup.rows.size()];
  std::optional<Row> row;
  if (!error && !reply.text.empty())
    row = RedisValue::decode(key, reply.text);
  const std::string code = error ? error_code(reply) : std::string();
  if (row) {
    ++stats_.hits;
  } else if (!error && reply.text.empty()) {
    ++stats_.misses;
  } else {
    ++lookup.failed;
    if (!error || code == "WRONGTYPE") {
      ++stats_.bad_values;
      send_put(redis_command({"UNLINK", key}), now);
    }
  }
  lookup.rows.push_back(row ? std::make_shared<const Row>(std::move(*row)) : nullptr);
  if (lookup.rows.size() < lookup.keys.size())
    return true;

  const bool useful = lookup.failed < lookup.keys.size();
  finish_front();
  if (useful)
    breaker_.succeeded();
  else
    count_failure(now, error ? code : "values that are not ours");
  return true;
}

void RedisCache::Worker::on_stored(const RedisReply& reply, TimePoint now) {
  if (reply.type == RedisReply::Type::status)
    ++stats_.stored;
  if (reply.type != RedisReply::Type::error)
    return;
  ++stats_.dropped;
  puts_from_ = now + options_.pause;
}

bool RedisCache::Worker::disconnect(bool retry) {
  connection_.close();
  link_ = Link::down;
  for (const Sent& sent : sent_)
    stats_.dropped += sent.command == Sent::Command::put;
  sent_.clear();
  sent_put_bytes_ = 0;
  bool gave_up = false;
  while (asked_ > 0 && (!retry || lookups_.front().retried)) {
    finish_front();
    gave_up = true;
  }
  for (std::size_t i = 0; i < asked_; ++i)
    lookups_[i].retried = true;
  asked_ = 0;
  return gave_up;
}

void RedisCache::Worker::lost(TimePoint now) {
  if (link_ == Link::greeting)
    fail_link(now, "closed while greeting");
  else if (disconnect(true))
    count_failure(now, "closed again");
}

void RedisCache::Worker::fail_link(TimePoint now, std::string_view why) {
  disconnect(false);
  addresses_.clear();
  finish_all();
  drop_puts();
  count_failure(now, why);
}

void RedisCache::Worker::count_failure(TimePoint now, std::string_view why) {
  breaker_.failed(now);
  if (!breaker_.open())
    return;
  if (link_ == Link::up)
    disconnect(false);
  finish_all();
  drop_puts();
  tell_breaker(why);
}

void RedisCache::Worker::tell_breaker(std::string_view why) {
  const auto state = breaker_.open() ? RedisStats::Breaker::open : RedisStats::Breaker::closed;
  if (stats_.breaker.exchange(state) != state && options_.log)
    options_.log(state == RedisStats::Breaker::closed, why);
}

void RedisCache::Worker::finish_front() {
  Lookup lookup = std::move(lookups_.front());
  lookups_.pop_front();
  if (asked_ > 0)
    --asked_;
  count_errors(lookup.failed + lookup.keys.size() - lookup.rows.size());
  lookup.rows.resize(lookup.keys.size());
  lookup.found(std::move(lookup.rows));
}

void RedisCache::Worker::finish_all() {
  while (!lookups_.empty())
    finish_front();
}

void RedisCache::Worker::drop_puts() {
  for (; !puts_.empty(); puts_.pop_front()) {
    put_bytes_ -= puts_.front().size();
    ++stats_.dropped;
  }
}

} // namespace service
