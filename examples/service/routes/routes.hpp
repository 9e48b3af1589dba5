#pragma once
// All routes, a function for each family; what a family needs of the service stands in Context.

#include "../http/router.hpp"
#include "../inference/inference.hpp"
#include "../observe/metrics.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace service {

/// What the routes share once the model is loaded and warm. Outlives the router and every request.
struct Context {
  Inference& inference;
  Metrics& metrics;

  std::string model_name = "sst2"; // what clients call the model: the name of its directory, or --served-model-name
  std::size_t max_client_batch_size = 32; // texts in one call of the TEI and OpenAI routes
  std::size_t max_concurrent_requests = 512;
  std::size_t max_batch_tokens = 256;
  std::chrono::milliseconds request_timeout{30'000};
  bool page = true;     // "/" is the page for people
  bool api_key = false; // all but GET ask for one

  std::atomic<bool> draining{false}; // told to end: still answers, but is not ready

  std::size_t max_bulk_texts = 4096; // texts in one call of the routes without a limit of their protocol's own
  float neutral_below = 0; // of a model of two labels, a best score below this is "neutral" to {"payload"}; 0: never
  std::atomic<std::size_t> calls_in_flight{0}; // of at most max_concurrent_requests

  const Engine& engine() const { return inference.engine(); }
};

/// Routes of the classroom services: /bulk-predict, and /predict in all its forms ("text", "payload", "values"; also
/// TEI's "inputs"), for classifiers; /health.
void add_seed_routes(Router& router, Context& context);
/// Text Embeddings Inference: /embed, /embed_all, /rerank, /similarity, /tokenize, /decode, /info, POST / and so on.
void add_tei_routes(Router& router, Context& context);
/// The Open Inference Protocol, version 2, with binary tensors, and KServe's version 1.
void add_open_inference_routes(Router& router, Context& context);
/// OpenAI's /v1/embeddings and /v1/models, and infinity's /classify.
void add_openai_routes(Router& router, Context& context);
/// /livez, /readyz, /healthz, /metrics. None of them asks the model: they answer at once whatever it is doing.
void add_probe_routes(Router& router, Context& context);
/// The same before there is a model. What they share outlives the router.
void add_probe_routes(Router& router, const Metrics& metrics, std::function<bool()> ready);
/// /openapi.json, /docs, /redoc, and the page at /.
void add_page_routes(Router& router, Context& context);

} // namespace service
