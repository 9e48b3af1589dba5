#pragma once
// The WordPiece decoder: tokens back to text.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace distilbert::detail {

inline void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// Takes back spaces that English does not have, as transformers does to a whole text.
inline void clean_up_spaces(std::string& text) {
  constexpr std::pair<const char*, const char*> replacements[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : replacements)
    replace_all(text, from, to);
}

/// What `token` adds to a text: after the first one a space and the token, or, if it begins with `prefix`, what follows
/// that. cleanup takes back spaces, token by token as in the reference. Without a prefix tokens are just joined by
/// spaces.
inline std::string decode_token(std::string token, bool first, const std::optional<std::string>& prefix, bool cleanup) {
  if (!first) {
    if (prefix && token.compare(0, prefix->size(), *prefix) == 0)
      token.erase(0, prefix->size());
    else
      token.insert(token.begin(), ' ');
  }
  if (prefix && cleanup) {
    clean_up_spaces(token);
    replace_all(token, " do not", " don't");
  }
  return token;
}

} // namespace distilbert::detail
