#pragma once
// A conversion from start to end.

#include "calibrated_rounding.hpp"
#include "config_json.hpp"
#include "conversion.hpp"
#include "environment.hpp"
#include "packed_writer.hpp"
#include "probe_model.hpp"
#include "staged_files.hpp"

#include <distilbert/config.hpp>
#include <distilbert/mapped_file.hpp>
#include <distilbert/quote.hpp>
#include <distilbert/tasks/sentence_transformers.hpp>
#include <distilbert/text/tokenizer.hpp>
#include <distilbert/version.hpp>
#include <distilbert/weights/checkpoint.hpp>
#include <distilbert/weights/packed_model.hpp>
#include <distilbert/weights/safetensors.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace convert {

/// The directory of the converted model holds one already, and it is not to be replaced.
struct ModelExists : std::runtime_error {
  explicit ModelExists(const std::filesystem::path& file) : std::runtime_error(file.string() + " exists") {}
};

namespace detail {

namespace fs = std::filesystem;
using namespace distilbert;

inline constexpr const char* model_name = "model.safetensors";
inline constexpr const char* config_name = "config.json";

inline void check_directories(const Options& options) {
  if (!fs::exists(options.out))
    return;
  if (fs::equivalent(options.in, options.out))
    throw Error(ErrorCode::invalid_argument, "a model cannot be converted into the same directory");
  for (const char* name : {config_name, model_name})
    if (!options.force && fs::exists(options.out / name))
      throw ModelExists(options.out / name);
}

/// The files that are copied if they are there: the tokenizer's, and those of sentence-transformers.
inline std::vector<fs::path> companions(const fs::path& directory) {
  std::vector<fs::path> names = {
      "vocab.txt",         "tokenizer.json", "tokenizer_config.json",     "special_tokens_map.json",
      "added_tokens.json", "modules.json",   "sentence_bert_config.json", "config_sentence_transformers.json"};
  distilbert::detail::for_each_module(directory, [&](std::string_view name, const std::string& folder) {
    if (name == "Transformer" && !folder.empty())
      throw Error(ErrorCode::unsupported_architecture,
                  "the model lies in the folder " + distilbert::detail::quote(folder) + ", which is to be converted");
    if (!folder.empty())
      names.push_back(fs::path(folder) / "config.json");
  });
  return names;
}

inline DistilBertConfig read_config(const Options& options) {
  DistilBertConfig config = DistilBertConfig::from_pretrained(options.in);
  if (options.labels.empty())
    return config;
  if (options.labels.size() != config.num_labels())
    throw Error(ErrorCode::invalid_argument, "labels: " + std::to_string(config.num_labels()) +
                                                 " names expected, as config.json has, " +
                                                 std::to_string(options.labels.size()) + " found");
  config.id2label = options.labels;
  config.label2id.clear(); // the old names
  return config;
}

inline Checkpoint read_checkpoint(const fs::path& directory, const DistilBertConfig& config) {
  const fs::path path = directory / model_name;
  if (fs::exists(path) && PackedModel::is_converted(SafeTensors::open(path)))
    throw Error(ErrorCode::invalid_argument, path.string() + " is a converted model; convert the original again");
  return Checkpoint::from_pretrained(directory, config);
}

/// The vocabulary in the form that needs no building; empty if there is no vocab.txt.
inline std::string packed_vocabulary_of(const fs::path& directory) {
  const fs::path path = directory / "vocab.txt";
  if (!fs::exists(path))
    return "";
  const MappedFile file = MappedFile::open(path, Memory::copy, distilbert::detail::max_vocabulary_bytes);
  return distilbert::detail::read_vocab_txt(path, file.text(), std::nullopt).packed();
}

inline std::vector<std::int32_t> tokenize(const std::string& text, const Tokenizer& tokenizer,
                                          const DistilBertConfig& config) {
  std::vector<std::int32_t> ids;
  tokenizer.append_ids(text, config.max_position_embeddings, ids);
  for (const std::int32_t id : ids)
    if (id < 0 || static_cast<std::size_t>(id) >= config.vocab_size)
      throw Error(ErrorCode::invalid_token_id, distilbert::detail::quote(text, 200) + " has the token id " +
                                                   std::to_string(id) + ", the model knows 0 to " +
                                                   std::to_string(config.vocab_size - 1));
  return ids;
}

inline std::string sha256(const fs::path& path, Environment& environment) {
  const MappedFile file = MappedFile::open(path, Memory::map);
  constexpr std::size_t block = std::size_t{1} << 20;
  for (std::size_t done = 0; done < file.size(); done += block) {
    environment.progress("hashed", done, file.size());
    environment.hash(file.text().substr(done, block));
  }
  return environment.sha256();
}

/// Loads what was written as a user of the library would, and asks the probe again.
inline void verify(const fs::path& model, const std::string& config_json, const Probe& probe) {
  const DistilBertConfig config = DistilBertConfig::from_json(config_json);
  const PackedModel written = PackedModel::from_file(SafeTensors::open(model), config);
  if (!written.probe() || answer(*written.probe()) != answer(probe) ||
      answer(ask(written, config, probe.ids)) != answer(probe))
    throw Error(ErrorCode::probe_mismatch, model.string());
  if (written.vocabulary())
    Vocabulary::from_packed(*written.vocabulary());
}

inline void write_whole(StagedFile& file, std::string_view bytes) {
  file.write(bytes);
  file.finish();
}

} // namespace detail

/// Writes options.out, or leaves it as it was. Throws ModelExists, distilbert::Error, std::system_error for what cannot
/// be written, and what environment.progress() throws.
inline Conversion convert(const Options& options, Environment& environment) {
  using namespace detail;
  const std::vector<fs::path> companion_names = companions(options.in);
  const DistilBertConfig config = read_config(options);
  check_directories(options);
  if (options.precision != Precision::int8 && options.rounding != Rounding::calibrated)
    throw Error(ErrorCode::invalid_argument, "rounding has a choice in int8 only");
  const Checkpoint checkpoint = read_checkpoint(options.in, config);
  if (!options.labels.empty() && !checkpoint.has("classifier.weight"))
    throw Error(ErrorCode::invalid_argument, "labels: the model has no classifier");
  const Tokenizer tokenizer = Tokenizer::from_pretrained(options.in);
  const std::vector<std::int32_t> ids = tokenize(options.probe, tokenizer, config),
                                  empty_text = tokenize("", tokenizer, config);

  StagingDirectory staging(options.out);
  StagedFile& model_file = staging.create(model_name); // created first, it appears last
  const std::string source_sha256 = sha256(options.in / model_name, environment);
  checkpoint.check_finite();
  const auto packed_bytes = [&](std::size_t done, std::size_t total) { environment.progress("packed", done, total); };
  std::optional<CalibratedRounding> rounding;
  if (options.precision == Precision::int8 && options.rounding == Rounding::calibrated)
    rounding.emplace(checkpoint, config, options.sum_bits, empty_text, environment);
  const PackedModel packed = PackedModel::pack(checkpoint, config, options.precision, packed_bytes, options.sum_bits,
                                               rounding ? &*rounding : nullptr);
  const PackedModel exact = options.precision == Precision::fp32
                                ? packed
                                : PackedModel::pack(checkpoint, config, Precision::fp32, packed_bytes);
  const Probe exact_answer = ask(exact, config, ids);
  const Probe packed_answer = ask(packed, config, ids);

  std::map<std::string, std::string> metadata = {
      {packed_metadata::format, packed_metadata::format_value},
      {packed_metadata::layout_version,
       std::to_string(packed.has_input_scales() ? packed_layout_version_with_input_scales : packed_layout_version)},
      {packed_metadata::precision, std::string(precision_name(options.precision))},
      {packed_metadata::sizes,
       distilbert::detail::sizes_text(config, [&](const char* layer) { return packed.has(layer); })},
      {packed_metadata::library_version, version()},
      {packed_metadata::source_sha256, source_sha256},
      {packed_metadata::probe, probe_json(packed_answer)}};
  if (packed.sum_bits() != 32)
    metadata.emplace(packed_metadata::sum_bits, std::to_string(packed.sum_bits()));
  const std::size_t bytes = write_packed(packed, packed_vocabulary_of(options.in), metadata, model_file, environment);
  model_file.finish();
  const std::string config_text = config_json(config, packed);
  verify(model_file.temporary(), config_text, packed_answer);

  write_whole(staging.create(config_name), config_text);
  std::vector<fs::path> obsolete; // files of a model that is being replaced
  for (const fs::path& name : companion_names) {
    if (fs::exists(options.in / name))
      write_whole(staging.create(name), MappedFile::open(options.in / name, Memory::copy, 1u << 28).text());
    else
      obsolete.push_back(name);
  }
  environment.progress("written", bytes, bytes);
  staging.publish(obsolete);

  const SafeTensors converted = SafeTensors::open(options.out / model_name);
  return {config,
          source_sha256,
          {checkpoint.file().tensors().size(), fs::file_size(options.in / model_name)},
          {converted.tensors().size(), fs::file_size(options.out / model_name)},
          exact,
          packed,
          rounding && rounding->any(),
          options.probe,
          exact_answer,
          packed_answer};
}

} // namespace convert
