#pragma once
// Text Embeddings Inference: the bodies of its routes. Fields that they do not know are left alone, as there.

#include "calls.hpp"
#include "json.hpp"

#include <string_view>

namespace service::tei {

/// "truncate" (null as true) and "truncation_direction". Problem for a "prompt_name": no model here has prompts.
Fit read_fit(const json::Object& body);
bool read_flag(const json::Object& body, std::string_view key, bool fallback);

/// Problem for more characters than TEI reads of a text that must not be cut: 250 for each token of the model.
void check_characters(const Context& context, std::string_view text);

/// Problem::empty, "`<name>` cannot be empty".
Problem nothing_in(std::string_view name);

/// Adds a text; Problem::empty for "".
void add_text(Call& call, std::string_view text, const Fit& fit);
void add_pair(Call& call, std::string_view first, std::string_view second, const Fit& fit);

/// {"inputs": "a" | ["a"] | ["a","b"] (a pair) | [["a"],["b","c"],...], "raw_scores"}.
Writer read_predict(Call& call, const json::Object& body);
/// {"query", "texts", "raw_scores", "return_text"}.
Writer read_rerank(Call& call);
/// {"inputs": "a" | ["a",...] | [ids] | [[ids],...], "normalize", "dimensions"}.
Writer read_embed(Call& call);
/// The same inputs; a vector for each token.
Writer read_embed_all(Call& call);
/// {"inputs": {"source_sentence", "sentences"}, "parameters"}: cosines.
Writer read_similarity(Call& call);

/// {"inputs": "a" | ["a",...], "add_special_tokens"}: tokens with their places in bytes.
Response tokenize(const Context& context, const Request& request);
/// {"ids": [ids] | [[ids],...], "skip_special_tokens"}: texts.
Response decode(const Context& context, const Request& request);
/// What the model is and what limits it has.
Response info(const Context& context);

} // namespace service::tei
