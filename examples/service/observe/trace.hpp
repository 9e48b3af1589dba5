#pragma once
// Which request this is, for whoever follows it through many services: W3C Trace Context and X-Request-Id.

#include "../http/message.hpp"

#include <string>
#include <string_view>

namespace service {

/// The ids of a request: those that came with it, where they are well-formed, else new random ones.
struct Trace {
  std::string parent;     // traceparent, www.w3.org/TR/trace-context, section 3.2: "00-<32 hex>-<16 hex>-<2 hex>"
  std::string request_id; // of 1 to 128 characters of A-Z a-z 0-9 and -._:=/+@; a new one is the trace's

  explicit Trace(const Request& request);

  /// The 32 digits in the midst of `parent`.
  std::string_view trace_id() const { return std::string_view(parent).substr(3, 32); }
};

/// Whether the field is a traceparent that may be passed on: lower-case hex, no id of zeros, version 00, or a later one
/// that begins as 00 does.
bool valid_traceparent(std::string_view field);

/// Whether the field can be repeated in a header and a log as it is.
bool valid_request_id(std::string_view field);

} // namespace service
