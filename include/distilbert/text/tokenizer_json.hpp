#pragma once
// A tokenizer from tokenizer.json.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "../quote.hpp"
#include "json_fields.hpp"
#include "special_tokens.hpp"
#include "tokenizer_config.hpp"
#include "vocabulary.hpp"

namespace distilbert::detail {

/// Longest word that a file may ask for (BERT's is 100); it bounds the work for a word.
inline constexpr std::uint64_t max_word_characters = 10000;

/// Longest prefix of tokens that continue a word ("##" is two bytes): it is copied for each of them.
inline constexpr std::size_t max_prefix_bytes = 100;

/// tokenizer.json, the one file that Hugging Face tokenizers need.
class TokenizerJsonReader {
public:
  explicit TokenizerJsonReader(const JsonFields& json) : json_(json) {}

  TokenizerFiles read() const {
    TokenizerFiles files;
    read_model(files);
    read_normalizer(files.config.normalizer);
    if (type_of(json_.fields("pre_tokenizer")) != "BertPreTokenizer")
      throw_invalid_tokenizer_file("pre_tokenizer must be a BertPreTokenizer");
    read_post_processor(files);
    read_decoder(files.config);
    read_directions(files.config);
    AddedTokenIds ids(files.vocabulary);
    if (const auto tokens = json_.array("added_tokens")) {
      for (const JsonFields::Element element : *tokens) {
        const JsonFields fields(element, "added_tokens");
        ids.add(files.config.added_tokens, read_added_token(element, "added_tokens", false),
                fields.require(fields.number("id"), "id"));
      }
    }
    return files;
  }

private:
  static std::string type_of(const std::optional<JsonFields>& fields) {
    return fields ? fields->string("type").value_or("") : "";
  }

  void read_model(TokenizerFiles& files) const {
    const JsonFields model = json_.require(json_.fields("model"), "model");
    if (model.string("type").value_or("WordPiece") != "WordPiece") // older files have no type
      throw_invalid_tokenizer_file("model must be a WordPiece");
    WordPieceConfig& config = files.config.word_piece;
    config.unk_token = model.string("unk_token").value_or(config.unk_token);
    config.continuing_subword_prefix =
        model.string("continuing_subword_prefix").value_or(config.continuing_subword_prefix);
    if (config.continuing_subword_prefix.size() > max_prefix_bytes)
      throw_invalid_tokenizer_file("model.continuing_subword_prefix has " +
                                   std::to_string(config.continuing_subword_prefix.size()) + " bytes, at most " +
                                   std::to_string(max_prefix_bytes) + " expected");
    const auto longest = model.number("max_input_chars_per_word").value_or(config.max_input_chars_per_word);
    if (longest > max_word_characters)
      throw_invalid_tokenizer_file("model.max_input_chars_per_word is " + std::to_string(longest) + ", at most " +
                                   std::to_string(max_word_characters) + " expected");
    config.max_input_chars_per_word = static_cast<std::size_t>(longest);
    const JsonFields vocab = model.require(model.fields("vocab"), "vocab");
    Vocabulary::Builder builder;
    for (const auto& field : vocab.object()) {
      std::uint64_t id = 0;
      if (field.value.get(id) != simdjson::SUCCESS)
        throw_invalid_tokenizer_file("the id of the token " + quote(field.key) + " must be a whole number");
      builder.add(field.key, static_cast<std::size_t>(id));
    }
    files.vocabulary = std::move(builder).build();
  }

  /// None at all leaves the text as it is.
  void read_normalizer(NormalizerConfig& config) const {
    const auto normalizer = json_.fields("normalizer");
    if (normalizer && type_of(normalizer) != "BertNormalizer")
      throw_invalid_tokenizer_file("normalizer must be a BertNormalizer");
    const auto flag = [&](const char* key) { return normalizer && normalizer->boolean(key).value_or(true); };
    config.clean_text = flag("clean_text");
    config.handle_chinese_chars = flag("handle_chinese_chars");
    config.lowercase = flag("lowercase");
    config.strip_accents = normalizer ? normalizer->boolean("strip_accents") : std::nullopt;
  }

  void read_post_processor(TokenizerFiles& files) const {
    const auto processor = json_.fields("post_processor");
    const std::string type = type_of(processor);
    if (type == "BertProcessing") {
      files.config.cls_token = named_token(*processor, "cls", files.vocabulary);
      files.config.sep_token = named_token(*processor, "sep", files.vocabulary);
    } else if (type == "TemplateProcessing") {
      read_template(*processor, files);
    } else {
      throw_invalid_tokenizer_file("post_processor must be a BertProcessing or a TemplateProcessing");
    }
  }

  /// ["[CLS]", 101], and the vocabulary must agree.
  static std::string named_token(const JsonFields& processor, const char* key, const Vocabulary& vocabulary) {
    const auto pair = processor.require(processor.array(key), key);
    std::string_view token;
    std::uint64_t id = 0;
    if (pair.size() != 2 || pair.at(0).get(token) != simdjson::SUCCESS || pair.at(1).get(id) != simdjson::SUCCESS)
      throw_invalid_tokenizer_file(processor.path_of(key) + " must be a token and its id");
    check_id(token, id, vocabulary);
    return std::string(token);
  }

  static void check_id(std::string_view token, std::uint64_t id, const Vocabulary& vocabulary) {
    const auto own = static_cast<std::uint64_t>(vocabulary.require(token));
    if (own != id) {
      throw_invalid_tokenizer_file("post_processor gives " + quote(token) + " the id " + std::to_string(id) +
                                   ", in the vocabulary it is " + std::to_string(own));
    }
  }

  /// Takes the two templates of BERT, [CLS] A [SEP] and [CLS] A [SEP] B:1 [SEP]:1, with tokens of any name.
  static void read_template(const JsonFields& processor, TokenizerFiles& files) {
    const std::string single = spell(processor, "single"), pair = spell(processor, "pair");
    const std::size_t first = single.find(" $A:0 ");
    if (first == std::string::npos)
      throw_invalid_tokenizer_file("post_processor.single must be [CLS] A [SEP]");
    const auto name = [](std::string_view piece) { return std::string(piece.substr(0, piece.rfind(':'))); };
    const std::string cls = name(single.substr(0, first)), sep = name(single.substr(first + 6));
    const std::string start = cls + ":0 $A:0 " + sep + ":0";
    if (single != start || pair != start + " $B:1 " + sep + ":1") {
      throw_invalid_tokenizer_file("post_processor must be [CLS] A [SEP] for one text and [CLS] A [SEP] B:1 [SEP]:1 "
                                   "for two, it is " +
                                   quote(single) + " and " + quote(pair));
    }
    files.config.cls_token = cls;
    files.config.sep_token = sep;
    const JsonFields tokens = processor.require(processor.fields("special_tokens"), "special_tokens");
    for (const std::string& token : {cls, sep}) {
      const JsonFields fields = tokens.require(tokens.fields(token), token);
      const auto ids = fields.require(fields.array("ids"), "ids");
      std::uint64_t id = 0;
      if (ids.size() != 1 || ids.at(0).get(id) != simdjson::SUCCESS)
        throw_invalid_tokenizer_file(fields.path_of("ids") + " must hold one id");
      check_id(token, id, files.vocabulary);
    }
  }

  /// A template as one string: "[CLS]:0 $A:0 [SEP]:0".
  static std::string spell(const JsonFields& processor, const char* key) {
    std::string spelled;
    for (const JsonFields::Element element : processor.require(processor.array(key), key)) {
      const JsonFields piece(element, processor.path_of(key));
      const auto sequence = piece.fields("Sequence");
      const JsonFields fields = sequence ? *sequence : piece.require(piece.fields("SpecialToken"), "SpecialToken");
      spelled += (spelled.empty() ? "" : " ") + std::string(sequence ? "$" : "") +
                 fields.require(fields.string("id"), "id") + ":" +
                 std::to_string(fields.require(fields.number("type_id"), "type_id"));
    }
    return spelled;
  }

  void read_decoder(TokenizerConfig& config) const {
    const auto decoder = json_.fields("decoder");
    if (!decoder) {
      config.decoder_prefix.reset();
      return;
    }
    if (type_of(decoder) != "WordPiece")
      throw_invalid_tokenizer_file("decoder must be a WordPiece");
    config.decoder_prefix = decoder->string("prefix").value_or("##");
    config.decoder_cleanup = decoder->boolean("cleanup").value_or(true);
  }

  void read_directions(TokenizerConfig& config) const {
    const auto direction = [&](const char* part) {
      const auto fields = json_.fields(part);
      return fields ? read_side(*fields, "direction", "Left", "Right").value_or(Side::right) : Side::right;
    };
    config.truncation_side = direction("truncation");
    config.padding_side = direction("padding");
  }

  const JsonFields& json_;
};

} // namespace distilbert::detail
