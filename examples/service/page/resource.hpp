#pragma once
// Files compiled into the program, and how they are served.

#include "../http/message.hpp"

#include <span>
#include <string>
#include <string_view>

namespace service {

/// A file; cmake/Resources.cmake makes the tables of them.
struct Resource {
  std::string_view name;         // "assets/app.js"
  std::string_view content_type; // with charset where it is text
  std::string_view hash;         // changes with the file
  std::string_view bytes;        // null if only the next is kept
  std::string_view gzip;         // the same, compressed
};

/// The page, the documents about the interface and the parts of its description.
std::span<const Resource> resources();

/// The one with this name, or null.
const Resource* find_resource(std::string_view name);

/// Whether an Accept-Encoding field with this value takes gzip (RFC 9110, section 12.5.3).
bool accepts_gzip(std::string_view accept_encoding);

/// Whether an If-None-Match field with this value names the entity tag, which is given without quotes (RFC 9110,
/// section 13.1.2).
bool matches_tag(std::string_view if_none_match, std::string_view tag);

/// 200 with the body, or 304 without, if the client has it already; with what browsers should know of any document.
/// `tag`: its entity tag, without quotes; changes with the body.
Response document(const Request& request, std::string_view content_type, std::string_view tag, std::string_view body);

/// The file, compressed if the client takes that. One that is kept compressed only is 406 to those who refuse it by
/// name.
Response serve(const Request& request, const Resource& resource);

} // namespace service
