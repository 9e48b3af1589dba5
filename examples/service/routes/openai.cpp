#include "routes.hpp"

namespace service {

void add_openai_routes(Router&, Context&) {}

} // namespace service
