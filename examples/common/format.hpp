#pragma once
// Numbers and times as people read them.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

namespace cli {

/// 1234567 as "1,234,567".
inline std::string grouped(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t i = digits.size(); i > 3; i -= 3)
    digits.insert(i - 3, 1, ',');
  return digits;
}

/// How many of them in one second: "1,219/s".
inline std::string rate(std::uint64_t n, double seconds) {
  return grouped(seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(n) / seconds) : n) + "/s";
}

/// Seconds as "0:07", "12:30" or "3:05:00".
inline std::string clock_time(double seconds) {
  const long long whole = std::llround(seconds < 0 ? 0 : seconds);
  const long long hours = whole / 3600, minutes = whole / 60 % 60, rest = whole % 60;
  char digits[64];
  const int length = hours > 0 ? std::snprintf(digits, sizeof digits, "%lld:%02lld:%02lld", hours, minutes, rest)
                               : std::snprintf(digits, sizeof digits, "%lld:%02lld", minutes, rest);
  return {digits, static_cast<std::size_t>(length)};
}

/// x with a fixed number of decimals: fixed(0.98765, 2) is "0.99".
inline std::string fixed(double x, int decimals) {
  char digits[64];
  const int length = std::snprintf(digits, sizeof digits, "%.*f", decimals, x);
  return {digits, static_cast<std::size_t>(length)};
}

} // namespace cli
