#include <service/observe/log.hpp>

#include <doctest/doctest.h>

#include <simdjson.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

using service::log;
using service::LogFormat;
using service::LogLevel;
using service::LogOptions;

namespace {

/// A log that goes to a pipe.
class Pipe {
public:
  explicit Pipe(LogLevel level = LogLevel::debug, LogFormat format = LogFormat::json) {
    REQUIRE(::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    LogOptions options;
    options.level = level;
    options.format = format;
    options.descriptor = ends_[1];
    service::start_log(options);
  }
  ~Pipe() {
    close_reader();
    ::close(ends_[1]);
  }

  std::vector<std::string> lines() {
    std::string all;
    char bytes[4096];
    for (ssize_t count; (count = ::read(ends_[0], bytes, sizeof bytes)) > 0;)
      all.append(bytes, static_cast<std::size_t>(count));
    std::vector<std::string> found;
    for (std::size_t end; (end = all.find('\n')) != all.npos; all.erase(0, end + 1))
      found.push_back(all.substr(0, end));
    CHECK(all.empty());
    return found;
  }
  void close_reader() {
    if (ends_[0] >= 0)
      ::close(ends_[0]);
    ends_[0] = -1;
  }

private:
  std::array<int, 2> ends_{-1, -1};
};

} // namespace

TEST_CASE("levels have names") {
  CHECK(service::log_level_from_name("debug") == LogLevel::debug);
  CHECK(service::log_level_from_name("WARNING") == LogLevel::warning);
  CHECK(service::log_level_from_name("Warn") == LogLevel::warning);
  CHECK(service::log_level_from_name("off") == LogLevel::off);
  for (const char* name : {"", "trace", "infos", "info "})
    CHECK_FALSE(service::log_level_from_name(name));
}

TEST_CASE("a line is a JSON object, whatever its values hold") {
  Pipe pipe;
  const std::string hostile = "a \"b\" \\ \n \x01 caf\xc3\xa9 \xff </script>";
  log(LogLevel::warning, hostile, {{"text", hostile}, {"count", std::int64_t{-3}}, {"ms", 0.25}});
  const std::vector<std::string> lines = pipe.lines();
  REQUIRE(lines.size() == 1);
  simdjson::dom::parser parser;
  const simdjson::dom::element line = parser.parse(lines[0]);
  const std::string readable = "a \"b\" \\ \n \x01 caf\xc3\xa9 \uFFFD </script>";
  CHECK(std::string_view(line["level"]) == "WARNING");
  CHECK(std::string_view(line["service"]) == "distilbert-server");
  CHECK(std::string_view(line["message"]) == readable);
  CHECK(std::string_view(line["text"]) == readable);
  CHECK(std::int64_t(line["count"]) == -3);
  CHECK(double(line["ms"]) == 0.25);
  const std::string_view timestamp = line["timestamp"];
  CHECK(timestamp.size() == std::string_view("2026-11-27T13:18:59.798Z").size());
  CHECK(timestamp.back() == 'Z');
}

TEST_CASE("long values are cut") {
  Pipe pipe;
  log(LogLevel::info, std::string(100'000, 'm'), {{"value", std::string(100'000, 'v')}});
  const std::vector<std::string> lines = pipe.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].size() < 2000);
}

TEST_CASE("for people a line is plain") {
  Pipe pipe(LogLevel::info, LogFormat::text);
  log(LogLevel::info, "ready", {{"model", "sst2"}, {"threads", std::int64_t{2}}});
  const std::vector<std::string> lines = pipe.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find(R"(info    ready model="sst2" threads=2)") != std::string::npos);
}

TEST_CASE("what is below the level is not written") {
  for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error, LogLevel::off}) {
    Pipe pipe(level);
    for (const LogLevel event : {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error}) {
      CHECK(service::logs(event) == (event >= level));
      log(event, "event");
    }
    CHECK(pipe.lines().size() == static_cast<std::size_t>(LogLevel::off) - static_cast<std::size_t>(level));
  }
}

TEST_CASE("many threads: whole lines, none lost") {
  Pipe pipe;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([] {
      for (int j = 0; j < 20; ++j)
        log(LogLevel::info, "event", {{"number", std::int64_t{j}}});
    });
  for (std::thread& thread : threads)
    thread.join();
  const std::vector<std::string> lines = pipe.lines();
  CHECK(lines.size() == 160);
  simdjson::dom::parser parser;
  for (const std::string& line : lines)
    CHECK(parser.parse(line).error() == simdjson::SUCCESS);
}

TEST_CASE("a reader that does not keep up, or has gone, or a full disk holds nobody up") {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  for (int i = 0; i < 10'000; ++i)
    log(LogLevel::info, std::string(200, 'x'));
  CHECK(pipe.lines().size() > 100);
  log(LogLevel::info, "again");
  CHECK(pipe.lines().size() == 1);
  pipe.close_reader();
  log(LogLevel::info, "nobody reads this");

  LogOptions options;
  for (const int descriptor : {::open("/dev/full", O_WRONLY | O_CLOEXEC), 1'000'000}) {
    options.descriptor = descriptor;
    service::start_log(options);
    log(LogLevel::error, "nowhere to go");
  }
}
