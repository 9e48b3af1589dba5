// distilbert-server: a model behind HTTP, in a pod or anywhere. --help describes its settings and how it ends.

#include "../common/model_directory.hpp"
#include "../service/http/server.hpp"
#include "../service/observe/log.hpp"
#include "../service/service.hpp"
#include "descriptors.hpp"
#include "options.hpp"
#include "signals.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>

namespace {

using service::LogLevel;

/// Where standard streams are closed, the first connections would become them.
void open_standard_streams() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor)
    if (::fcntl(descriptor, F_GETFD) == -1)
      ::open("/dev/null", O_RDWR);
}

/// An address that a client on this machine may use: where all are listened at, one of them.
std::string reachable(const std::string& host) { return host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host; }

std::string url(const std::string& host, std::uint16_t port) {
  const std::string reached = reachable(host);
  const bool ipv6 = reached.find(':') != reached.npos;
  return "http://" + (ipv6 ? '[' + reached + ']' : reached) + ':' + std::to_string(port);
}

/// For people and scripts, on standard output: once it is there, requests are answered.
void announce(const Options& options, const std::string& address) {
  const std::string root = address + options.service.root_path;
  std::printf("listening on %s%s\n", address.c_str(),
              reachable(options.server.host) != options.server.host ? " and other addresses of this machine" : "");
  if (options.service.page && options.service.root_path.empty())
    std::printf("  page           %s/\n", root.c_str());
  std::printf("  documentation  %s/docs\n  metrics        %s/metrics\n", root.c_str(), root.c_str());
  std::fflush(stdout);
}

void run(Options options) {
  static Signals signals;
  service::start_log(options.log);
  options.server.max_connections = make_room_for(options.server.max_connections);
  if (options.service.model.empty())
    options.service.model = cli::default_model_directory();

  service::Service service(options.service);
  options.server.on_own_answer = [&service](auto method, auto status) { service.carrier_answered(method, status); };
  service::Server server(options.server, [&](service::Request request, service::Respond respond) {
    service.handle(std::move(request), std::move(respond));
  });
  service.metrics().sample("distilbert_http_connections", "Open connections",
                           [&server] { return static_cast<double>(server.connections()); });
  const std::string address = url(options.server.host, server.port());
  service::log(LogLevel::info, "listening",
               {{"url", address},
                {"host", options.server.host},
                {"max_connections", static_cast<std::int64_t>(options.server.max_connections)}});
  service.load([] { signals.hold(); });
  announce(options, address);

  const int signal = signals.wait();
  service::log(LogLevel::info, "draining",
               {{"signal", std::int64_t{signal}}, {"connections", static_cast<std::int64_t>(server.connections())}});
  service.drain();
  server.start_drain();
  std::this_thread::sleep_for(options.drain_delay);
  const bool all = server.finish(options.grace_limit);
  service::log(all ? LogLevel::info : LogLevel::warning,
               all ? "ended" : "ended: connections were cut at the grace limit");
}

} // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  try {
    ParsedOptions parsed = parse_options(argc, argv);
    if (!parsed.options)
      return parsed.exit_status;
    run(std::move(*parsed.options));
    return 0;
  } catch (const std::system_error& e) {
    const bool thread = e.code() == std::errc::resource_unavailable_try_again; // std::thread says no more than that
    std::fprintf(stderr, "distilbert-server: %s%s\n", thread ? "no room for another thread: " : "", e.what());
    return 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "distilbert-server: %s\n", e.what());
    return 1;
  }
}
