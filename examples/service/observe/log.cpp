#include "log.hpp"

#include "../../common/json_text.hpp"

#include <spdlog/common.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace service {

namespace {

/// Lines to a descriptor that may be full or closed.
class DescriptorSink : public spdlog::sinks::base_sink<std::mutex> {
public:
  explicit DescriptorSink(int descriptor) : descriptor_(descriptor) {}

private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    // A pipe that polls as writable takes PIPE_BUF bytes at once, more than any line has.
    pollfd room{descriptor_, POLLOUT, 0};
    if (::poll(&room, 1, 0) == 1) {
      [[maybe_unused]] const ssize_t written = ::write(descriptor_, line.data(), line.size());
    }
  }
  void flush_() override {}

  int descriptor_;
};

struct Log {
  std::unique_ptr<spdlog::logger> logger;
  LogFormat format = LogFormat::json;
};

Log& the_log() {
  static Log log;
  return log;
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
  case LogLevel::debug: return spdlog::level::debug;
  case LogLevel::info: return spdlog::level::info;
  case LogLevel::warning: return spdlog::level::warn;
  case LogLevel::error: return spdlog::level::err;
  case LogLevel::off: break;
  }
  return spdlog::level::off;
}

const char* json_name(LogLevel level) {
  static constexpr const char* names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "OFF"};
  return names[static_cast<std::size_t>(level)];
}

void append_value(std::string& out, const LogField& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value))
    cli::append_json_string(out, text->substr(0, 256));
  else if (const auto* whole = std::get_if<std::int64_t>(&field.value))
    cli::append_number(out, *whole);
  else
    cli::append_number(out, std::get<double>(field.value));
}

std::string json(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  std::string line = std::string(R"("level":")") + json_name(level) + R"(","message":)";
  cli::append_json_string(line, message.substr(0, 1024));
  for (const LogField& field : fields) {
    line += ',';
    cli::append_json_string(line, field.name);
    line += ':';
    append_value(line, field);
  }
  return line;
}

std::string plain(std::string_view message, std::initializer_list<LogField> fields) {
  std::string line(message.substr(0, 1024));
  for (const LogField& field : fields) {
    line += ' ';
    line += field.name;
    line += '=';
    append_value(line, field);
  }
  return line;
}

} // namespace

std::optional<LogLevel> log_level_from_name(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  constexpr std::pair<std::string_view, LogLevel> names[] = {
      {"debug", LogLevel::debug},  {"info", LogLevel::info},   {"warning", LogLevel::warning},
      {"warn", LogLevel::warning}, {"error", LogLevel::error}, {"off", LogLevel::off}};
  for (const auto& [word, level] : names)
    if (word == lower)
      return level;
  return std::nullopt;
}

void start_log(const LogOptions& options) {
  Log& log = the_log();
  log.format = options.format;
  log.logger = std::make_unique<spdlog::logger>(options.service, std::make_shared<DescriptorSink>(options.descriptor));
  log.logger->set_level(level_of(options.level));
  log.logger->set_error_handler([](const std::string&) {});
  const auto pattern = options.format == LogFormat::text
                           ? std::pair("%H:%M:%S.%e %-7l %v", spdlog::pattern_time_type::local)
                           : std::pair(R"({"timestamp":"%Y-%m-%dT%H:%M:%S.%eZ","service":")"
                                       "%n"
                                       R"(",%v})",
                                       spdlog::pattern_time_type::utc);
  log.logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern.first, pattern.second, "\n"));
}

bool logs(LogLevel level) {
  const Log& log = the_log();
  return log.logger != nullptr && log.logger->should_log(level_of(level));
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!logs(level))
    return;
  try {
    const Log& log = the_log();
    const std::string line = log.format == LogFormat::json ? json(level, message, fields) : plain(message, fields);
    log.logger->log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
  } catch (const std::exception&) { // no memory for the line, which is lost
  }
}

} // namespace service
