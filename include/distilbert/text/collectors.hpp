#pragma once
// From words to tokens: all that encode() returns of them, or, a shorter way, only the ids.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "added_tokens.hpp" // NormalizedText
#include "ascii_words.hpp"
#include "encoding.hpp"
#include "normalizer.hpp"
#include "offsets.hpp"
#include "pre_tokenizer.hpp"
#include "token_table.hpp"
#include "tokenizer_config.hpp"
#include "unicode.hpp"
#include "utf8.hpp"
#include "word_piece.hpp"

namespace distilbert::detail {

/// What the tokens of a text depend on, but for the added ones.
struct WordModel {
  const TokenTable& vocabulary;
  const TokenizerConfig& config;
  std::int32_t unk_id;
};

/// The exact way from text to words, for all texts. Derived is the collector itself, which gets each word as
///   bool operator()(const Word& word)
/// and returns false when it wants no more, and says whether it needs_origin.
template <class Derived> class WordReader {
public:
  WordReader(const WordModel& model, std::string_view text, Derived& derived)
      : model_(model), text_(text), splitter_(model.config.word_piece.max_input_chars_per_word, derived) {}

  /// Passes on the words of text[range].
  bool read(Span range) {
    Normalizer<WordSplitter<Derived>> normalizer(model_.config.normalizer, splitter_);
    return normalizer.run(text_, range) && splitter_.end_word();
  }

  /// The same for part of a text that is normalised already.
  bool read(const NormalizedText& normalized, Span range) {
    for (std::size_t position = range.begin; position < range.end;) {
      const DecodedCodePoint decoded = decode_utf8(normalized.text, position);
      if (!splitter_(decoded.code_point, kind_of(decoded.code_point), normalized.alignment[position]))
        return false;
      position += decoded.length;
    }
    return splitter_.end_word();
  }

  /// The pieces of a word; valid until the next call.
  const std::vector<Piece>& pieces_of(const Word& word) {
    pieces_.clear();
    if (word.too_long)
      pieces_.push_back({model_.unk_id, 0, word.text.size()});
    else
      append_word_pieces(model_.vocabulary, model_.config.word_piece.continuing_subword_prefix, model_.unk_id,
                         word.text, scratch_, pieces_);
    return pieces_;
  }

private:
  const WordModel& model_;
  std::string_view text_;
  WordSplitter<Derived> splitter_;
  std::string scratch_;
  std::vector<Piece> pieces_;
};

/// Collects ids, offsets and word ids; ends the run as soon as it holds more than `limit`.
class TokenCollector {
public:
  static constexpr bool needs_origin = true;

  TokenCollector(const WordModel& model, std::string_view text, std::size_t limit, TokenSequence& tokens)
      : model_(model), reader_(model_, text, *this), limit_(limit), tokens_(tokens) {}

  bool add_words(Span range) { return reader_.read(range); }
  bool add_words(const NormalizedText& normalized, Span range) { return reader_.read(normalized, range); }

  /// An added token.
  bool add(std::int32_t id, Span origin) {
    push(id, origin);
    return end_word();
  }

  bool operator()(const Word& word) {
    for (const Piece& piece : reader_.pieces_of(word)) {
      const bool whole = piece.begin == 0 && piece.end == word.text.size();
      push(piece.id, whole ? word.origin : Span{word.alignment[piece.begin].begin, word.alignment[piece.end - 1].end});
    }
    return end_word();
  }

private:
  void push(std::int32_t id, Span origin) {
    tokens_.ids.push_back(id);
    tokens_.offsets.push_back(origin);
    tokens_.word_ids.push_back(word_);
  }

  bool end_word() {
    ++word_;
    return tokens_.ids.size() <= limit_;
  }

  const WordModel model_;
  WordReader<TokenCollector> reader_;
  const std::size_t limit_;
  TokenSequence& tokens_;
  std::int32_t word_ = 0;
};

/// What the short way through ASCII looks up instead of asking the Unicode tables and the vocabulary.
class AsciiTable {
public:
  /// `pieces` are those of the model's vocabulary and prefix.
  AsciiTable(const NormalizerConfig& config, const WordModel& model, AsciiPieces pieces);

  const std::array<ByteClass, 256>& classes() const { return classes_; }
  /// The id of a byte that is punctuation.
  std::int32_t punctuation_id(unsigned char byte) const { return punctuation_ids_[byte]; }
  /// What makes a letter lower case, or leaves it as it is; digits stay the same either way.
  std::uint64_t lower_case() const { return lower_case_; }
  /// Words of more bytes go the exact way.
  std::size_t longest_word() const { return longest_word_; }
  const AsciiPieces& pieces() const { return pieces_; }

  static constexpr std::size_t max_prefix = 16, max_word = 64;

private:
  std::array<ByteClass, 256> classes_;
  std::array<std::int32_t, 128> punctuation_ids_{};
  std::uint64_t lower_case_;
  std::size_t longest_word_;
  AsciiPieces pieces_;
};

/// Collects ids alone; ends the run as soon as it holds more than `limit`. Words of ASCII letters and digits are looked
/// up straight from the text; what stands between them and is neither white space nor punctuation takes the exact way.
/// An English sentence of 100 bytes takes 0.5 us, where the exact way took 2.1 (Zen 4, 2026-11-21); 18 invented words,
/// each of 3 to 12 letters, take 1.5 us, where for_each_piece took 4.2. There is no cache of words, so no text
/// makes another one slower and nothing is shared between threads.
/// Tried: asking the token table's bit set, or AsciiPieces, whether a word may be a token before looking it up makes
/// invented words 10 to 20 % faster still, but English 4 to 7 % slower; a look at four slots at once, 5 % and 7 %.
class IdCollector {
public:
  static constexpr bool needs_origin = false;

  IdCollector(const WordModel& model, const AsciiTable& ascii, std::string_view text, std::size_t limit,
              std::vector<std::int32_t>& ids)
      : model_(model), ascii_(ascii), text_(text), reader_(model_, text, *this), limit_(limit), before_(ids.size()),
        ids_(ids) {}

  bool add_words(Span range) { return split_ascii_words(text_, range, ascii_.classes(), *this); }
  bool add_words(const NormalizedText& normalized, Span range) { return reader_.read(normalized, range); }
  bool add(std::int32_t id, Span) { return push(id); }

  bool word(std::uint32_t begin, std::uint32_t end) {
    const std::size_t size = end - begin;
    if (size > ascii_.longest_word())
      return other({begin, end});
    char buffer[AsciiTable::max_prefix + AsciiTable::max_word + word_padding];
    char* const lower = buffer + AsciiTable::max_prefix;
    if (size <= ShortText::capacity) {
      ShortText text = text_.size() - begin >= ShortText::capacity ? ShortText::load(text_.data() + begin)
                                                                   : ShortText::load_padded(text_.substr(begin));
      text = ShortText{text.low | ascii_.lower_case(), text.high | ascii_.lower_case()}.first(size);
      const std::int32_t id = model_.vocabulary.find(text, size);
      if (id != TokenTable::none)
        return push(id);
      std::memcpy(lower, &text, sizeof text);
      std::memset(lower + sizeof text, 0, word_padding);
    } else {
      for (std::size_t i = 0; i < size; ++i)
        lower[i] = static_cast<char>(text_[begin + i] | static_cast<char>(ascii_.lower_case()));
      std::memset(lower + size, 0, word_padding);
    }
    return spell(lower, size);
  }

  bool punctuation(unsigned char byte) { return push(ascii_.punctuation_id(byte)); }
  bool other(Span range) { return reader_.read(range); }

  bool operator()(const Word& word) {
    for (const Piece& piece : reader_.pieces_of(word))
      ids_.push_back(piece.id);
    return ids_.size() - before_ <= limit_;
  }

private:
  bool push(std::int32_t id) {
    ids_.push_back(id);
    return ids_.size() - before_ <= limit_;
  }

  bool spell(char* word, std::size_t size) {
    const std::size_t before = ids_.size();
    if (!ascii_.pieces().for_each(model_.vocabulary, model_.config.word_piece.continuing_subword_prefix, word, size,
                                  [this](std::int32_t id, std::size_t, std::size_t) { ids_.push_back(id); })) {
      ids_.resize(before);
      ids_.push_back(model_.unk_id);
    }
    return ids_.size() - before_ <= limit_;
  }

  const WordModel model_;
  const AsciiTable& ascii_;
  const std::string_view text_;
  WordReader<IdCollector> reader_;
  const std::size_t limit_;
  const std::size_t before_;
  std::vector<std::int32_t>& ids_;
};

inline AsciiTable::AsciiTable(const NormalizerConfig& config, const WordModel& model, AsciiPieces pieces)
    : classes_(byte_classes(config)), lower_case_(config.lowercase ? 0x2020202020202020 : 0),
      pieces_(std::move(pieces)) {
  const WordPieceConfig& words = model.config.word_piece;
  longest_word_ =
      words.continuing_subword_prefix.size() > max_prefix ? 0 : std::min(words.max_input_chars_per_word, max_word);
  for (std::size_t byte = 0; byte < punctuation_ids_.size(); ++byte) {
    const char text = static_cast<char>(byte);
    std::vector<std::int32_t> ids;
    IdCollector collector(model, *this, {&text, 1}, no_limit, ids);
    if (classes_[byte] == ByteClass::punctuation && collector.other({0, 1}))
      punctuation_ids_[byte] = ids.at(0);
  }
}

} // namespace distilbert::detail
