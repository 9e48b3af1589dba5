#include "options.hpp"

#include <CLI/CLI.hpp>

#include <distilbert/text/utf8.hpp>
#include <distilbert/version.hpp>
#include <distilbert/weights/pack.hpp>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace convert {

namespace {

constexpr const char* description =
    R"(Converts a Hugging Face model directory (DistilBERT or BERT, with any head that the library runs) into one that
distilbert.cpp maps and runs without unpacking.

IN holds config.json, model.safetensors and vocab.txt or tokenizer.json. OUT gets a config.json, a model.safetensors
with packed weights, and copies of the tokenizer's files. Nothing appears in OUT under its own name before all of it is
written and has been checked; a run that fails or is interrupted leaves nothing behind.)";

constexpr const char* examples = R"(What the precisions mean for a model of 90 MB in fp32:
  fp32   92 MB   the weights as they are
  bf16   47 MB   weights rounded to 8 bits of precision
  int8   24 MB   each row of weights rounded to 255 steps of its own; about 150 with --sum-bits 16

Examples:
  distilbert-convert distilbert-sst2 sst2-int8
  distilbert-convert distilbert-sst2 sst2-avx2 --sum-bits 16
  distilbert-convert my-bert my-bert-bf16 --precision bf16 --labels NEGATIVE,POSITIVE
)";

/// "A,B" as {"A", "B"}. Empty names and twins are refused, since labels must tell classes apart.
std::vector<std::string> split_labels(const std::string& list) {
  std::vector<std::string> labels{""};
  for (const char c : list) {
    if (c == ',')
      labels.emplace_back();
    else
      labels.back() += c;
  }
  auto sorted = labels;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.front().empty() || std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    throw CLI::ValidationError("--labels", "names separated by commas expected, each once and none empty");
  return labels;
}

} // namespace

Options read_options(int argc, char** argv) {
  Options options;
  std::string labels, precision(distilbert::precision_name(options.precision)), rounding = "calibrated";
  CLI::App app(description, "distilbert-convert");
  app.footer(examples);
  app.set_version_flag("--version", std::string("distilbert-convert ") + distilbert::version());
  app.add_option("IN", options.in, "Hugging Face model directory")->required();
  app.add_option("OUT", options.out, "directory of the converted model; made if it does not exist")->required();
  app.add_option("--precision", precision, "precision of the weights: fp32, bf16 or int8")
      ->check(CLI::IsMember({"fp32", "bf16", "int8"}))
      ->option_text("NAME [" + precision + "]");
  app.add_option("--sum-bits", options.sum_bits,
                 "int8 for sums of 32 bits, or of 16: faster on CPUs without VNNI, and less exact")
      ->check(CLI::IsMember({16, 32}))
      ->option_text("BITS [32]");
  app.add_option("--rounding", rounding,
                 "int8 by what enters the layers (calibrated), or each weight to the nearest step")
      ->check(CLI::IsMember({"calibrated", "nearest"}))
      ->option_text("NAME [calibrated]");
  app.add_option("--labels", labels, "names of the classes, in the order of their ids, in place of config.json's")
      ->option_text("NAME,NAME,...");
  app.add_option("--probe", options.probe, "text whose answer is stored with the model, for self-checks")
      ->option_text("TEXT");
  app.add_flag("--force", options.force, "replace the model that OUT already holds");
  try {
    app.parse(argc, argv);
    options.precision = *distilbert::precision_from_name(precision);
    if (options.sum_bits != 32 && options.precision != distilbert::Precision::int8)
      throw CLI::ValidationError("--sum-bits", "has a meaning with --precision int8 only");
    if (app.count("--rounding") > 0 && options.precision != distilbert::Precision::int8)
      throw CLI::ValidationError("--rounding", "has a meaning with --precision int8 only");
    options.rounding = rounding == "nearest" ? Rounding::nearest : Rounding::calibrated;
    if (app.count("--labels") > 0)
      options.labels = split_labels(labels);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e) == 0 ? 0 : 2);
  }
  return options;
}

} // namespace convert
