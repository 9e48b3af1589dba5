#pragma once
// A tokenizer from vocab.txt and the small files beside it.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "../error.hpp"
#include "../quote.hpp"
#include "../mapped_file.hpp" // MappedFile
#include "json_fields.hpp"
#include "special_tokens.hpp"
#include "tokenizer_config.hpp"
#include "vocabulary.hpp"

namespace distilbert::detail {

/// More than any real vocabulary has, with room to spare: 10^7 lines of 25 bytes.
inline constexpr std::uint64_t max_vocabulary_bytes = std::uint64_t{1} << 28;
inline constexpr std::uint64_t max_tokenizer_config_bytes = std::uint64_t{1} << 24;

/// `packed` itself if these are the bytes that it was built from.
inline Vocabulary read_vocab_txt(const std::filesystem::path& path, std::string_view lines,
                                 const std::optional<Vocabulary>& packed) {
  if (packed && packed->text() == lines)
    return *packed;
  try {
    return Vocabulary::from_lines(lines);
  } catch (const Error& e) {
    rethrow_within(path.string(), e);
  }
}

/// vocab.txt and tokenizer_config.json, or the older special_tokens_map.json and added_tokens.json.
class VocabTxtReader {
public:
  explicit VocabTxtReader(const std::filesystem::path& directory) : directory_(directory) {}

  /// See read_tokenizer_files().
  TokenizerFiles read(Memory memory, const std::optional<Vocabulary>& packed) const {
    const auto config = open_if_present(directory_ / "tokenizer_config.json", max_tokenizer_config_bytes);
    const auto older_files = [&](auto&... parts) { read_older_files(parts...); };
    return read(read_vocabulary(memory, packed), config ? std::optional(config->text()) : std::nullopt, older_files);
  }

  /// The same of two files that lie in memory; empty: there is none.
  static TokenizerFiles read(std::string_view vocab_txt, std::string_view tokenizer_config,
                             const std::optional<Vocabulary>& packed) {
    return VocabTxtReader("").read(
        packed && vocab_txt.empty() ? *packed : read_vocab_txt("vocab.txt", vocab_txt, packed),
        tokenizer_config.empty() ? std::nullopt : std::optional(tokenizer_config), [](auto&...) {});
  }

private:
  Vocabulary read_vocabulary(Memory memory, const std::optional<Vocabulary>& packed) const {
    const std::filesystem::path path = directory_ / "vocab.txt";
    if (packed && !is_present(path))
      return *packed;
    return read_vocab_txt(path, MappedFile::open(path, memory, max_vocabulary_bytes).text(), packed);
  }

  template <class OlderFiles>
  TokenizerFiles read(Vocabulary vocabulary, std::optional<std::string_view> tokenizer_config,
                      const OlderFiles& older_files) const {
    TokenizerFiles files;
    files.vocabulary = std::move(vocabulary);
    SpecialTokens special(files.config);
    AddedTokenIds ids(files.vocabulary);
    bool has_added_tokens = false;
    const auto read_config = [&](const JsonFields& json) {
      check_class(json);
      NormalizerConfig& normalizer = files.config.normalizer;
      normalizer.lowercase = json.boolean("do_lower_case").value_or(normalizer.lowercase);
      normalizer.strip_accents = json.boolean("strip_accents");
      normalizer.handle_chinese_chars =
          json.boolean("tokenize_chinese_chars").value_or(normalizer.handle_chinese_chars);
      special.read(json);
      files.config.clean_up_tokenization_spaces = json.boolean("clean_up_tokenization_spaces").value_or(true);
      files.config.model_max_length = read_model_max_length(json);
      read_sides(json, files.config);
      if (const auto added = json.fields("added_tokens_decoder")) {
        has_added_tokens = true;
        add_by_id(*added, ids, files.config.added_tokens);
      }
    };
    if (tokenizer_config)
      read_json(directory_ / "tokenizer_config.json", *tokenizer_config, read_config);
    if (!has_added_tokens)
      older_files(special, ids, files.config.added_tokens);
    add_special_tokens(files.vocabulary, special, ids, files.config);
    return files;
  }

  /// A vocab.txt alone does not tell that another kind of tokenizer goes with it.
  static void check_class(const JsonFields& json) {
    const std::string name = json.string("tokenizer_class").value_or("BertTokenizer");
    for (const char* known : {"BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast"})
      if (name == known)
        return;
    throw_invalid_tokenizer_file("tokenizer_class is " + quote(name) + ", expected \"BertTokenizer\"");
  }

  static std::uint64_t parse_id(std::string_view text, const JsonFields& json) {
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc() || end != text.data() + text.size())
      throw_invalid_tokenizer_file(json.path_of(text) + " is not an id");
    return id;
  }

  static void add_by_id(const JsonFields& json, AddedTokenIds& ids, std::vector<AddedToken>& tokens) {
    std::vector<std::pair<std::uint64_t, AddedToken>> by_id;
    for (const auto& field : json.object())
      by_id.emplace_back(parse_id(field.key, json), read_added_token(field.value, json.path_of(field.key), false));
    add_in_order(std::move(by_id), ids, tokens);
  }

  static void add_in_order(std::vector<std::pair<std::uint64_t, AddedToken>> by_id, AddedTokenIds& ids,
                           std::vector<AddedToken>& tokens) {
    std::stable_sort(by_id.begin(), by_id.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [id, token] : by_id)
      ids.add(tokens, std::move(token), id);
  }

  void read_older_files(SpecialTokens& special, AddedTokenIds& ids, std::vector<AddedToken>& tokens) const {
    read_json_if_present(directory_ / "special_tokens_map.json", max_tokenizer_config_bytes,
                         [&](const JsonFields& json) { special.read(json); });
    std::set<std::string_view> extra;
    for (const AddedToken& token : special.extra)
      extra.insert(token.content);
    read_json_if_present(directory_ / "added_tokens.json", max_tokenizer_config_bytes, [&](const JsonFields& json) {
      std::vector<std::pair<std::uint64_t, AddedToken>> by_id;
      for (const auto& field : json.object()) {
        std::uint64_t id = 0;
        if (field.value.get(id) != simdjson::SUCCESS)
          throw_invalid_tokenizer_file(json.path_of(field.key) + " must be an id");
        AddedToken token;
        token.content = field.key;
        token.special = extra.count(field.key) != 0;
        token.normalized = !token.special;
        by_id.emplace_back(id, std::move(token));
      }
      add_in_order(std::move(by_id), ids, tokens);
    });
  }

  std::filesystem::path directory_;
};

} // namespace distilbert::detail
