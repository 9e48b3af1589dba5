#pragma once
// Bytes that lie somewhere, and who keeps them there.

#include <memory>
#include <string_view>

namespace distilbert {

/// Good for as long as a copy of `owner` is held; without an owner, for as long as the caller sees to it.
struct SharedBytes {
  std::shared_ptr<const void> owner;
  std::string_view bytes;
};

} // namespace distilbert
