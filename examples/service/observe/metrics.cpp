#include "metrics.hpp"

namespace service {

void Metrics::request(std::string_view, unsigned, Duration) {}
void Metrics::call(std::string_view, std::size_t, std::size_t, std::string_view, Duration, Duration, Duration,
                   Duration) {}
void Metrics::batch(std::size_t, std::size_t, Duration) {}
void Metrics::cache(std::string_view, std::string_view, std::size_t) {}
void Metrics::queue(std::size_t) {}
std::string Metrics::exposition() const { return {}; }

} // namespace service
