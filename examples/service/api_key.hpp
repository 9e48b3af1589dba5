#pragma once
// Who may use the model.

#include "http/message.hpp"

#include <openssl/crypto.h>

#include <cstddef>
#include <string_view>

namespace service {

/// Whether two texts are the same, in a time that depends on their lengths alone.
inline bool same_secret(std::string_view secret, std::string_view given) {
  return secret.size() == given.size() && CRYPTO_memcmp(secret.data(), given.data(), given.size()) == 0;
}

/// Whether a request may pass: there is no key; it only looks (GET: probes, metrics, documentation, the page); or it
/// brings the key, as "Authorization: Bearer KEY" (RFC 6750, section 2.1) or "X-API-Key: KEY".
inline bool authorized(const Request& request, std::string_view key) {
  if (key.empty() || request.method == "GET" || same_secret(key, request.field("x-api-key")))
    return true;
  const std::string_view authorization = request.field("authorization");
  const std::string_view scheme = authorization.substr(0, 7);
  constexpr std::string_view bearer = "bearer ";
  for (std::size_t i = 0; i < bearer.size(); ++i)
    if (i >= scheme.size() || (scheme[i] | 0x20) != bearer[i])
      return false;
  return same_secret(key, authorization.substr(bearer.size()));
}

} // namespace service
