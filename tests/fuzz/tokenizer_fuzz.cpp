// Any bytes as a text, with any options: no crash, tokens in order and inside the text, and all ways to the ids agree.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <distilbert/text/tokenizer.hpp>

using namespace distilbert;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

/// A small vocabulary, with added tokens of every kind, so that short inputs reach everything.
Tokenizer make_tokenizer(bool lowercase, bool encode_special_tokens) {
  TokenizerConfig config;
  config.normalizer.lowercase = lowercase;
  config.word_piece.max_input_chars_per_word = 8;
  for (const char* content : {"<l>", "<r>", "word", "Caf\xC3\xA9", "aa", " q"}) {
    AddedToken token;
    token.content = content;
    token.lstrip = token.content == "<l>";
    token.rstrip = token.content == "<r>";
    token.single_word = token.content == "word";
    token.normalized = token.content == "Caf\xC3\xA9";
    config.added_tokens.push_back(std::move(token));
  }
  TokenizerOptions options;
  options.encode_special_tokens = encode_special_tokens;
  options.invalid_utf8 = InvalidUtf8::replace;
  return Tokenizer::from_vocabulary("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\nab\n##ab\ne\n!\n[\n]\n"
                                    "\xE4\xB8\xAD\n\xE1\x84\x92\n##\xE1\x85\xA1\n##\xE1\x86\xAB\n##\xE3\x80\xAE\n",
                                    std::move(config), options);
}

void check_offsets(const Encoding& encoding, std::size_t first_size, std::size_t second_size) {
  for (std::size_t i = 0; i < encoding.size(); ++i) {
    const Span span = encoding.offsets[i];
    if (encoding.special_tokens_mask[i] != 0) {
      require(span == Span{0, 0});
      continue;
    }
    require(span.begin < span.end && span.end <= (encoding.sequence_ids[i] == 0 ? first_size : second_size));
    if (i > 0 && encoding.sequence_ids[i - 1] == encoding.sequence_ids[i])
      require(encoding.offsets[i - 1].begin <= span.begin && encoding.offsets[i - 1].end <= span.end);
  }
}

/// The size of text in unit, by a decoder of its own.
std::size_t size_in(OffsetUnit unit, std::string_view text) {
  Span whole{0, static_cast<std::uint32_t>(text.size())};
  std::vector<Span> spans{whole};
  detail::convert_spans(text, unit, spans);
  return spans.front().end;
}

void check_text(const Tokenizer& tokenizer, std::string_view text, std::string_view other, EncodeOptions options) {
  const Encoding encoding = tokenizer.encode(text, options);
  const std::size_t size = size_in(options.offset_unit, text);
  check_offsets(encoding, size, 0);
  require(options.max_length == 0 || encoding.size() <= options.max_length);

  EncodeOptions whole = options;
  whole.max_length = 0;
  const Encoding all = tokenizer.encode(text, whole);
  require(encoding.truncated == (encoding.size() < all.size()));
  tokenizer.decode(all.ids);
  check_offsets(tokenizer.encode(text, other, whole), size, size_in(options.offset_unit, other));

  if (options.add_special_tokens && options.truncation_side == Side::right) {
    std::vector<std::int32_t> ids;
    const Tokenizer::IdCount count = tokenizer.append_ids(text, options.max_length, ids);
    require(ids == encoding.ids && count.count == ids.size() && count.truncated == encoding.truncated);
  }
  std::vector<Encoding> windows;
  try {
    windows = tokenizer.encode_windows(text, options);
  } catch (const Error& e) {
    require(e.code() == ErrorCode::invalid_truncation);
    return;
  }
  require(windows.front().ids == encoding.ids);
  for (const Encoding& window : windows)
    require(options.max_length == 0 || window.size() <= options.max_length);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tokenizer tokenizers[] = {make_tokenizer(true, false), make_tokenizer(false, false),
                                         make_tokenizer(true, true)};
  constexpr std::size_t head = 5;
  if (size < head)
    return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + head, size - head);
  const std::size_t cut = rest.empty() ? 0 : data[4] * rest.size() / 256;
  EncodeOptions options;
  options.add_special_tokens = (data[0] & 4) != 0;
  options.max_length = data[1] == 0 ? 0 : data[1] % 16 + 2;
  options.stride = data[2] % 8;
  options.truncation_side = (data[0] & 8) != 0 ? Side::left : Side::right;
  options.offset_unit = static_cast<OffsetUnit>(data[3] % 3);
  check_text(tokenizers[data[0] % 3], rest.substr(0, cut), rest.substr(cut), options);
  return 0;
}
