#pragma once
// The tokenizer: text in, token ids with their places in the text out, exactly as Hugging Face's BertTokenizerFast.
// encode() is the whole path: added tokens -> Normalizer -> WordSplitter -> WordPiece -> truncation -> [CLS] ... [SEP].

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../error.hpp"
#include "added_tokens.hpp"
#include "collectors.hpp"
#include "decoder.hpp"
#include "encoding.hpp"
#include "normalizer.hpp"
#include "tokenizer_config.hpp"
#include "tokenizer_files.hpp"
#include "vocabulary.hpp"
#include "word_piece.hpp"

namespace distilbert {

/// Immutable after construction; const methods are safe from many threads at once. Every method that reads a text takes
/// time proportional to its length, and throws ErrorCode::invalid_utf8 for a text that is not valid UTF-8 (unless
/// TokenizerOptions say otherwise) and ErrorCode::invalid_argument for one of more than max_text_bytes.
class Tokenizer {
public:
  /// Even normalised, which makes a text three times as long at most, positions then fit 32 bits.
  static constexpr std::size_t max_text_bytes = std::size_t{1} << 30;

  /// Reads the tokenizer of a model directory, as read_tokenizer_files() documents. `packed` is the vocabulary that the
  /// directory's converted model carries, if it does.
  static Tokenizer from_pretrained(const std::filesystem::path& directory, const TokenizerOptions& options = {},
                                   const std::optional<Vocabulary>& packed = std::nullopt) {
    TokenizerFiles files = read_tokenizer_files(directory, options.memory, packed);
    return Tokenizer(std::move(files.vocabulary), std::move(files.config), options);
  }

  /// The same of a vocab.txt and a tokenizer_config.json (empty: none, for either) that lie in memory. Neither is kept.
  /// Errors: as from_pretrained, with the files' bare names.
  static Tokenizer from_memory(std::string_view vocab_txt, std::string_view tokenizer_config,
                               const TokenizerOptions& options = {},
                               const std::optional<Vocabulary>& packed = std::nullopt) {
    TokenizerFiles files = detail::VocabTxtReader::read(vocab_txt, tokenizer_config, packed);
    return Tokenizer(std::move(files.vocabulary), std::move(files.config), options);
  }

  /// A tokenizer from the bytes of a vocab.txt, for tests.
  /// config.added_tokens get their ids here (the vocabulary's, else the next free ones), and the five special tokens
  /// are put behind them. Errors: ErrorCode::invalid_vocabulary.
  static Tokenizer from_vocabulary(std::string_view vocab_txt, TokenizerConfig config = {},
                                   const TokenizerOptions& options = {}) {
    Vocabulary vocabulary = Vocabulary::from_lines(vocab_txt);
    detail::AddedTokenIds ids(vocabulary);
    std::vector<AddedToken> added_tokens;
    for (AddedToken& token : config.added_tokens)
      ids.add(added_tokens, std::move(token));
    config.added_tokens = std::move(added_tokens);
    detail::add_special_tokens(vocabulary, detail::SpecialTokens(config), ids, config);
    return Tokenizer(std::move(vocabulary), std::move(config), options);
  }

  /// config.added_tokens must be complete, with ids. Errors: ErrorCode::invalid_vocabulary if [UNK], [CLS], [SEP] or
  /// [PAD] (or what config names in their place) has no id.
  Tokenizer(Vocabulary vocabulary, TokenizerConfig config, const TokenizerOptions& options = {})
      : vocabulary_(std::move(vocabulary)), config_(std::move(config)), options_(options),
        added_tokens_(config_.added_tokens, config_.normalizer, options.encode_special_tokens),
        unk_id_(vocabulary_.require(config_.word_piece.unk_token)), cls_id_(require(config_.cls_token)),
        sep_id_(require(config_.sep_token)), pad_id_(require(config_.pad_token)), mask_id_(id(config_.mask_token)),
        ascii_(config_.normalizer, word_model(),
               vocabulary_.ascii_pieces(config_.word_piece.continuing_subword_prefix)) {}

  /// Encodes one text. Errors also: ErrorCode::invalid_truncation if max_length is too small for the special tokens.
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const {
    const std::size_t room = room_for_text(options, 2);
    const Side side = side_of(options);
    const bool may_stop = side == Side::right && options.truncation != TruncationStrategy::only_second;
    const detail::TokenSequence tokens = tokenize(text, options, may_stop ? room : detail::no_limit);
    const std::size_t kept = detail::truncated_sizes(tokens.ids.size(), 0, room, options.truncation).first;
    return assemble(tokens, detail::truncated_range(tokens.ids.size(), kept, side), options);
  }

  /// Encodes a pair of texts. Errors also: ErrorCode::invalid_truncation if max_length is too small for the special
  /// tokens, or for the text that the strategy does not cut.
  Encoding encode(std::string_view first, std::string_view second, const EncodeOptions& options = {}) const {
    const std::size_t room = room_for_text(options, 3);
    const detail::TokenSequence a = tokenize(first, options, detail::no_limit);
    const detail::TokenSequence b = tokenize(second, options, detail::no_limit);
    const auto [size_a, size_b] = detail::truncated_sizes(a.ids.size(), b.ids.size(), room, options.truncation);
    const Side side = side_of(options);
    return assemble(a, detail::truncated_range(a.ids.size(), size_a, side), b,
                    detail::truncated_range(b.ids.size(), size_b, side), options);
  }

  /// Encodes all of a text, in as many windows of max_length tokens as it takes, consecutive ones sharing
  /// options.stride tokens; with Side::left they start at the end of the text. The first window is what encode()
  /// returns. Errors also: ErrorCode::invalid_truncation if stride is not smaller than a window's room for text, or if
  /// the windows would hold more than 2^26 tokens together.
  std::vector<Encoding> encode_windows(std::string_view text, const EncodeOptions& options = {}) const {
    const std::size_t room = room_for_text(options, 2);
    const detail::TokenSequence tokens = tokenize(text, options, detail::no_limit);
    const std::size_t kept = detail::truncated_sizes(tokens.ids.size(), 0, room, options.truncation).first;
    const auto windows = detail::windows_of(tokens.ids.size(), kept, options.stride, side_of(options));
    detail::check_window_count(windows.size(), 1, kept);
    std::vector<Encoding> encodings;
    for (const detail::TokenRange window : windows)
      encodings.push_back(assemble(tokens, window, options));
    return encodings;
  }

  /// Encodes all of a pair of texts. If both are cut, each window of the one meets each window of the other: first the
  /// two that encode() returns, then the further windows of the first text with all of the second, then the first
  /// window of the first text with the further ones of the second. Errors: as for one text, and as encode().
  std::vector<Encoding> encode_windows(std::string_view first, std::string_view second,
                                       const EncodeOptions& options = {}) const {
    const std::size_t room = room_for_text(options, 3);
    const detail::TokenSequence a = tokenize(first, options, detail::no_limit);
    const detail::TokenSequence b = tokenize(second, options, detail::no_limit);
    const auto [size_a, size_b] = detail::truncated_sizes(a.ids.size(), b.ids.size(), room, options.truncation);
    const auto windows_a = detail::windows_of(a.ids.size(), size_a, options.stride, side_of(options));
    const auto windows_b = detail::windows_of(b.ids.size(), size_b, options.stride, side_of(options));
    detail::check_window_count(windows_a.size(), windows_b.size(), size_a + size_b);
    std::vector<Encoding> encodings{assemble(a, windows_a[0], b, windows_b[0], options)};
    for (std::size_t i = 1; i < windows_a.size(); ++i)
      for (const detail::TokenRange window_b : windows_b)
        encodings.push_back(assemble(a, windows_a[i], b, window_b, options));
    for (std::size_t j = 1; j < windows_b.size(); ++j)
      encodings.push_back(assemble(a, windows_a[0], b, windows_b[j], options));
    return encodings;
  }

  struct IdCount {
    std::size_t count; // ids appended
    bool truncated;    // the text has more tokens
  };

  /// The lean path of models: appends [CLS], the text's ids and [SEP] to `ids`, at most max_length of them (0: no
  /// limit), as encode() does; tokens are cut off at `side`, whatever the model's files say. With Side::right it reads
  /// the text no further than needed to fill them, but checks its UTF-8 to the end. Errors also:
  /// ErrorCode::invalid_truncation if max_length is 1. On error `ids` is as before.
  IdCount append_ids(std::string_view text, std::size_t max_length, std::vector<std::int32_t>& ids,
                     Side side = Side::right) const {
    EncodeOptions options;
    options.max_length = max_length;
    const std::size_t room = room_for_text(options, 2);
    const std::size_t before = ids.size();
    check(text);
    ids.push_back(cls_id_);
    detail::IdCollector collector(word_model(), ascii_, text, side == Side::right ? room : detail::no_limit, ids);
    run(text, collector);
    const std::size_t tokens = ids.size() - before - 1;
    const bool truncated = tokens > room;
    if (truncated && side == Side::left) {
      const auto first = ids.begin() + static_cast<std::ptrdiff_t>(before + 1);
      ids.erase(first, first + static_cast<std::ptrdiff_t>(tokens - room));
    } else if (truncated) {
      ids.resize(before + 1 + room);
    }
    ids.push_back(sep_id_);
    return {ids.size() - before, truncated};
  }

  /// Text for tokens, as the WordPiece decoder of Hugging Face tokenizers: "##" glues, and spaces before punctuation go
  /// if the model's files ask for that cleanup.
  std::string convert_tokens_to_string(const std::vector<std::string>& tokens) const {
    std::string text;
    for (std::size_t i = 0; i < tokens.size(); ++i)
      text += detail::decode_token(tokens[i], i == 0, config_.decoder_prefix, config_.decoder_cleanup);
    return text;
  }

  /// The same for ids. Errors: ErrorCode::invalid_token_id for an id outside the vocabulary.
  std::string decode(const std::int32_t* ids, std::size_t count, bool skip_special_tokens = true) const {
    std::vector<std::string> tokens;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view token = this->token(ids[i]);
      const AddedTokens::Entry* added = added_tokens_.find(ids[i]);
      if (!skip_special_tokens || added == nullptr || !added->special)
        tokens.emplace_back(token);
    }
    return convert_tokens_to_string(tokens);
  }

  std::string decode(const std::vector<std::int32_t>& ids, bool skip_special_tokens = true) const {
    return decode(ids.data(), ids.size(), skip_special_tokens);
  }

  /// The token with that id, "" if the vocabulary has a gap there; valid as long as the tokenizer. Errors:
  /// ErrorCode::invalid_token_id for an id outside [0, vocabulary_size()).
  std::string_view token(std::int32_t id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary_size()) {
      throw Error(ErrorCode::invalid_token_id,
                  std::to_string(id) + ", ids must lie in [0, " + std::to_string(vocabulary_size()) + ")");
    }
    if (const AddedTokens::Entry* added = added_tokens_.find(id))
      return added->text;
    return static_cast<std::size_t>(id) < vocabulary_.size() ? vocabulary_.token(static_cast<std::size_t>(id))
                                                             : std::string_view();
  }

  /// The id of a token of the vocabulary or an added token, by its exact text.
  std::optional<std::int32_t> id(std::string_view token) const {
    const std::optional<std::int32_t> added = added_tokens_.id(token);
    return added ? added : vocabulary_.id(token);
  }

  /// Rows that an embedding table needs: the largest id that a text can yield, plus one.
  std::size_t vocabulary_size() const {
    const auto& added = added_tokens_.entries();
    return std::max(vocabulary_.size(), added.empty() ? 0 : static_cast<std::size_t>(added.back().id) + 1);
  }

  std::int32_t unk_id() const { return unk_id_; }
  std::int32_t cls_id() const { return cls_id_; }
  std::int32_t sep_id() const { return sep_id_; }
  std::int32_t pad_id() const { return pad_id_; }
  /// None if the vocabulary has no such token.
  std::optional<std::int32_t> mask_id() const { return mask_id_; }

  const TokenizerConfig& config() const { return config_; }

private:
  /// Feeds collector with all tokens of text, until it has had enough.
  template <class Collector> void run(std::string_view text, Collector& collector) const {
    added_tokens_.raw().split(text, [&](const AddedToken* token, Span range) {
      if (token != nullptr)
        return collector.add(token->id, range);
      if (added_tokens_.normalized().empty())
        return collector.add_words(range);
      detail::NormalizedText normalized;
      detail::Normalizer<detail::NormalizedText>(config_.normalizer, normalized).run(text, range);
      return added_tokens_.normalized().split(normalized.text, [&](const AddedToken* found, Span part) {
        if (found == nullptr)
          return collector.add_words(normalized, part);
        return collector.add(found->id,
                             {normalized.alignment[part.begin].begin, normalized.alignment[part.end - 1].end});
      });
    });
  }

  detail::WordModel word_model() const { return {vocabulary_.table(), config_, unk_id_}; }

  detail::TokenSequence tokenize(std::string_view text, const EncodeOptions& options, std::size_t limit) const {
    check(text);
    detail::TokenSequence tokens;
    detail::TokenCollector collector(word_model(), text, limit, tokens);
    run(text, collector);
    detail::convert_spans(text, options.offset_unit, tokens.offsets);
    return tokens;
  }

  void check(std::string_view text) const {
    if (text.size() > max_text_bytes)
      throw Error(ErrorCode::invalid_argument, "a text of " + std::to_string(text.size()) + " bytes, at most " +
                                                   std::to_string(max_text_bytes) + " are possible");
    if (options_.invalid_utf8 == InvalidUtf8::refuse) {
      const std::size_t invalid = find_invalid_utf8(text);
      if (invalid != std::string_view::npos)
        throw Error(ErrorCode::invalid_utf8, "ill-formed at byte " + std::to_string(invalid));
    }
  }

  std::size_t room_for_text(const EncodeOptions& options, std::size_t special_tokens) const {
    return detail::room_for_text(options.max_length, options.add_special_tokens ? special_tokens : 0);
  }

  Side side_of(const EncodeOptions& options) const { return options.truncation_side.value_or(config_.truncation_side); }

  Encoding assemble(const detail::TokenSequence& tokens, detail::TokenRange range, const EncodeOptions& options) const {
    detail::EncodingBuilder encoding(range.size() + 2);
    if (options.add_special_tokens)
      encoding.add_special(cls_id_, 0);
    encoding.add(tokens, range, 0);
    if (options.add_special_tokens)
      encoding.add_special(sep_id_, 0);
    return std::move(encoding).build();
  }

  Encoding assemble(const detail::TokenSequence& a, detail::TokenRange range_a, const detail::TokenSequence& b,
                    detail::TokenRange range_b, const EncodeOptions& options) const {
    detail::EncodingBuilder encoding(range_a.size() + range_b.size() + 3);
    if (options.add_special_tokens)
      encoding.add_special(cls_id_, 0);
    encoding.add(a, range_a, 0);
    if (options.add_special_tokens)
      encoding.add_special(sep_id_, 0);
    encoding.add(b, range_b, 1);
    if (options.add_special_tokens)
      encoding.add_special(sep_id_, 1);
    return std::move(encoding).build();
  }

  std::int32_t require(const std::string& token) const {
    const std::optional<std::int32_t> found = id(token);
    return found ? *found : vocabulary_.require(token);
  }

  Vocabulary vocabulary_;
  TokenizerConfig config_;
  TokenizerOptions options_;
  AddedTokens added_tokens_;
  std::int32_t unk_id_, cls_id_, sep_id_, pad_id_;
  std::optional<std::int32_t> mask_id_;
  detail::AsciiTable ascii_;
};

} // namespace distilbert
