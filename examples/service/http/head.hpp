#pragma once
// The head of a request, line by line: what it says, or the status that refuses it. As strict as RFC 9112 allows, so
// that no proxy in front can see other requests in the same bytes.

#include "message.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace service {

/// Why a request is not taken: the status and a sentence. False when there is nothing to refuse.
struct Refusal {
  unsigned status = 0;
  std::string_view words = {};

  explicit operator bool() const { return status != 0; }
};

/// What a head may measure; beyond, 414 or 431.
struct HeadLimits {
  static constexpr std::size_t target = 8'192;             // bytes of the request target
  static constexpr std::size_t request_line = target + 64; // with method and version
  static constexpr std::size_t bytes = 16'384;             // of all lines
  static constexpr std::size_t fields = 100;               // lines
};

/// A head that has been read. `request` lacks its body, and its arguments.
struct Head {
  Request request;
  bool http_1_0 = false;
  bool keep_alive = true;        // the client's wish
  bool expects_continue = false; // waits for 100 before it sends the body
  bool chunked = false;
  std::uint64_t length = 0; // of the body, unless chunked
};

/// Whether the byte may stand in a token: a method, the name of a field (RFC 9110, 5.6.2).
bool is_token_character(char c);

/// `line`: METHOD SP target SP HTTP/n.n, without its CRLF. Sets method, path, query and version. Forms of a target
/// (RFC 9112, 3.2): origin; absolute, whose host is left out; `*` for OPTIONS, which is then the path. CONNECT and
/// TRACE, which no resource here knows, are refused with 405.
Refusal read_request_line(std::string_view line, Head& head);

/// `line`: name ":" value, without its CRLF. Appends it to the fields; the name becomes lower-case.
Refusal read_field_line(std::string_view line, std::vector<Field>& fields);

/// After the last field: Host, the framing of the body (RFC 9112, 6), Connection, Expect, and whether a body of this
/// length (413), coding (415) and type (415; JSON, bytes and no type at all are taken) is welcome.
Refusal finish_head(Head& head, std::uint64_t max_body_bytes);

} // namespace service
