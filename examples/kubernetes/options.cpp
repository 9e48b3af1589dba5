#include "options.hpp"

#include "../common/command_line.hpp"

#include <distilbert/threads/cpu_count.hpp>
#include <distilbert/version.hpp>
#include <distilbert/weights/pack.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <istream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <unistd.h>

namespace {

// The least seconds of a time that must pass: for a message over the network, and for what a pause in it must not end.
constexpr const char *instant = "0.001", *exchange = "0.1";
constexpr const char *day = "86400", *ten_years = "315360000";

constexpr const char* description =
    R"(Serves a model over HTTP: the routes of Text Embeddings Inference, of KServe's Open Inference Protocol and of
OpenAI's embeddings, described at /docs and /openapi.json; a page for people at /; metrics at /metrics.
)";

constexpr const char* footer = R"(Where a setting comes from:
  The command line, else the environment, else the file of --config, which has lines such as
    port = 8080
    redis-url = "redis://cache:6379/0"
    no-page = true
  There a # begins a comment, inside quotes, too: a value with one has to come from elsewhere.
  Times are in seconds and may have decimals: 0.5.

How it ends:
  SIGTERM and SIGINT: /readyz says 503 at once; it still serves everybody for the drain delay, then takes no new
  connection, answers what it has accepted, for the grace limit at most, and ends. A second signal ends it at once.
  SIGHUP is ignored.

Exit status:
  0 told to end, 1 could not start (one line on standard error tells why); 128 + the signal's number after a second one.

Examples:
  distilbert-server
  distilbert-server --model my-model --host 127.0.0.1 --port 8080
  API_KEY=secret REDIS_URL=redis://cache:6379/0 distilbert-server --root-path /project
)";

/// Where Kubernetes runs a program, it says so. There a pod goes on for as long as it takes until nobody sends anything
/// more, elsewhere nobody is waited for.
std::chrono::milliseconds default_drain_delay() {
  return std::chrono::milliseconds(std::getenv("KUBERNETES_SERVICE_HOST") != nullptr ? 5'000 : 0);
}

/// The file's lines without those whose setting the environment has: CLI11 by itself would let the file win. It would
/// also take the names of variables, and call an unknown setting one that it was not able to parse.
class ConfigBelowEnvironment : public CLI::ConfigBase {
public:
  explicit ConfigBelowEnvironment(const CLI::App& app) : app_(app) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& file) const override {
    std::vector<CLI::ConfigItem> lines = ConfigBase::from_config(file);
    const auto overridden = [this](const CLI::ConfigItem& item) {
      const char* value = std::getenv(option_of(item).get_envname().c_str());
      return value != nullptr && *value != '\0';
    };
    lines.erase(std::remove_if(lines.begin(), lines.end(), overridden), lines.end());
    return lines;
  }

private:
  const CLI::Option& option_of(const CLI::ConfigItem& item) const {
    const CLI::Option* option = app_.get_option_no_throw("--" + item.name);
    const std::string file = app_.get_config_ptr()->as<std::string>();
    if (!item.parents.empty())
      throw CLI::ConfigError(file + ": there are no sections such as [" + item.parents.front() + ']');
    if (option == nullptr || !option->get_configurable())
      throw CLI::ConfigError(file + ": unknown setting \"" + item.name + '"');
    return *option;
  }

  const CLI::App& app_;
};

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

/// Whether all of the text is a number of this range, which is then in `value`.
bool read_number(const std::string& text, double least, double most, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= least && value <= most;
}

/// What a header field can carry to its end.
CLI::Validator header_value() {
  return CLI::Validator(
      [](const std::string& text) {
        const bool good = std::none_of(text.begin(), text.end(), is_control) &&
                          (text.empty() || (text.front() != ' ' && text.back() != ' '));
        return good ? ""
                    : "a key holds no control character, such as a newline at its end, and neither begins nor ends "
                      "with a space";
      },
      "");
}

CLI::Validator address() {
  return CLI::Validator(
      [](const std::string& text) {
        unsigned char bytes[sizeof(in6_addr)];
        const bool good = inet_pton(AF_INET, text.c_str(), bytes) == 1 || inet_pton(AF_INET6, text.c_str(), bytes) == 1;
        return good ? std::string() : '"' + text + "\" is not an IPv4 or IPv6 address";
      },
      "");
}

/// What stands for the model in a path: "/v1/models/NAME". A slash would make two segments of it.
CLI::Validator segment() {
  return CLI::Validator(
      [](const std::string& text) {
        const bool good = text != "." && text != ".." && text.find('/') == text.npos &&
                          std::none_of(text.begin(), text.end(), is_control);
        return good ? "" : "a name in a path is not . or .., and holds no slash and no control character";
      },
      "");
}

CLI::Validator probability() {
  return CLI::Validator(
      [](const std::string& text) {
        double value = 0;
        return read_number(text, 0, 1, value) ? std::string() : '"' + text + "\" is not a number from 0 to 1";
      },
      "");
}

/// What a variable or the file may say of a flag; CLI11 itself takes any number for yes.
CLI::Validator yes_or_no() {
  return CLI::Validator(
      [](const std::string& text) {
        const std::string word = CLI::detail::to_lower(text);
        for (const char* known : {"true", "false", "1", "0", "yes", "no", "on", "off"})
          if (word == known)
            return std::string();
        return '"' + text + "\" is neither true nor false";
      },
      "");
}

CLI::Validator root_path() {
  return CLI::Validator(
      [](const std::string& text) {
        const bool good = text.empty() || (text[0] == '/' && text.size() > 1 && text.back() != '/' &&
                                           text.find_first_of("?# \t{}") == text.npos);
        return good ? std::string()
                    : '"' + text + "\" does not begin with a slash, ends in one, or holds what no path does";
      },
      "");
}

/// Adds options: flag, variable and help of one setting are said once. An empty group is the first one.
class Settings {
public:
  explicit Settings(CLI::App& app) : app_(app) {}

  void group(const char* name) { group_ = name; }

  template <class Value>
  CLI::Option* add(const char* flag, const char* variable, const char* type, Value& value, const std::string& help) {
    return common(app_.add_option(flag, value, help)->type_name(type), variable);
  }
  CLI::Option* add_flag(const char* flag, const char* variable, bool& value, const std::string& help) {
    return common(app_.add_flag(flag, value, help)->check(yes_or_no()), variable);
  }
  template <class Number>
  CLI::Option* add_number(const char* flag, const char* variable, Number& value, std::uint64_t least,
                          std::uint64_t most, const std::string& help) {
    return add(flag, variable, "N", value, help)->check(cli::whole_number(least, most));
  }
  /// A time in seconds.
  CLI::Option* add_time(const char* flag, const char* variable, std::chrono::milliseconds& value, const char* least,
                        const std::string& help, const char* most = day) {
    const auto read = [&value, flag, least, most](const std::string& text) {
      double seconds = 0;
      if (!read_number(text, std::strtod(least, nullptr), std::strtod(most, nullptr), seconds))
        throw CLI::ValidationError(flag, '"' + text + "\" is not a number of seconds from " + least + " to " + most);
      value = std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000 - 1e-6)));
    };
    return common(app_.add_option_function<std::string>(flag, read, help)->type_name("SECONDS"), variable);
  }

private:
  CLI::Option* common(CLI::Option* option, const char* variable) { return option->envname(variable)->group(group_); }

  CLI::App& app_;
  std::string group_;
};

/// What has a form of its own in Options is read as it is written.
struct Raw {
  std::string model, precision, redis_url, log_level = "info", log_format;
  std::size_t threads = 0;
  std::size_t cache_megabytes = 32;
  bool no_page = false, map_model = false;
};

void add_settings(CLI::App& app, Options& options, Raw& raw) {
  service::ServiceOptions& service = options.service;
  service::ServerOptions& server = options.server;
  Settings settings(app);

  settings.group("Model");
  settings.add("--model", "DISTILBERT_MODEL", "DIR", raw.model,
               "Model directory; by default the model that comes with the program");
  settings
      .add("--served-model-name", "SERVED_MODEL_NAME", "NAME", service.model_name,
           "What clients call the model; by default the name of its directory")
      ->check(segment());
  settings.add("--precision", "DISTILBERT_PRECISION", "P", raw.precision,
               "fp32, bf16 or int8; by default the one that the model is stored in");
  settings.add_number(
      "--threads", "DISTILBERT_THREADS", raw.threads, 0, 1024,
      "Threads for the model, and as many for connections;\n0: as many as there are CPUs for this process");
  settings.add(
      "--isa", "DISTILBERT_ISA", "LEVEL", service.isa,
      "Instruction set to use, instead of the best one that the CPU has:\nportable, avx2, avx512, avx512_vnni, "
      "avx512_bf16; on Arm neon, neon_dotprod");
  settings.add_number(
      "--max-length", "MAX_LENGTH", service.load.max_length, 2, 1'000'000,
      "Read at most N tokens of a text, [CLS] and [SEP] included;\nby default as many as the model can take");
  settings.add_flag("--special-tokens-as-text", "SPECIAL_TOKENS_AS_TEXT", service.load.encode_special_tokens,
                    "Read \"[SEP]\" and its like in a text as ordinary characters");
  settings
      .add(
          "--neutral-below", "NEUTRAL_BELOW", "SCORE", service.neutral_below,
          "Of a model of two labels: the answer to {\"payload\"} is \"neutral\" where\nthe better one's score is below "
          "this; by default 0: never")
      ->check(probability());
  settings.add_flag(
      "--map-model", "MAP_MODEL", raw.map_model,
      "Read the weights where the file lies: starts sooner, shares memory\nbetween processes; the file must "
      "then never be changed in place");

  settings.group("HTTP");
  settings.add("--host", "HOST", "ADDRESS", server.host, "Address to listen at; by default 0.0.0.0, all of IPv4")
      ->check(address());
  settings.add_number("--port", "PORT", server.port, 0, 65'535, "Port; by default 8000; 0: a free one");
  settings.add("--root-path", "ROOT_PATH", "PATH", service.root_path, "Serve below this path, too, such as /project")
      ->check(root_path());
  settings
      .add(
          "--api-key", "API_KEY", "KEY", service.api_key,
          "Ask for this key, as \"Authorization: Bearer KEY\" or \"X-API-Key: KEY\",\nwherever a request is not a GET; "
          "better set by the variable: others\nsee a command line")
      ->check(header_value());
  settings.add_flag("--no-page", "NO_PAGE", raw.no_page, "No page for people at /");

  settings.group("Limits");
  settings.add_number("--max-body-bytes", "MAX_BODY_BYTES", server.max_body_bytes, 1, 1'000'000'000,
                      "Largest body of a request; by default 2000000");
  settings.add_number(
      "--max-total-body-bytes", "MAX_TOTAL_BODY_BYTES", server.max_total_body_bytes, 1, 1'000'000'000'000,
      "Of all requests under way, and as much again of all large answers not\nyet taken; beyond it 503; by "
      "default 256000000");
  settings.add_number("--max-connections", "MAX_CONNECTIONS", server.max_connections, 1, 1'000'000,
                      "Most connections at a time; by default 20000");
  settings.add_number("--max-concurrent-requests", "MAX_CONCURRENT_REQUESTS", service.max_concurrent_requests, 1,
                      1'000'000, "Most requests in work or waiting; above it 429; by default 512");
  settings.add_number("--max-client-batch-size", "MAX_CLIENT_BATCH_SIZE", service.max_client_batch_size, 1, 1'000'000,
                      "Most texts of one request, where the route's protocol has such a limit;\nby default 32");
  settings.add_number("--max-bulk-texts", "MAX_BULK_TEXTS", service.max_bulk_texts, 1, 1'000'000,
                      "Most texts of one request elsewhere; by default 4096");
  settings.add_number("--max-batch-tokens", "MAX_BATCH_TOKENS", service.inference.batch_tokens, 1, 1'000'000,
                      "Tokens that the model computes at a time; by default 256");
  settings.add_number("--max-queue-texts", "MAX_QUEUE_TEXTS", service.inference.queue_texts, 1, 10'000'000,
                      "Most texts that wait; by default 16384");
  settings.add_time("--request-timeout", "REQUEST_TIMEOUT", service.request_timeout, instant,
                    "How long a request may wait for the model; by default 30");
  settings.add_time("--header-timeout", "HEADER_TIMEOUT", server.header_timeout, exchange,
                    "From the first byte of a request to the end of its header; by default 5");
  settings.add_time("--body-timeout", "BODY_TIMEOUT", server.body_timeout, exchange,
                    "For the body, of which half this time must bring 256 bytes for each\nsecond; by default 10");
  settings.add_time("--write-timeout", "WRITE_TIMEOUT", server.write_timeout, exchange,
                    "For a client to take the answer; by default 10");
  settings.add_time("--idle-timeout", "IDLE_TIMEOUT", server.idle_timeout, exchange, "Between requests; by default 75");

  settings.group("Cache");
  settings.add_number("--cache-megabytes", "CACHE_MEGABYTES", raw.cache_megabytes, 0, 1'000'000,
                      "Memory for answers to texts seen before; 0: none; by default 32");
  settings.add("--redis-url", "REDIS_URL", "URL", raw.redis_url,
               "A cache that replicas share: redis://[[user]:password@]host[:port][/database],\nor "
               "unix://[[user]:password@]/path[?db=database]");
  settings.add_time("--redis-ttl", "REDIS_TTL", service.redis_ttl, "0",
                    "How long an answer stays in it; by default 86400; 0: until Redis evicts it", ten_years);
  settings.add_time("--redis-budget", "REDIS_BUDGET", service.redis_budget, instant,
                    "How long to wait for it, at most; by default 0.01");

  settings.group("Life");
  settings.add_time("--drain-delay", "DRAIN_DELAY", options.drain_delay, "0",
                    "From the signal to end until no new connection is taken;\nby default 5 in a pod, 0 elsewhere");
  settings.add_time("--grace-limit", "GRACE_LIMIT", options.grace_limit, "0",
                    "Then, for all that is accepted to be answered; by default 20");
  settings.add("--log-level", "LOG_LEVEL", "LEVEL", raw.log_level,
               "debug, info, warning, error or off; by default info");
  settings.add("--log-format", "LOG_FORMAT", "FORMAT", raw.log_format,
               "json or text; by default text on a terminal, json elsewhere");
  settings.add_flag("--log-requests", "LOG_REQUESTS", service.log_requests,
                    "Log every request at level info instead of debug");
}

/// Takes over what Raw holds. Throws CLI::Error.
void finish(Options& options, const Raw& raw) {
  service::ServiceOptions& service = options.service;
  if (options.server.max_total_body_bytes < options.server.max_body_bytes)
    throw CLI::ValidationError("--max-total-body-bytes", "is less than --max-body-bytes");
  service.model = raw.model;
  service.load.precision = distilbert::precision_from_name(raw.precision);
  if (!raw.precision.empty() && !service.load.precision)
    throw CLI::ValidationError("--precision", '"' + raw.precision + "\" is not fp32, bf16 or int8");
  service.load.memory = raw.map_model ? distilbert::Memory::map : distilbert::Memory::copy;
  service.load.threads = raw.threads > 0 ? raw.threads : distilbert::usable_cpus();
  service.inference.workers = options.server.threads = service.load.threads;
  service.inference.cache_bytes = raw.cache_megabytes * 1'000'000;
  service.page = !raw.no_page;
  try {
    if (!raw.redis_url.empty())
      service.redis = service::parse_redis_url(raw.redis_url);
  } catch (const std::invalid_argument& e) {
    throw CLI::ValidationError("--redis-url", e.what());
  }

  const auto level = service::log_level_from_name(raw.log_level);
  if (!level)
    throw CLI::ValidationError("--log-level", '"' + raw.log_level + "\" is not debug, info, warning, error or off");
  options.log.level = *level;
  if (!raw.log_format.empty() && raw.log_format != "json" && raw.log_format != "text")
    throw CLI::ValidationError("--log-format", '"' + raw.log_format + "\" is not json or text");
  const bool people = raw.log_format.empty() ? isatty(options.log.descriptor) == 1 : raw.log_format == "text";
  options.log.format = people ? service::LogFormat::text : service::LogFormat::json;
}

/// A message that begins with a setting's flag, with its variable instead if that is where the value came from.
std::string as_it_was_set(std::string message, const CLI::App& app, int argc, const char* const* argv) {
  const auto begins = [](const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; };
  for (const CLI::Option* option : app.get_options()) {
    const std::string flag = "--" + option->get_single_name(), &variable = option->get_envname();
    const bool on_command_line = std::any_of(
        argv, argv + argc, [&](const char* argument) { return argument == flag || begins(argument, flag + '='); });
    if (begins(message, flag + ": ") && !on_command_line && std::getenv(variable.c_str()) != nullptr)
      return message.replace(0, flag.size(), variable);
  }
  return message;
}

} // namespace

ParsedOptions parse_options(int argc, char** argv) {
  Options options;
  options.drain_delay = default_drain_delay();
  Raw raw;

  CLI::App app(description, "distilbert-server");
  app.formatter(std::make_shared<cli::HelpFormatter>());
  app.set_version_flag("--version", std::string("distilbert-server ") + distilbert::version(), "Print the version");
  app.set_help_flag("-h,--help", "Print this");
  app.footer(footer);
  const char* file = std::getenv("DISTILBERT_CONFIG");
  app.set_config("--config", file != nullptr ? file : "", "Read settings from this file",
                 file != nullptr && *file != '\0')
      ->type_name("FILE")
      ->envname("DISTILBERT_CONFIG");
  app.config_formatter(std::make_shared<ConfigBelowEnvironment>(app));
  app.allow_config_extras(CLI::config_extras_mode::error);
  add_settings(app, options, raw);

  try {
    app.parse(argc, argv);
    finish(options, raw);
  } catch (const CLI::Success& asked) {
    return {std::nullopt, app.exit(asked)};
  } catch (const CLI::Error& wrong) {
    std::fprintf(stderr, "distilbert-server: %s\n", as_it_was_set(wrong.what(), app, argc, argv).c_str());
    return {std::nullopt, 1};
  }
  return {std::move(options), 0};
}
