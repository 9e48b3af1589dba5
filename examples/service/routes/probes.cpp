#include "routes.hpp"

namespace service {

void add_probe_routes(Router& router, Context& context) {
  router.add("GET", "/livez", [](const auto&, const Respond& respond) { respond({200, "text/plain", {}, "ok"}); });
  router.add("GET", "/readyz", [&context](const auto&, const Respond& respond) {
    const bool ready = context.ready && !context.draining;
    respond({ready ? 200u : 503u, "text/plain", {}, ready ? "ok" : "not ready"});
  });
}

} // namespace service
