#include "redis_url.hpp"

#include <charconv>
#include <optional>
#include <stdexcept>
#include <system_error>

namespace service {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::invalid_argument(std::string("the URL of Redis ") + what +
                              "; it has the form redis://[[user]:password@]host[:port][/database] or "
                              "unix://[[user]:password@]/path[?db=database]");
}

template <typename T> std::optional<T> number(std::string_view digits) {
  T value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size())
    return std::nullopt;
  return value;
}

std::string decode_percents(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned char byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2)
      fail("has a % without two hexadecimal digits");
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

unsigned parse_database(std::string_view digits) {
  const auto database = number<unsigned>(digits);
  if (!database)
    fail("has a database that is not a number");
  return *database;
}

void parse_user(std::string_view text, RedisUrl& url) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    fail("has a user without a password (write :password@ for a password without a user)");
  url.user = decode_percents(text.substr(0, colon));
  url.password = decode_percents(text.substr(colon + 1));
  if (url.password.empty())
    fail("has an empty password");
}

void parse_host(std::string_view text, RedisUrl& url) {
  std::string_view host = text, rest;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos)
      fail("has a [ without a ]");
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':')
      fail("has something between ] and the port");
  } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    rest = text.substr(colon);
    if (rest.find(':', 1) != std::string_view::npos)
      fail("has several colons (an IPv6 address stands in brackets, a / in a password is written %2F)");
  }
  if (host.empty())
    fail("has no host");
  if (host.find('\0') != std::string_view::npos)
    fail("has a byte of zero in its host");
  url.host = host;
  if (!rest.empty()) {
    const auto port = number<std::uint16_t>(rest.substr(1));
    if (!port || *port == 0)
      fail("has a port that is not a number from 1 to 65535");
    url.port = *port;
  }
}

void parse_path(std::string_view text, RedisUrl& url) {
  if (const std::size_t query = text.find('?'); query != std::string_view::npos) {
    if (!text.substr(query).starts_with("?db="))
      fail("has an option other than ?db=");
    url.database = parse_database(text.substr(query + 4));
    text = text.substr(0, query);
  }
  url.path = decode_percents(text);
  constexpr std::size_t longest = 107; // what fits sun_path with its final zero
  if (url.path.size() < 2 || url.path.size() > longest || url.path.find('\0') != std::string::npos)
    fail("has a path that is empty, longer than 107 bytes or holds a byte of zero");
}

} // namespace

RedisUrl parse_redis_url(std::string_view text) {
  if (text.starts_with("rediss://"))
    fail("asks for TLS, which is left to the mesh");
  const bool unix_socket = text.starts_with("unix://");
  if (!unix_socket && !text.starts_with("redis://"))
    fail("starts with neither redis:// nor unix://");
  text.remove_prefix(unix_socket ? 7 : 8);

  RedisUrl url;
  const std::size_t slash = text.find('/');
  std::string_view authority = text.substr(0, slash);
  const std::string_view rest = slash == std::string_view::npos ? std::string_view() : text.substr(slash);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    parse_user(authority.substr(0, at), url);
    authority.remove_prefix(at + 1);
  }
  if (unix_socket) {
    if (!authority.empty() || rest.empty())
      fail("has no path after unix://");
    parse_path(rest, url);
    return url;
  }
  parse_host(authority, url);
  if (rest.size() > 1)
    url.database = parse_database(rest.substr(1));
  return url;
}

} // namespace service
