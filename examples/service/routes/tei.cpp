#include "routes.hpp"

namespace service {

void add_tei_routes(Router&, Context&) {}

} // namespace service
