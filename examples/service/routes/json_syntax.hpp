#pragma once
// Where a text stops being JSON, and why, in the words of Python's json module, which FastAPI passes on.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace service::json {

struct SyntaxError {
  std::size_t position; // in code points from the start
  std::string reason;   // "Expecting ',' delimiter"
};

/// The first error of a text in valid UTF-8; none if Python's json.loads takes it, which also reads NaN, Infinity, lone
/// surrogates and numbers of any size. Uses no stack, however deep the text is nested.
std::optional<SyntaxError> find_syntax_error(std::string_view text);

} // namespace service::json
