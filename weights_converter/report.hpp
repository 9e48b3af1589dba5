#pragma once
// What a conversion did to a model: sizes, rounding errors layer by layer, and the change of one answer.

#include "../examples/common/format.hpp"
#include "config_json.hpp"
#include "conversion.hpp"
#include "probe_model.hpp"

#include <distilbert/xtensor.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include <fmt/core.h>
#include <fmt/format.h>
#include <xtensor/xmath.hpp>
#include <xtensor/xsort.hpp>

namespace convert {

/// How far rounding moved weights. Padding takes no part, being zero.
struct RoundingError {
  double largest = 0;    // |error| of one weight
  double error_sum = 0;  // of |error|
  double weight_sum = 0; // of |weight|

  double relative_mean() const { return weight_sum > 0 ? error_sum / weight_sum : 0; }
};

inline RoundingError rounding_error(const xt::xtensor<float, 2>& exact, const xt::xtensor<float, 2>& rounded) {
  const auto error = xt::abs(exact - rounded);
  return {xt::amax(error)(), xt::sum<double>(error)(), xt::sum<double>(xt::abs(exact))()};
}

/// The weights of a linear layer or an embedding.
inline xt::xtensor<float, 2> weights_of(const distilbert::PackedModel& model, const distilbert::PackedLayer& layer) {
  return layer.kind == distilbert::PackedLayer::Kind::linear
             ? unpack(model.linear(layer.name, layer.out, layer.in))
             : unpack(model.embedding(layer.name, layer.out.size, layer.in.size));
}

inline void print_rounding_errors(const Conversion& conversion) {
  const auto print = [](std::string_view name, const RoundingError& error) {
    fmt::print("  {:<42} {:>10.2e} {:>9.3f} %\n", name, error.largest, 100 * error.relative_mean());
  };
  fmt::print("\n{:<45}{:>10} {:>11}\n", "Rounding error of the weights", "largest", "mean");
  RoundingError all;
  for (const distilbert::PackedLayer& layer : conversion.packed.layers()) {
    if (layer.precision == distilbert::Precision::fp32)
      continue;
    const RoundingError error =
        rounding_error(weights_of(conversion.exact, layer), weights_of(conversion.packed, layer));
    print(layer.name, error);
    all.largest = std::max(all.largest, error.largest);
    all.error_sum += error.error_sum;
    all.weight_sum += error.weight_sum;
  }
  print("all of them", all);
  fmt::print("  (mean error relative to the mean size of the weights)\n");
  if (conversion.calibrated)
    fmt::print("  (rounded by what enters the layers: these errors are larger than to the nearest steps, and those of\n"
               "  what the layers put out smaller)\n");
}

inline void print_probe(const Conversion& conversion) {
  const auto& exact = answer(conversion.exact_answer);
  const auto& found = answer(conversion.answer);
  const xt::xtensor<float, 1> change = xt::abs(xt::adapt(found) - xt::adapt(exact));
  const bool logits = !conversion.answer.logits.empty();
  fmt::print("\nProbe \"{}\"\n  ids     {}\n", conversion.probe_text, fmt::join(conversion.answer.ids, " "));
  const auto print = [&](std::string_view name, const std::vector<float>& values) {
    fmt::print("  {:<7} {:.5f}\n", name, fmt::join(values, " "));
  };
  print("fp32", exact);
  if (conversion.packed.precision() == distilbert::Precision::fp32)
    return;
  print(precision_name(conversion.packed.precision()), found);
  const float largest = xt::amax(change)(), size = xt::amax(xt::abs(xt::adapt(exact)))();
  fmt::print("  largest change of {}: {:.5f}, {:.2f} % of the largest\n", logits ? "a logit" : "a value of [CLS]",
             largest, size > 0 ? 100 * largest / size : 0);
}

inline void print_report(const Conversion& conversion) {
  const auto& config = conversion.config;
  const auto print_file = [](std::string_view name, const FileSummary& file) {
    fmt::print("{:<10}{} bytes in {} tensors", name, cli::grouped(file.bytes), file.tensors);
  };
  fmt::print("{:<10}{}: {} layers of {} channels in {} heads, {} word pieces, {} positions, ", "Model",
             config.model_type == distilbert::ModelFamily::bert ? "BERT, folded into DistilBERT" : "DistilBERT",
             config.n_layers, config.dim, config.n_heads, config.vocab_size, config.max_position_embeddings);
  fmt::print("{}\n", conversion.packed.has("classifier") ? fmt::format("labels {}", fmt::join(config.id2label, ", "))
                                                         : architecture(config, conversion.packed));
  print_file("Before", conversion.source);
  fmt::print(", SHA-256 {}\n", conversion.source_sha256);
  print_file("After", conversion.converted);
  fmt::print(", {}{}, {:.1f} % of the size\n", precision_name(conversion.packed.precision()),
             conversion.packed.sum_bits() == 16 ? " for sums of 16 bits" : "",
             100.0 * static_cast<double>(conversion.converted.bytes) / static_cast<double>(conversion.source.bytes));
  if (conversion.packed.precision() != distilbert::Precision::fp32)
    print_rounding_errors(conversion);
  print_probe(conversion);
}

} // namespace convert
