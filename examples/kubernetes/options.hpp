#pragma once
// The settings of distilbert-server: from the command line, else the environment, else a file.

#include "../service/http/server.hpp"
#include "../service/observe/log.hpp"
#include "../service/service.hpp"

#include <chrono>
#include <optional>

struct Options {
  service::ServiceOptions service;
  service::ServerOptions server;
  service::LogOptions log;
  std::chrono::milliseconds drain_delay{0};      // between the signal to end and the last connection taken
  std::chrono::milliseconds grace_limit{20'000}; // then, for what is accepted to be answered
};

/// Reads arguments, environment and file. Gives the exit status instead if there is nothing more to do: --help and
/// --version have been answered, or something is wrong and has been said on standard error, in a line.
struct ParsedOptions {
  std::optional<Options> options;
  int exit_status = 0;
};
ParsedOptions parse_options(int argc, char** argv);
