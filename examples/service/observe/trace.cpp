#include "trace.hpp"

#include <algorithm>
#include <cstdint>
#include <random>

namespace service {

namespace {

constexpr std::size_t parent_size = 55;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) { return is_hex(text) && text.find_first_not_of('0') != text.npos; }

void append_hex(std::string& out, std::uint64_t number) {
  for (int shift = 60; shift >= 0; shift -= 4)
    out += "0123456789abcdef"[(number >> shift) & 15];
}

/// Sampling is for whoever traces to decide: flags 00.
std::string new_parent() {
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  std::string parent = "00-";
  append_hex(parent, random());
  append_hex(parent, random() | 1);
  parent += '-';
  append_hex(parent, random() | 1);
  return parent += "-00";
}

} // namespace

bool valid_traceparent(std::string_view field) {
  if (field.size() < parent_size || field[2] != '-' || field[35] != '-' || field[52] != '-')
    return false;
  const std::string_view version = field.substr(0, 2);
  const bool ends = field.size() == parent_size || (version != "00" && field[parent_size] == '-');
  return ends && is_hex(version) && version != "ff" && is_id(field.substr(3, 32)) && is_id(field.substr(36, 16)) &&
         is_hex(field.substr(53, 2));
}

bool valid_request_id(std::string_view field) {
  return !field.empty() && field.size() <= 128 && std::all_of(field.begin(), field.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("-._:=/+@").find(c) != std::string_view::npos;
  });
}

Trace::Trace(const Request& request) {
  const std::string_view came = request.field("traceparent");
  parent = valid_traceparent(came) ? std::string(came.substr(0, parent_size)) : new_parent();
  const std::string_view id = request.field("x-request-id");
  request_id = valid_request_id(id) ? id : trace_id();
}

} // namespace service
