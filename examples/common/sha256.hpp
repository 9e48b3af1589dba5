#pragma once
// SHA-256, by OpenSSL.

#include <memory>
#include <new>
#include <string>
#include <string_view>

#include <openssl/evp.h>

namespace cli {

class Sha256 {
public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    check(context_ != nullptr);
    check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
  }

  void update(std::string_view part) { check(EVP_DigestUpdate(context_.get(), part.data(), part.size())); }

  /// The hash in lower-case hexadecimal digits; nothing can be added after it.
  std::string finish() {
    unsigned char digest[32];
    check(EVP_DigestFinal_ex(context_.get(), digest, nullptr));
    std::string digits;
    for (const unsigned char byte : digest)
      for (const int digit : {byte >> 4, byte & 15})
        digits += "0123456789abcdef"[digit];
    return digits;
  }

private:
  static void check(int result) {
    if (result != 1)
      throw std::bad_alloc(); // the only way in which a digest over memory can fail
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

} // namespace cli
