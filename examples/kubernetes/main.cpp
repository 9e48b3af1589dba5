// distilbert-server: the model behind HTTP.

#include "../common/command_line.hpp"
#include "../service/http/server.hpp"
#include "../service/routes/routes.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>

int main(int argc, char** argv) {
  try {
    std::string model = "models/sst2";
    service::ServerOptions options;
    CLI::App app("Serves a model over HTTP.\n", "distilbert-server");
    app.add_option("--model", model, "Model directory")->type_name("DIR")->envname("DISTILBERT_MODEL");
    app.add_option("--host", options.host, "Address to listen at")->type_name("ADDRESS")->envname("HOST");
    app.add_option("--port", options.port, "Port; 0: a free one")->type_name("N")->envname("PORT");
    CLI11_PARSE(app, argc, argv);

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);

    service::Inference inference(service::Engine::load(model, {}), {2});
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

    service::Server server(options, [&](service::Request request, service::Respond respond) {
      router.handle(std::move(request), std::move(respond));
    });
    std::printf("listening on http://%s:%u\n", options.host.c_str(), server.port());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&signals, &signal);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "distilbert-server: %s\n", e.what());
    return 1;
  }
}
