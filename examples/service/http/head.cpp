#include "head.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace service {

namespace {

using boost::beast::iequals;
using boost::beast::http::token_list;

constexpr Refusal ok;

/// A set of bytes: letters, digits, and the others that are listed.
constexpr std::array<bool, 256> letters_digits_and(std::string_view others) {
  std::array<bool, 256> set{};
  for (unsigned c = 0; c < 128; ++c)
    set[c] = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  for (const char c : others)
    set[static_cast<unsigned char>(c)] = true;
  return set;
}

constexpr auto token_characters = letters_digits_and("!#$%&'*+-.^_`|~");
constexpr auto host_characters = letters_digits_and("-._~!$&'()*+,;=%"); // reg-name of RFC 3986, 3.2.2
constexpr auto address_characters = letters_digits_and(":.");            // between [ and ]

bool all_of(std::string_view text, const std::array<bool, 256>& set) {
  return std::all_of(text.begin(), text.end(), [&](char c) { return set[static_cast<unsigned char>(c)]; });
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c))
    return c - '0';
  const int lower = c | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_token(std::string_view text) { return !text.empty() && all_of(text, token_characters); }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? std::string_view{} : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

/// Whether a Host field or an authority names a host, with or without a port, and nothing else.
bool is_host(std::string_view text) {
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == text.npos || end == 1 || !all_of(text.substr(1, end - 1), address_characters))
      return false;
    port = text.substr(end + 1);
  } else {
    const std::size_t end = std::min(text.find(':'), text.size());
    if (end == 0 || !all_of(text.substr(0, end), host_characters))
      return false;
    port = text.substr(end);
  }
  return port.empty() || (port.front() == ':' && std::all_of(port.begin() + 1, port.end(), is_digit));
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : hex_digit(text[i + 2]);
    if (low < 0)
      return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

Refusal read_target(std::string_view target, Head& head) {
  if (target.size() > HeadLimits::target)
    return {414, "The target is too long"};
  if (!std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '#'; }))
    return {400, "A byte in the target that must be encoded"};
  Request& request = head.request;
  if (request.method == "CONNECT" || request.method == "TRACE")
    return {405, "Method Not Allowed"};
  if (target == "*" && request.method == "OPTIONS") {
    request.path = target;
    return ok;
  }
  if (target.front() != '/') {
    const std::size_t scheme = target.find("://");
    if (scheme == target.npos ||
        !(iequals(target.substr(0, scheme), "http") || iequals(target.substr(0, scheme), "https")))
      return {400, "The target is neither a path nor a URL"};
    target.remove_prefix(scheme + 3);
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    if (!is_host(target.substr(0, end)))
      return {400, "The target names no host"};
    target.remove_prefix(end);
  }
  const std::size_t end = std::min(target.find('?'), target.size());
  std::optional<std::string> path = percent_decoded(target.substr(0, end));
  if (!path)
    return {400, "A percent sign in the target without two hexadecimal digits"};
  request.path = path->empty() ? "/" : std::move(*path);
  request.query = target.substr(std::min(end + 1, target.size()));
  return ok;
}

Refusal read_version(std::string_view version, Head& head) {
  if (version.size() != 8 || version.substr(0, 5) != "HTTP/" || !is_digit(version[5]) || version[6] != '.' ||
      !is_digit(version[7]))
    return {400, "The request line does not end with a version of HTTP"};
  if (version[5] != '1')
    return {505, "Only HTTP/1.0 and HTTP/1.1 are spoken here"};
  head.http_1_0 = version[7] == '0';
  return ok;
}

Refusal read_length(std::string_view value, Head& head) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), head.length);
  return !value.empty() && error == std::errc{} && end == value.data() + value.size()
             ? ok
             : Refusal{400, "Content-Length is not a number"};
}

/// One Transfer-Encoding field; `chunked`, once in all, is the only coding known.
Refusal read_codings(std::string_view codings, Head& head) {
  for (;;) {
    const std::size_t comma = std::min(codings.find(','), codings.size());
    const std::string_view coding = trimmed(codings.substr(0, comma));
    if (!is_token(coding))
      return {400, "Transfer-Encoding is not a list of codings"};
    if (!iequals(coding, "chunked"))
      return {501, "The only transfer coding known is chunked"};
    if (head.chunked)
      return {400, "The body is chunked twice"};
    head.chunked = true;
    if (comma == codings.size())
      return ok;
    codings.remove_prefix(comma + 1);
  }
}

bool is_welcome_type(std::string_view content_type) {
  const std::string_view type = trimmed(content_type.substr(0, content_type.find(';')));
  const std::size_t plus = type.rfind('+');
  return type.empty() || iequals(type, "application/json") || iequals(type, "application/octet-stream") ||
         iequals(type, "text/json") || (plus != type.npos && iequals(type.substr(plus), "+json"));
}

} // namespace

bool is_token_character(char c) { return token_characters[static_cast<unsigned char>(c)]; }

Refusal read_request_line(std::string_view line, Head& head) {
  const std::size_t first = line.find(' ');
  const std::size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
  if (second == line.npos)
    return {400, "The request line is not a method, a target and a version"};
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  if (!is_token(method) || target.empty())
    return {400, "The request line is not a method, a target and a version"};
  if (const Refusal refusal = read_version(line.substr(second + 1), head))
    return refusal;
  head.request.method = method;
  return read_target(target, head);
}

Refusal read_field_line(std::string_view line, std::vector<Field>& fields) {
  if (line.front() == ' ' || line.front() == '\t')
    return {400, "A header line begins with a space"};
  const std::size_t colon = line.find(':');
  if (colon == line.npos || !is_token(line.substr(0, colon)))
    return {400, "A header line is not a name, a colon and a value"};
  Field& field = fields.emplace_back();
  field.name = line.substr(0, colon);
  for (char& c : field.name)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  field.value = trimmed(line.substr(colon + 1));
  return ok;
}

Refusal finish_head(Head& head, std::uint64_t max_body_bytes) {
  std::size_t hosts = 0, lengths = 0, codings = 0;
  bool close = false, keep_alive = false;
  Refusal unwelcome;
  for (const auto& [name, value] : head.request.fields) {
    Refusal refusal;
    if (name == "host") {
      if (++hosts > 1 || !is_host(value))
        refusal = {400, "Host must name one host"};
    } else if (name == "content-length") {
      refusal = ++lengths > 1 ? Refusal{400, "Two lengths of one body"} : read_length(value, head);
    } else if (name == "transfer-encoding") {
      ++codings;
      refusal = head.http_1_0 ? Refusal{400, "Transfer-Encoding in HTTP/1.0"} : read_codings(value, head);
    } else if (name == "connection") {
      token_list tokens{value};
      close = close || tokens.exists("close");
      keep_alive = keep_alive || tokens.exists("keep-alive");
    } else if (name == "expect" && !head.http_1_0) {
      head.expects_continue = iequals(value, "100-continue");
      if (!head.expects_continue)
        unwelcome = {417, "The only expectation known is 100-continue"};
    }
    if (refusal)
      return refusal;
  }
  if (hosts == 0 && !head.http_1_0)
    return {400, "Host is missing"};
  if (lengths > 0 && codings > 0)
    return {400, "Content-Length and Transfer-Encoding in one request"};
  if (unwelcome)
    return unwelcome;
  const std::string_view coding = head.request.field("content-encoding");
  if (!coding.empty() && !iequals(coding, "identity"))
    return {415, "Bodies must not be compressed"};
  if (head.request.method == "POST" && !is_welcome_type(head.request.field("content-type")))
    return {415, "Content-Type must be application/json"};
  if (head.length > max_body_bytes)
    return {413, "The body is too long"};
  head.keep_alive = !close && (!head.http_1_0 || keep_alive);
  return ok;
}

} // namespace service
