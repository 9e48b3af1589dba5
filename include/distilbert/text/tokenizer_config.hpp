#pragma once
// Everything about a tokenizer that is not its vocabulary.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "../load_options.hpp" // InvalidUtf8, Memory
#include "added_tokens.hpp"
#include "normalizer.hpp"
#include "truncation.hpp" // Side
#include "vocabulary.hpp"
#include "word_piece.hpp"

namespace distilbert {

/// What a model's files say. The defaults are those of an uncased BERT.
struct TokenizerConfig {
  NormalizerConfig normalizer;
  WordPieceConfig word_piece;
  std::string cls_token = "[CLS]";
  std::string sep_token = "[SEP]";
  std::string pad_token = "[PAD]";
  std::string mask_token = "[MASK]";
  /// Strings to be found in the text before it is split, in any order. Their ids may lie behind the vocabulary's.
  std::vector<AddedToken> added_tokens;
  /// decode(): the prefix that glues a token to the one before it; none: all tokens are joined by spaces.
  std::optional<std::string> decoder_prefix = "##";
  /// decode(): take away the space before punctuation and the like.
  bool decoder_cleanup = true;
  /// Whether transformers takes such spaces from the whole text once more, which decode() leaves to its callers. Where
  /// the files do not say: yes for a vocab.txt, no for a tokenizer.json.
  bool clean_up_tokenization_spaces = true;
  /// Tokens that the model's files want a text cut to, for information; 0: they do not say.
  std::size_t model_max_length = 0;
  /// The end at which a text is cut where EncodeOptions do not say.
  Side truncation_side = Side::right;
  /// Nothing is padded here, but with left transformers' question-answering puts the context before the question.
  Side padding_side = Side::right;
};

/// What the user wants.
struct TokenizerOptions {
  /// false: "[SEP]" in a text is the special token, as with Hugging Face. true: it is text like any other, and no text
  /// can smuggle in a special token.
  bool encode_special_tokens = false;
  InvalidUtf8 invalid_utf8 = InvalidUtf8::refuse;
  /// How from_pretrained() reads vocab.txt, which it does not keep. Mapped is faster; see MappedFile for its dangers.
  Memory memory = Memory::copy;
};

/// What the files of a tokenizer say.
struct TokenizerFiles {
  Vocabulary vocabulary;
  TokenizerConfig config;
};

} // namespace distilbert
