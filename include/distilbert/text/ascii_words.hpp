#pragma once
// The short way through ASCII: words found 64 bytes at a time, everything else left to Normalizer and WordSplitter.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "normalizer.hpp"
#include "offsets.hpp"
#include "unicode.hpp"

namespace distilbert::detail {

/// What a byte is to BERT: part of a word, between words, a word of its own, or nothing that a byte alone decides.
enum class ByteClass : std::uint8_t { letter_or_digit, space, punctuation, other };

inline bool is_letter_or_digit(unsigned c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// The classes of all bytes, from the Unicode tables; `other` are bytes above 0x7F and control characters.
inline std::array<ByteClass, 256> byte_classes(const NormalizerConfig& config) {
  std::array<ByteClass, 256> classes{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    const CodePointKind kind = kind_of(byte);
    classes[byte] = byte >= 0x80 || (config.clean_text && has(kind, flag::removed)) ? ByteClass::other
                    : has(kind, flag::white_space)                                  ? ByteClass::space
                    : has(kind, flag::punctuation)                                  ? ByteClass::punctuation
                    : is_letter_or_digit(byte)                                      ? ByteClass::letter_or_digit
                                                                                    : ByteClass::other;
  }
  return classes;
}

/// One bit for each of the first `size` bytes, at most 64, the first byte's lowest: set if it is no ASCII letter or
/// digit. Eight bytes at a time, each in a lane of 8 bits whose sums never carry over.
inline std::uint64_t find_stops(const char* bytes, std::size_t size) {
  constexpr std::uint64_t ones = 0x0101010101010101, high = 0x80 * ones;
  std::uint64_t stops = 0;
  for (std::size_t i = 0; i < size; i += 8) {
    std::uint64_t block = 0;
    if (size - i >= 8)
      std::memcpy(&block, bytes + i, 8);
    else
      std::memcpy(&block, bytes + i, size - i);
    const std::uint64_t ascii = block & ~high, lower = ascii | 0x20 * ones;
    const std::uint64_t letter = (lower + (0x80 - 'a') * ones) & ~(lower + (0x7F - 'z') * ones);
    const std::uint64_t digit = (ascii + (0x80 - '0') * ones) & ~(ascii + (0x7F - '9') * ones);
    const std::uint64_t lanes = ~((letter | digit) & ~block) & high;
    stops |= (lanes >> 7) * 0x0102040810204080 >> 56 << i; // gathers the lanes' lowest bits in the highest byte
  }
  return size < 64 ? stops & ((std::uint64_t{1} << size) - 1) : stops;
}

/// Cuts text[range] into words for `sink`, in order, until a call returns false; returns whether none did.
///   bool word(std::uint32_t begin, std::uint32_t end): ASCII letters and digits
///   bool punctuation(unsigned char byte): one ASCII character
///   bool other(Span range): a stretch between white space and punctuation that holds other bytes, too
template <class Sink>
bool split_ascii_words(std::string_view text, Span range, const std::array<ByteClass, 256>& classes, Sink& sink) {
  const auto class_at = [&](std::uint32_t at) { return classes[static_cast<unsigned char>(text[at])]; };
  std::uint32_t begin = range.begin; // of the word under way
  for (std::uint32_t block = range.begin; block < range.end;) {
    const std::uint32_t size = std::min<std::uint32_t>(range.end - block, 64);
    std::uint32_t next_block = block + size;
    for (std::uint64_t stops = find_stops(text.data() + block, size); stops != 0; stops &= stops - 1) {
      std::uint32_t at = block + static_cast<std::uint32_t>(__builtin_ctzll(stops));
      const ByteClass found = class_at(at);
      if (found == ByteClass::other) {
        const auto goes_on = [&](ByteClass c) { return c == ByteClass::letter_or_digit || c == ByteClass::other; };
        while (at < range.end && goes_on(class_at(at)))
          ++at;
        if (!sink.other({begin, at}))
          return false;
        begin = next_block = at;
        break;
      }
      if ((begin < at && !sink.word(begin, at)) ||
          (found == ByteClass::punctuation && !sink.punctuation(static_cast<unsigned char>(text[at]))))
        return false;
      begin = at + 1;
    }
    block = next_block;
  }
  return begin >= range.end || sink.word(begin, range.end);
}

} // namespace distilbert::detail
