#pragma once
// The files of a tokenizer: which of them count, and that they agree.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "../quote.hpp"
#include "../mapped_file.hpp" // MappedFile
#include "json_fields.hpp"
#include "special_tokens.hpp"
#include "tokenizer_config.hpp"
#include "tokenizer_json.hpp"
#include "vocab_txt.hpp"
#include "vocabulary.hpp"

namespace distilbert {

namespace detail {

/// tokenizer.json counts; what the files beside it say must not contradict it.
inline void check_against(const std::filesystem::path& directory, Memory memory,
                          const std::optional<Vocabulary>& packed, TokenizerFiles& files) {
  const auto agree = [](const JsonFields& json, const char* key, bool found) {
    const std::optional<bool> expected = json.boolean(key);
    if (expected && *expected != found)
      throw_invalid_tokenizer_file(std::string(key) + " contradicts the normalizer in tokenizer.json");
  };
  SpecialTokens special(files.config);
  const NormalizerConfig& normalizer = files.config.normalizer;
  files.config.clean_up_tokenization_spaces = false;
  read_json_if_present(directory / "tokenizer_config.json", max_tokenizer_config_bytes, [&](const JsonFields& json) {
    agree(json, "do_lower_case", normalizer.lowercase);
    agree(json, "strip_accents", normalizer.strip_accents.value_or(normalizer.lowercase));
    agree(json, "tokenize_chinese_chars", normalizer.handle_chinese_chars);
    special.read(json);
    files.config.clean_up_tokenization_spaces = json.boolean("clean_up_tokenization_spaces").value_or(false);
    files.config.model_max_length = read_model_max_length(json);
    read_sides(json, files.config);
  });
  files.config.pad_token = special.pad.content;
  files.config.mask_token = special.mask.content;

  const std::filesystem::path vocab_txt = directory / "vocab.txt";
  const std::optional<MappedFile> file = open_if_present(vocab_txt, max_vocabulary_bytes, memory);
  if (!file)
    return;
  const Vocabulary lines = read_vocab_txt(vocab_txt, file->text(), packed);
  const std::size_t size = std::max(lines.size(), files.vocabulary.size());
  for (std::size_t id = 0; id < size; ++id) {
    const std::string_view here = id < lines.size() ? lines.token(id) : std::string_view();
    const std::string_view there = id < files.vocabulary.size() ? files.vocabulary.token(id) : std::string_view();
    const bool repeated = !here.empty() && lines.id(here) != static_cast<std::int32_t>(id); // by a later line
    if (here != there && !repeated) {
      throw_invalid_tokenizer_file(vocab_txt.string() + " disagrees with tokenizer.json: the token " +
                                   std::to_string(id) + " is " + quote(here) + " here and " + quote(there) + " there");
    }
  }
}

} // namespace detail

/// Reads the tokenizer of a model directory. tokenizer.json counts if there is one, as with Hugging Face transformers;
/// vocab.txt and tokenizer_config.json beside it are only checked not to contradict it. Otherwise vocab.txt and, if
/// they are there, tokenizer_config.json, special_tokens_map.json and added_tokens.json are read. Truncation and
/// padding stored in tokenizer.json are ignored: they are the caller's choice, call by call. Only their directions
/// count, where tokenizer_config.json has no truncation_side or padding_side, as with transformers.
///
/// `packed`, the vocabulary that the directory's converted model carries, stands for a vocab.txt that is not there, and
/// spares building one that holds the very bytes that it was made from. It is never believed against a file: a
/// vocab.txt that differs in one byte counts alone, and so does a tokenizer.json. `memory`: how vocab.txt is read; it
/// is not kept. Errors: ErrorCode::file_not_found if there is neither; ErrorCode::invalid_vocabulary;
/// ErrorCode::invalid_tokenizer_file for a broken file and for another kind of tokenizer than BERT's.
inline TokenizerFiles read_tokenizer_files(const std::filesystem::path& directory, Memory memory = Memory::copy,
                                           const std::optional<Vocabulary>& packed = std::nullopt) {
  const std::filesystem::path tokenizer_json = directory / "tokenizer.json";
  TokenizerFiles files;
  const bool found =
      detail::read_json_if_present(tokenizer_json, detail::max_vocabulary_bytes, [&](const detail::JsonFields& json) {
        files = detail::TokenizerJsonReader(json).read();
      });
  if (!found)
    return detail::VocabTxtReader(directory).read(memory, packed);
  detail::check_against(directory, memory, packed, files);
  return files;
}

} // namespace distilbert
