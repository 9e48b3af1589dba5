#pragma once
// The head of a response, as it goes over the wire.

#include "message.hpp"

#include <ctime>
#include <string>

namespace service {

/// Whether a response with this status has a body at all (RFC 9110, 6.4.1).
bool has_body(unsigned status);

/// What the connection adds to a response.
struct Delivery {
  bool keep_alive = true;     // the connection stays open
  bool http_1_0 = false;      // to a client of HTTP/1.0
  std::string_view date = {}; // of http_date()
};

/// Appends status line and fields up to the empty line. Control characters in a field become spaces, so that no value
/// can end its line.
void append_response_head(std::string& out, const Response& response, const Delivery& delivery);

/// "Fri, 27 Nov 2026 12:00:00 GMT" (RFC 9110, 5.6.7).
std::string http_date(std::time_t time);

} // namespace service
