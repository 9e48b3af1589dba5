#include "routes.hpp"

namespace service {

void add_page_routes(Router&, Context&) {}

} // namespace service
