// Usage: http_echo_server [name=value]...
// The HTTP layer with handlers that need no model. Prints "http://127.0.0.1:PORT"; then obeys the lines of standard
// input: "drain", "finish MILLISECONDS" (prints whether all was answered), "rss" (prints kB; 0: unknown, where a
// sanitizer keeps what was freed); ends with its end.

#include <service/http/router.hpp>
#include <service/http/server.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace service;

namespace {

/// Answers later, on threads of their own.
class Later {
public:
  ~Later() {
    for (std::thread& thread : threads_)
      thread.join();
  }

  template <class Act> void run(std::chrono::milliseconds time, Act act) {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([time, act = std::move(act)] {
      std::this_thread::sleep_for(time);
      act();
    });
  }

private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

ServerOptions options_of(int argc, char** argv) {
  std::map<std::string, long> given;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    given[argument.substr(0, equals)] = std::stol(argument.substr(equals + 1));
  }
  ServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  const auto take = [&](const char* name, auto& value) {
    if (const auto found = given.extract(name))
      value = std::remove_reference_t<decltype(value)>(found.mapped());
  };
  take("port", options.port);
  take("threads", options.threads);
  take("connections", options.max_connections);
  take("body", options.max_body_bytes);
  take("header_ms", options.header_timeout);
  take("body_ms", options.body_timeout);
  take("write_ms", options.write_timeout);
  take("idle_ms", options.idle_timeout);
  take("linger_ms", options.linger_timeout);
  if (!given.empty())
    throw std::invalid_argument("no option " + given.begin()->first);
  return options;
}

Response text(std::string body) { return {200, "text/plain", {}, std::move(body)}; }

long resident_kilobytes() {
  long pages = 0;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*d %ld", &pages) != 1)
      pages = 0;
    std::fclose(file);
  }
#endif
  return pages * 4;
}

} // namespace

int main(int argc, char** argv) try {
  std::atomic<long> echoes{0}, gone{0};
  Later later;
  Router router("/project");

  router.add("GET", "/health", [](const auto&, const Respond& respond) { respond(text("healthy")); });
  router.add("POST", "/echo", [&](const std::shared_ptr<const Request>& request, const Respond& respond) {
    ++echoes;
    if (request->body.empty())
      return respond({400, "text/plain", {}, "empty"});
    respond(text(request->body));
  });
  router.add("GET", "/counts", [&](const auto&, const Respond& respond) {
    respond(text(std::to_string(echoes) + " " + std::to_string(gone)));
  });
  router.add("POST", "/slow", [&](const std::shared_ptr<const Request>& request, const Respond& respond) {
    later.run(std::chrono::milliseconds(std::stol(request->query)), [&gone, request, respond] {
      gone += request->caller->gone;
      respond(text(request->body));
    });
  });
  router.add("GET", "/big", [](const std::shared_ptr<const Request>& request, const Respond& respond) {
    respond(text(std::string(std::stoul(request->query), 'x')));
  });
  router.add("GET", "/items/{}", [](const std::shared_ptr<const Request>& request, const Respond& respond) {
    respond(text(request->arguments[0] + "?" + request->query));
  });
  router.add("GET", "/throw", [](const auto&, const Respond&) { throw std::runtime_error("no"); });
  router.add("GET", "/memory", [](const auto&, const Respond&) { throw std::bad_alloc(); });
  router.add("GET", "/twice", [](const auto&, const Respond& respond) {
    respond(text("first"));
    respond(text("second"));
    throw std::runtime_error("third");
  });
  router.add("GET", "/never", [](const auto&, const Respond&) {});
  router.add("GET", "/split", [](const auto&, const Respond& respond) {
    respond({200, "text/plain", {{"X-Echo", "a\r\nSet-Cookie: b"}}, "split"});
  });

  Server server(options_of(argc, argv),
                [&](Request request, Respond respond) { router.handle(std::move(request), std::move(respond)); });
  std::cout << "http://127.0.0.1:" << server.port() << std::endl;
  for (std::string command; std::cin >> command;) {
    if (command == "drain")
      server.start_drain();
    if (command == "rss")
      std::cout << resident_kilobytes() << std::endl;
    if (long limit = 0; command == "finish" && std::cin >> limit)
      std::cout << (server.finish(std::chrono::milliseconds(limit)) ? "all" : "not all") << std::endl;
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
