#pragma once
// What the routes of KServe have in common, in both versions of its protocol.

#include "calls.hpp"

#include <string>

namespace service {

/// {"error": ...}: how KServe and Triton say what went wrong.
Response open_inference_error(const Problem& problem);

/// A handler that asks `inner` if the first argument of the route is the model's name and the second, if there is one,
/// its version; else answers 404 or 501.
Handler of_this_model(Context& context, Handler inner);

/// The only version that a model has.
inline constexpr const char* model_version = "1";

/// Version 1 of KServe's protocol: /v1/models/{}:predict. (The readiness of /v1/models/{} stands with OpenAI's routes,
/// which share that path.)
void add_kserve_v1_routes(Router& router, Context& context);

} // namespace service
