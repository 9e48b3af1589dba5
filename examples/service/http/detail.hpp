#pragma once
// Answers of the HTTP layer itself: {"detail": "..."}, as FastAPI writes them.

#include "message.hpp"

#include <string>
#include <string_view>

namespace service {

/// `words` stand in a JSON string as they are: no quotes, backslashes or control characters, and nothing of the
/// request.
inline Response detail(unsigned status, std::string_view words) {
  Response response;
  response.status = status;
  response.body.append("{\"detail\":\"").append(words).append("\"}");
  return response;
}

} // namespace service
