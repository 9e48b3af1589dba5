#pragma once
// The log: one line for each event, JSON for machines or plain for people. No line ever holds a text to classify.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace service {

enum class LogLevel { debug, info, warning, error, off };

/// "debug", "info", "warning" ("warn"), "error", "off", in any case.
std::optional<LogLevel> log_level_from_name(std::string_view name);

enum class LogFormat {
  json, // {"level":"INFO","timestamp":"2026-11-27T13:00:00.123Z","service":"...","message":"...", and the fields}
  text, // 13:00:00.123 info  message key=value
};

struct LogOptions {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::json;
  std::string service = "distilbert-server"; // who speaks
  int descriptor = 2;                        // where to
};

/// Sets the log up, which until then says nothing. Not while other threads log.
void start_log(const LogOptions& options);

/// What belongs to an event. Names are plain words of the program; values may hold anything.
struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double> value;
};

/// Whether events of this level are written: a line that nobody reads need not be composed.
bool logs(LogLevel level);

/// Writes a line, from any thread. Never throws and never waits: a line is lost if whoever reads the log does not keep
/// up, has gone, or if the disk is full.
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

} // namespace service
