#include "response_head.hpp"

#include <boost/beast/http/status.hpp>

#include <charconv>
#include <cstddef>
#include <string_view>

namespace service {

namespace {

namespace http = boost::beast::http;

void append_number(std::string& out, std::size_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  const std::size_t begin = out.size();
  out.append(name).append(": ").append(value);
  for (std::size_t i = begin; i < out.size(); ++i)
    if (static_cast<unsigned char>(out[i]) < ' ' || out[i] == '\x7f')
      out[i] = ' ';
  out.append("\r\n");
}

} // namespace

bool has_body(unsigned status) { return status >= 200 && status != 204 && status != 304; }

void append_response_head(std::string& out, const Response& response, const Delivery& delivery) {
  const std::string_view reason = http::obsolete_reason(static_cast<http::status>(response.status));
  out.append("HTTP/1.1 ");
  append_number(out, response.status);
  out.append(" ").append(reason).append("\r\n");
  append_field(out, "Date", delivery.date);
  if (!delivery.keep_alive)
    out.append("Connection: close\r\n");
  else if (delivery.http_1_0)
    out.append("Connection: keep-alive\r\n");
  for (const Field& field : response.fields)
    append_field(out, field.name, field.value);
  if (has_body(response.status)) {
    if (!response.content_type.empty())
      append_field(out, "Content-Type", response.content_type);
    out.append("Content-Length: ");
    append_number(out, response.body.size());
    out.append("\r\n");
  }
  out.append("\r\n");
}

std::string http_date(std::time_t time) {
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  gmtime_r(&time, &utc);
  char rest[64]; // the names are written apart: strftime's are those of the locale
  const std::size_t size = std::strftime(rest, sizeof rest, " %Y %H:%M:%S GMT", &utc);
  std::string date = std::string(days[utc.tm_wday]) + (utc.tm_mday < 10 ? ", 0" : ", ") + std::to_string(utc.tm_mday);
  return date.append(" ").append(months[utc.tm_mon]).append(rest, size);
}

} // namespace service
