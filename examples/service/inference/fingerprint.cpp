#include "fingerprint.hpp"

#include "../../common/sha256.hpp"

#include <distilbert/tasks/sentence_transformers.hpp>
#include <distilbert/version.hpp>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace service {

namespace {

/// Adds a file, if it is there, so that no two sets of files add the same bytes.
void add_file(cli::Sha256& sha, const std::filesystem::path& path) {
  if (!std::filesystem::exists(path))
    return;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  std::vector<char> block(std::size_t{1} << 18);
  cli::Sha256 content;
  std::size_t count = 0;
  while (file && (count = std::fread(block.data(), 1, block.size(), file.get())) > 0)
    content.update({block.data(), count});
  if (!file || std::ferror(file.get()))
    throw std::runtime_error(path.string() + " cannot be read");
  sha.update(path.filename().string() + ' ' + content.finish() + '\n');
}

} // namespace

std::string fingerprint_of(const std::filesystem::path& directory, const distilbert::LoadOptions& options,
                           distilbert::Precision precision, std::size_t max_length) {
  cli::Sha256 sha;
  add_file(sha, directory / "modules.json");
  distilbert::detail::for_each_module(directory, [&](std::string_view, const std::string& folder) {
    add_file(sha, directory / folder / "config.json");
  });
  const auto model = distilbert::detail::SentenceTransformerReader(directory).read().model;
  for (const char* name : {"config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "tokenizer_config.json",
                           "special_tokens_map.json", "added_tokens.json", "sentence_bert_config.json"})
    add_file(sha, model / name);
  for (const std::size_t option :
       {static_cast<std::size_t>(precision), static_cast<std::size_t>(options.sum_bits.value_or(0)), max_length,
        std::size_t{options.encode_special_tokens}, static_cast<std::size_t>(options.invalid_utf8)})
    sha.update(std::to_string(option) + ' ');
  sha.update(distilbert::version());
  return sha.finish();
}

} // namespace service
