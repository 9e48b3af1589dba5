#pragma once
// One batch through the model, such that a text which fails takes no other with it.

#include "../observe/metrics.hpp"
#include "engine.hpp"
#include "flights.hpp"

namespace service {

/// Gives each flight of the batch its row, or the reason why it has none. If the model fails on the batch, it gets each
/// text alone: equal texts have equal rows in any company. Reports each run to metrics, unless that is null.
/// Throws nothing, whatever the engine throws.
void run_batch(const Engine& engine, Flights::List& batch, Metrics* metrics) noexcept;

} // namespace service
