#include "routes.hpp"

#include <utility>

namespace service {

void add_probe_routes(Router& router, Context& context) {
  add_probe_routes(router, context.metrics, [&context] { return !context.draining; });
}

void add_probe_routes(Router& router, const Metrics& metrics, std::function<bool()> ready) {
  router.add("GET", "/livez", [](const auto&, const Respond& respond) { respond({200, "text/plain", {}, "ok"}); });
  const Handler ready_or_not = [ready = std::move(ready)](const auto&, const Respond& respond) {
    if (ready())
      respond({200, "text/plain", {}, "ok"});
    else
      respond({503, "text/plain", {{"Retry-After", "1"}}, "not ready"});
  };
  router.add("GET", "/readyz", ready_or_not);
  router.add("GET", "/healthz", ready_or_not);
  router.add("GET", "/metrics", [&metrics](const auto&, const Respond& respond) {
    respond({200, Metrics::content_type, {}, metrics.exposition()});
  });
}

} // namespace service
