#include "routes.hpp"

namespace service {

void add_open_inference_routes(Router&, Context&) {}

} // namespace service
