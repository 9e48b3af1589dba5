#pragma once
// SHA-256, by OpenSSL.

#include "progress.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace convert {

/// The hash in lower-case hexadecimal digits.
inline std::string sha256(std::string_view bytes, Progress& progress) {
  const auto check = [](int result) {
    if (result != 1)
      throw std::bad_alloc(); // the only way in which a digest over memory can fail
  };
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  check(context != nullptr);
  check(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr));
  constexpr std::size_t block = std::size_t{1} << 20;
  for (std::size_t done = 0; done < bytes.size(); done += block) {
    progress(done);
    const std::string_view part = bytes.substr(done, block);
    check(EVP_DigestUpdate(context.get(), part.data(), part.size()));
  }
  unsigned char digest[32];
  check(EVP_DigestFinal_ex(context.get(), digest, nullptr));
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

} // namespace convert
