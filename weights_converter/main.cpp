// distilbert-convert: a Hugging Face model directory in, a converted one out.

#include "config_json.hpp"
#include "conversion.hpp"
#include "interruption.hpp"
#include "options.hpp"
#include "packed_writer.hpp"
#include "probe_model.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "sha256.hpp"
#include "staged_files.hpp"

#include <distilbert/config.hpp>
#include <distilbert/text/tokenizer.hpp>
#include <distilbert/version.hpp>
#include <distilbert/weights/checkpoint.hpp>
#include <distilbert/mapped_file.hpp>
#include <distilbert/weights/packed_model.hpp>
#include <distilbert/weights/safetensors.hpp>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

namespace fs = std::filesystem;
using namespace distilbert;

namespace {

constexpr const char* model_name = "model.safetensors";
constexpr const char* config_name = "config.json";
constexpr const char* tokenizer_names[] = {"vocab.txt", "tokenizer.json", "tokenizer_config.json",
                                           "special_tokens_map.json", "added_tokens.json"};

void check_directories(const convert::Options& options) {
  if (!fs::exists(options.out))
    return;
  if (fs::equivalent(options.in, options.out))
    throw std::runtime_error("IN and OUT are the same directory");
  for (const char* name : {config_name, model_name})
    if (!options.force && fs::exists(options.out / name))
      throw std::runtime_error((options.out / name).string() + " exists; --force replaces it");
}

DistilBertConfig read_config(const convert::Options& options) {
  DistilBertConfig config = DistilBertConfig::from_pretrained(options.in);
  if (options.labels.empty())
    return config;
  if (options.labels.size() != config.num_labels())
    throw std::runtime_error("--labels: " + std::to_string(config.num_labels()) +
                             " names expected, as config.json has, " + std::to_string(options.labels.size()) +
                             " found");
  config.id2label = options.labels;
  return config;
}

Checkpoint read_checkpoint(const fs::path& directory, const DistilBertConfig& config) {
  const fs::path path = directory / model_name;
  if (fs::exists(path) && PackedModel::is_converted(SafeTensors::open(path)))
    throw std::runtime_error(path.string() + " is a converted model; convert the original again");
  return Checkpoint::from_pretrained(directory, config);
}

/// The vocabulary in the form that needs no building; empty if there is no vocab.txt.
std::string packed_vocabulary_of(const fs::path& directory) {
  const fs::path path = directory / "vocab.txt";
  if (!fs::exists(path))
    return "";
  const MappedFile file = MappedFile::open(path, Memory::copy, detail::max_vocabulary_bytes);
  return detail::read_vocab_txt(path, file.text(), std::nullopt).packed();
}

std::vector<std::int32_t> tokenize(const std::string& text, const fs::path& directory, const DistilBertConfig& config) {
  std::vector<std::int32_t> ids;
  Tokenizer::from_pretrained(directory).append_ids(text, config.max_position_embeddings, ids);
  return ids;
}

std::string hash(const fs::path& path) {
  const MappedFile file = MappedFile::open(path, Memory::map);
  convert::Progress progress("MB hashed", file.size());
  return convert::sha256(file.text(), progress);
}

PackedModel pack(const Checkpoint& checkpoint, const DistilBertConfig& config, Precision precision, int sum_bits = 32) {
  std::optional<convert::Progress> progress;
  const auto report = [&](std::size_t done, std::size_t total) {
    if (!progress)
      progress.emplace("MB packed", total);
    (*progress)(done);
  };
  return PackedModel::pack(checkpoint, config, precision, report, sum_bits);
}

/// Loads what was written as a user of the library would, and asks the probe again.
void verify(const fs::path& model, const std::string& config_json, const Probe& probe) {
  const DistilBertConfig config = DistilBertConfig::from_json(config_json);
  const PackedModel written = PackedModel::from_file(SafeTensors::open(model), config);
  if (!written.probe() || convert::answer(*written.probe()) != convert::answer(probe) ||
      convert::answer(convert::ask(written, config, probe.ids)) != convert::answer(probe))
    throw Error(ErrorCode::probe_mismatch, model.string());
  if (written.vocabulary())
    Vocabulary::from_packed(*written.vocabulary());
}

void write_whole(convert::StagedFile& file, std::string_view bytes) {
  file.write(bytes);
  file.finish();
}

convert::Conversion run(const convert::Options& options) {
  const DistilBertConfig config = read_config(options);
  check_directories(options);
  const Checkpoint checkpoint = read_checkpoint(options.in, config);
  if (!options.labels.empty() && !checkpoint.has("classifier.weight"))
    throw std::runtime_error("--labels: the model has no classifier");
  const std::vector<std::int32_t> ids = tokenize(options.probe, options.in, config);

  convert::StagingDirectory staging(options.out);
  convert::StagedFile& model_file = staging.create(model_name); // created first, it appears last
  const std::string source_sha256 = hash(options.in / model_name);
  checkpoint.check_finite();
  const PackedModel exact = pack(checkpoint, config, Precision::fp32);
  const PackedModel packed =
      options.precision == Precision::fp32 ? exact : pack(checkpoint, config, options.precision, options.sum_bits);
  const Probe exact_answer = convert::ask(exact, config, ids);
  const Probe answer = convert::ask(packed, config, ids);

  std::map<std::string, std::string> metadata = {
      {packed_metadata::format, packed_metadata::format_value},
      {packed_metadata::layout_version, std::to_string(packed_layout_version)},
      {packed_metadata::precision, std::string(precision_name(options.precision))},
      {packed_metadata::sizes, detail::sizes_text(config, [&](const char* layer) { return packed.has(layer); })},
      {packed_metadata::library_version, version()},
      {packed_metadata::source_sha256, source_sha256},
      {packed_metadata::probe, convert::probe_json(answer)}};
  if (packed.sum_bits() != 32)
    metadata.emplace(packed_metadata::sum_bits, std::to_string(packed.sum_bits()));
  convert::write_packed(packed, packed_vocabulary_of(options.in), metadata, model_file);
  model_file.finish();
  const std::string config_json = convert::config_json(config, packed);
  verify(model_file.temporary(), config_json, answer);

  write_whole(staging.create(config_name), config_json);
  std::vector<std::string> obsolete; // files of a model that is being replaced
  for (const char* name : tokenizer_names) {
    if (fs::exists(options.in / name))
      write_whole(staging.create(name), MappedFile::open(options.in / name, Memory::copy, 1u << 28).text());
    else
      obsolete.emplace_back(name);
  }
  convert::stop_if_interrupted();
  staging.publish(obsolete);

  const SafeTensors converted = SafeTensors::open(options.out / model_name);
  return {config,
          source_sha256,
          {checkpoint.file().tensors().size(), fs::file_size(options.in / model_name)},
          {converted.tensors().size(), fs::file_size(options.out / model_name)},
          exact,
          packed,
          options.probe,
          exact_answer,
          answer};
}

} // namespace

int main(int argc, char** argv) {
  const convert::Options options = convert::read_options(argc, argv);
  convert::catch_interruptions();
  try {
    convert::print_report(run(options));
    return 0;
  } catch (const convert::Interrupted& interruption) {
    convert::die_of(interruption);
  } catch (const std::exception& e) {
    fmt::print(stderr, "distilbert-convert: {}\n", e.what());
  }
  return 1;
}
