#pragma once
// What OpenAI's routes, and those in their manner, have in common.

#include "calls.hpp"
#include "json.hpp"

#include <string>

namespace service {

/// {"error":{"message","type","param","code"}}.
Response openai_error(const Problem& problem);

/// Appends "model":..., "usage":{...} for so many tokens.
void append_model_and_usage(std::string& out, const Context& context, std::size_t tokens);

/// Adds what "input" holds: a string, or a list of them. (Not of ids.) Throws Problem for none or too many.
void add_strings(const json::Value& input, Call& call);

/// GET /v1/models and /v1/models/{}, which OpenAI and KServe share.
void add_model_list_routes(Router& router, Context& context);
/// POST /classify of infinity.
void add_classify_route(Router& router, Context& context);

} // namespace service
