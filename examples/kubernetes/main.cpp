// distilbert-server: the model behind HTTP.

#include "../service/http/server.hpp"
#include "../service/routes/routes.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>

int main(int argc, char** argv) {
  try {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);

    distilbert::LoadOptions load;
    service::Inference inference(service::Engine::load(argc > 1 ? argv[1] : "models/sst2", load), {2});
    service::Metrics metrics;
    service::Context context{inference, metrics};
    service::Router router;
    service::add_seed_routes(router, context);
    service::add_tei_routes(router, context);
    service::add_open_inference_routes(router, context);
    service::add_openai_routes(router, context);
    service::add_probe_routes(router, context);
    service::add_page_routes(router, context);
    context.ready = true;

    service::ServerOptions options;
    options.host = "127.0.0.1";
    options.port = static_cast<std::uint16_t>(argc > 2 ? std::atoi(argv[2]) : 8000);
    service::Server server(options, [&](service::Request request, service::Respond respond) {
      router.handle(std::move(request), std::move(respond));
    });
    std::printf("http://127.0.0.1:%u\n", server.port());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&signals, &signal);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "distilbert-server: %s\n", e.what());
    return 1;
  }
}
