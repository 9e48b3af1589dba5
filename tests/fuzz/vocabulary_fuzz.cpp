// A packed vocabulary with any words of it overwritten: an Error, or a tokenizer that cuts any text into ids of its
// own. The input is a list of places (16 bits, in words of 4 bytes) and values (32 bits), then, behind the place
// 0xFFFF, a text. The vocabulary lies in memory of exactly its size, so the address sanitizer sees a read past its end.

#include <distilbert/text/tokenizer.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

using namespace distilbert;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string good =
      Vocabulary::from_lines("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\nab\n##ab\n"
                             "abba\n##ba ba ba ba ba ba\n!\n\n\xE4\xB8\xAD\n")
          .packed();
  AlignedBuffer bytes(good.size());
  std::memcpy(bytes.data(), good.data(), good.size());
  std::size_t at = 0;
  for (; at + 6 <= size; at += 6) {
    std::uint16_t place;
    std::memcpy(&place, data + at, 2);
    if (place == 0xFFFF) {
      at += 2;
      break;
    }
    const std::size_t table = detail::AsciiPieces::byte_count; // the first places, behind them the pieces
    std::memcpy(bytes.data() + (table + 4u * place) % good.size(), data + at + 2, 4);
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + at, size - at);
  try {
    const auto packed = Vocabulary::from_packed({nullptr, {reinterpret_cast<const char*>(bytes.data()), good.size()}});
    TokenizerOptions options;
    options.invalid_utf8 = InvalidUtf8::replace;
    const auto tokenizer = Tokenizer::from_memory("", "", options, packed);
    std::vector<std::int32_t> ids = tokenizer.encode(text).ids;
    tokenizer.append_ids(text, 0, ids);
    tokenizer.decode(ids); // knows every id
  } catch (const Error& e) {
    if (e.code() != ErrorCode::invalid_packed_model && e.code() != ErrorCode::invalid_vocabulary)
      std::abort();
  }
  return 0;
}
