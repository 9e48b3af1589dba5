#pragma once
// Special and added tokens as the JSON files of a tokenizer spell them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../quote.hpp"
#include "added_tokens.hpp"
#include "json_fields.hpp"
#include "tokenizer_config.hpp"
#include "vocabulary.hpp"

namespace distilbert::detail {

/// Gives the ids that Hugging Face tokenizers would give: the vocabulary's own, else the next free one.
class AddedTokenIds {
public:
  explicit AddedTokenIds(const Vocabulary& vocabulary) : vocabulary_(vocabulary), next_(vocabulary.token_count()) {}

  /// Adds `token` unless it is empty or there already; if `expected` names an id, it must be the token's.
  void add(std::vector<AddedToken>& tokens, AddedToken token, std::optional<std::uint64_t> expected = std::nullopt) {
    if (token.content.empty() || !seen_.insert(token.content).second)
      return;
    const std::optional<std::int32_t> own = vocabulary_.id(token.content);
    token.id = own ? *own : static_cast<std::int32_t>(next_);
    if (expected && *expected != static_cast<std::uint64_t>(token.id)) {
      throw_invalid_tokenizer_file("the added token " + quote(token.content) + " has the id " +
                                   std::to_string(*expected) + ", expected " + std::to_string(token.id));
    }
    next_ = std::max(next_, static_cast<std::size_t>(token.id) + 1);
    tokens.push_back(std::move(token));
  }

private:
  const Vocabulary& vocabulary_;
  std::size_t next_;
  std::set<std::string> seen_;
};

/// A string, or an object with the fields of AddedToken.
inline AddedToken read_added_token(JsonFields::Element element, const std::string& path, bool special) {
  AddedToken token;
  token.special = special;
  std::string_view content;
  if (element.get(content) == simdjson::SUCCESS) {
    token.content = content;
    return token;
  }
  const JsonFields fields(element, path);
  token.content = fields.require(fields.string("content"), "content");
  token.single_word = fields.boolean("single_word").value_or(false);
  token.lstrip = fields.boolean("lstrip").value_or(false);
  token.rstrip = fields.boolean("rstrip").value_or(false);
  token.special = fields.boolean("special").value_or(special);
  token.normalized = fields.boolean("normalized").value_or(!token.special);
  return token;
}

/// The tokens that a tokenizer names by their role, and its further special tokens.
struct SpecialTokens {
  AddedToken unk, sep, pad, cls, mask;
  std::vector<AddedToken> extra;

  explicit SpecialTokens(const TokenizerConfig& config) {
    unk.content = config.word_piece.unk_token;
    sep.content = config.sep_token;
    pad.content = config.pad_token;
    cls.content = config.cls_token;
    mask.content = config.mask_token;
    for (AddedToken* token : {&unk, &sep, &pad, &cls, &mask})
      token->special = true;
  }

  /// Takes over what tokenizer_config.json or special_tokens_map.json names.
  void read(const JsonFields& fields) {
    const std::pair<const char*, AddedToken*> roles[] = {
        {"unk_token", &unk}, {"sep_token", &sep}, {"pad_token", &pad}, {"cls_token", &cls}, {"mask_token", &mask}};
    for (const auto& [key, token] : roles)
      if (const auto found = fields.find(key))
        *token = read_added_token(*found, fields.path_of(key), true);
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
      const auto found = fields.find(key);
      simdjson::dom::array list;
      simdjson::dom::object named;
      if (found && found->get(list) == simdjson::SUCCESS)
        for (const JsonFields::Element token : list)
          extra.push_back(read_added_token(token, fields.path_of(key), true));
      else if (found && found->get(named) == simdjson::SUCCESS)
        for (const auto& field : named)
          extra.push_back(read_added_token(field.value, fields.path_of(key), true));
    }
  }
};

/// Registers the special tokens that the vocabulary has, and the extra ones, behind the tokens already there.
inline void add_special_tokens(const Vocabulary& vocabulary, const SpecialTokens& special, AddedTokenIds& ids,
                               TokenizerConfig& config) {
  config.word_piece.unk_token = special.unk.content;
  config.sep_token = special.sep.content;
  config.pad_token = special.pad.content;
  config.cls_token = special.cls.content;
  config.mask_token = special.mask.content;
  for (const AddedToken* token : {&special.unk, &special.sep, &special.pad, &special.cls, &special.mask})
    if (vocabulary.id(token->content))
      ids.add(config.added_tokens, *token);
  for (const AddedToken& token : special.extra)
    ids.add(config.added_tokens, token);
}

inline std::optional<Side> read_side(const JsonFields& json, const char* key, const char* left, const char* right) {
  const std::optional<std::string> name = json.string(key);
  if (name && *name != left && *name != right)
    throw_invalid_tokenizer_file(json.path_of(key) + " must be " + quote(left) + " or " + quote(right) + ", it is " +
                                 quote(*name));
  return name ? std::optional(*name == left ? Side::left : Side::right) : std::nullopt;
}

/// truncation_side and padding_side of tokenizer_config.json. One that is missing leaves what config has.
inline void read_sides(const JsonFields& json, TokenizerConfig& config) {
  config.truncation_side = read_side(json, "truncation_side", "left", "right").value_or(config.truncation_side);
  config.padding_side = read_side(json, "padding_side", "left", "right").value_or(config.padding_side);
}

/// Tokens that tokenizer_config.json wants a text cut to; 0 if it does not say, or says that there is no limit.
inline std::size_t read_model_max_length(const JsonFields& json) {
  const double length = json.real("model_max_length").value_or(0);
  return length >= 1 && length < 1e9 ? static_cast<std::size_t>(length) : 0;
}

} // namespace distilbert::detail
