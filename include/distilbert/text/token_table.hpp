#pragma once
// The vocabulary's tokens in one flat hash table: which id a token has, and which is the longest token that a word
// starts with.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../error.hpp"

namespace distilbert::detail {

/// Up to 16 bytes of text, followed by zeros: what the table compares instead of strings.
struct ShortText {
  static constexpr std::size_t capacity = 16;

  std::uint64_t low, high;

  /// The 16 bytes from `bytes` on, all of which must be readable.
  static ShortText load(const char* bytes) {
    ShortText text;
    std::memcpy(&text.low, bytes, 8);
    std::memcpy(&text.high, bytes + 8, 8);
    return text;
  }

  /// At most the first 16 of them.
  static ShortText load_padded(std::string_view bytes) {
    char padded[capacity] = {};
    std::memcpy(padded, bytes.data(), std::min(bytes.size(), capacity));
    return load(padded);
  }

  /// Its first `size` bytes, at most 16.
  ShortText first(std::size_t size) const {
    static constexpr unsigned char ones_and_zeros[2 * capacity] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                                   255, 255, 255, 255, 255, 255, 255, 255};
    const ShortText mask = load(reinterpret_cast<const char*>(ones_and_zeros) + capacity - size);
    return {low & mask.low, high & mask.high};
  }

  friend bool operator==(const ShortText& a, const ShortText& b) { return a.low == b.low && a.high == b.high; }
};

/// A text and whoever keeps it alive.
struct SharedText {
  std::shared_ptr<const void> owner;
  std::string_view text;
};

inline SharedText share(std::string text) {
  const auto shared = std::make_shared<const std::string>(std::move(text));
  return {shared, *shared};
}

/// Tokens by number, and their numbers by text. Immutable; const methods are safe from many threads at once.
///
/// Open addressing with linear probing; a slot holds a number and half of its token's hash, and a bit set in front of
/// the table answers most questions for what is no token. None of the arrays holds a pointer: all could be stored in a
/// file and used where it is mapped. Tokens chosen to collide cannot make it slow: no token lies further than
/// `most_probes` from where its hash points, or the table is built again with another hash.
/// Tried on Zen 4, 2026-11-21: slots that hold the first 8 or 16 bytes of their token are no faster on English, and
/// take 1.7 and 2.0 ms to build instead of 1.4, most of it for memory touched the first time; asking the bit set about
/// eight lengths at once without a branch is slower than about one after the other.
class TokenTable {
public:
  static constexpr std::int32_t none = -1;

  /// Where in the text a token lies.
  struct Extent {
    std::uint32_t begin, length;
  };
  /// For a number that no token has.
  static constexpr Extent absent{std::numeric_limits<std::uint32_t>::max(), 0};

  struct Match {
    std::int32_t value; // none: nothing matches
    std::size_t length;
  };

  TokenTable() = default;

  /// Of equal tokens the last one counts. tokens.size() must fit 31 bits. Errors: ErrorCode::invalid_vocabulary for
  /// tokens that collide under every hash, which does not happen by chance.
  TokenTable(SharedText text, std::vector<Extent> tokens) : text_(std::move(text)), tokens_(std::move(tokens)) {
    while (!build())
      if (++seed_ == seed_count)
        throw Error(ErrorCode::invalid_vocabulary, "its tokens are chosen to collide in a hash table");
  }

  /// Distinct tokens.
  std::size_t token_count() const { return token_count_; }

  /// Numbers, those without a token included.
  std::size_t size() const { return tokens_.size(); }

  /// The token with that number, "" if there is none; valid as long as the table or a copy of it.
  std::string_view token(std::size_t number) const {
    const Extent extent = tokens_[number];
    return extent.length == 0 ? std::string_view("")
                              : std::string_view(text_.text.data() + extent.begin, extent.length);
  }

  std::int32_t find(std::string_view token) const {
    if (token.empty())
      return empty_token_;
    if (token.size() > longest_)
      return none;
    if (token.size() <= ShortText::capacity)
      return find(ShortText::load_padded(token), token.size());
    return find(hash(token), [&](std::size_t number) { return this->token(number) == token; });
  }

  /// The same for a token of 1 to 16 bytes.
  std::int32_t find(ShortText token, std::size_t size) const { return find(hash(token), token, size); }

  /// The longest token of more than `shorter` bytes that the `size` bytes from `word` on start with. 16 more bytes
  /// behind them must be readable; they do not matter. Time: `size`, or the length of the longest token if that is
  /// less.
  Match longest_match(const char* word, std::size_t size, std::size_t shorter = 0) const {
    std::size_t length = std::min(size, longest_);
    if (length > ShortText::capacity) {
      const Match match = longest_long_match(word, length, shorter);
      if (match.value != none)
        return match;
      length = ShortText::capacity;
    }
    const ShortText text = ShortText::load(word);
    for (; length > shorter; --length) {
      const ShortText token = text.first(length);
      const std::uint64_t hashed = hash(token);
      if (!may_be_token(hashed))
        continue;
      const std::int32_t value = find(hashed, token, length);
      if (value != none)
        return {value, length};
    }
    return {none, 0};
  }

  /// Factors of the hash of a short text, by the seed: the text's two halves times these are added up.
  static constexpr std::size_t seed_count = 4;
  static constexpr std::uint64_t factors[seed_count][2] = {{0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F},
                                                           {0xD6E8FEB86659FD93, 0xA0761D6478BD642F},
                                                           {0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3},
                                                           {0x589965CC75374CC3, 0x1D8E4E27C47D124F}};

private:
  static constexpr std::size_t most_probes = 256;

  struct Slot {
    std::uint32_t tag;    // lower half of the token's hash
    std::uint32_t number; // the token's, plus one; 0: the slot is free
  };

  /// Returns false if tokens collide too much.
  bool build() {
    homes_ = tokens_.size() * 2 + 1; // half of them stay empty
    slots_.assign(homes_ + most_probes, Slot{0, 0});
    std::size_t bits = 64;
    while (bits < tokens_.size() * 16)
      bits *= 2;
    filter_.assign(bits / 64, 0);
    token_count_ = longest_ = reach_ = 0;
    empty_token_ = none;
    for (std::size_t number = 0; number < tokens_.size(); ++number)
      if (tokens_[number].begin != absent.begin && !insert(number))
        return false;
    return true;
  }

  bool insert(std::size_t number) {
    const std::string_view token = this->token(number);
    if (token.empty()) {
      token_count_ += empty_token_ == none;
      empty_token_ = static_cast<std::int32_t>(number);
      return true;
    }
    const std::uint64_t hashed = token.size() > ShortText::capacity ? hash(token) : hash(short_token(tokens_[number]));
    const Slot slot{static_cast<std::uint32_t>(hashed), static_cast<std::uint32_t>(number + 1)};
    for (std::size_t at = home(hashed), end = at + most_probes; at < end; ++at) {
      if (slots_[at].number == 0) {
        slots_[at] = slot;
        filter_[filter_word(hashed)] |= filter_bit(hashed);
        ++token_count_;
        longest_ = std::max(longest_, token.size());
        reach_ = std::max(reach_, at - home(hashed));
        return true;
      }
      if (slots_[at].tag == slot.tag && this->token(slots_[at].number - 1) == token) {
        slots_[at] = slot;
        return true;
      }
    }
    return false;
  }

  std::size_t home(std::uint64_t hash) const { return static_cast<std::size_t>((hash >> 32) * homes_ >> 32); }

  // The lower half of the hash, which home() does not look at.
  std::size_t filter_word(std::uint64_t hash) const { return (hash >> 6) & (filter_.size() - 1); }
  static std::uint64_t filter_bit(std::uint64_t hash) { return std::uint64_t{1} << (hash & 63); }
  bool may_be_token(std::uint64_t hash) const { return (filter_[filter_word(hash)] & filter_bit(hash)) != 0; }

  std::uint64_t hash(ShortText text) const {
    std::uint64_t sum = text.low * factors[seed_][0] + text.high * factors[seed_][1];
    sum = (sum ^ sum >> 32) * factors[0][0];
    return sum ^ sum >> 32;
  }

  /// Byte by byte, so that one walk over a text yields the hashes of all its beginnings.
  std::uint64_t hash_step(std::uint64_t hash, char byte) const {
    return ((hash << 5 | hash >> 59) ^ static_cast<unsigned char>(byte)) * factors[seed_][0];
  }
  std::uint64_t hash(std::string_view text) const {
    std::uint64_t hash = 0;
    for (const char byte : text)
      hash = hash_step(hash, byte);
    return hash;
  }

  /// The token with that hash for whose number same() holds.
  template <class Same> std::int32_t find(std::uint64_t hash, const Same& same) const {
    const Slot* slot = slots_.data() + home(hash);
    for (const Slot* const last = slot + reach_;; ++slot) {
      if (slot->tag == static_cast<std::uint32_t>(hash) && slot->number != 0 && same(slot->number - 1))
        return static_cast<std::int32_t>(slot->number - 1);
      if (slot->number == 0 || slot == last)
        return none;
    }
  }

  std::int32_t find(std::uint64_t hash, ShortText token, std::size_t size) const {
    return find(hash, [&](std::size_t number) {
      return tokens_[number].length == size && short_token(tokens_[number]) == token;
    });
  }

  ShortText short_token(Extent extent) const {
    const std::string_view rest(text_.text.data() + extent.begin, text_.text.size() - extent.begin);
    return (rest.size() < ShortText::capacity ? ShortText::load_padded(rest) : ShortText::load(rest.data()))
        .first(extent.length);
  }

  Match longest_long_match(const char* word, std::size_t size, std::size_t shorter) const {
    Match match{none, 0};
    std::uint64_t hashed = hash({word, ShortText::capacity});
    for (std::size_t length = ShortText::capacity + 1; length <= size; ++length) {
      hashed = hash_step(hashed, word[length - 1]);
      const std::string_view token(word, length);
      const std::int32_t value =
          length > shorter ? find(hashed, [&](std::size_t number) { return this->token(number) == token; }) : none;
      if (value != none)
        match = {value, length};
    }
    return match;
  }

  SharedText text_;
  std::vector<Extent> tokens_;
  std::vector<Slot> slots_{1};           // [homes_ + most_probes]
  std::vector<std::uint64_t> filter_{0}; // a power of two of words, one bit for each token
  std::size_t homes_ = 0;                // slots that a hash can point to
  std::size_t reach_ = 0;                // how far from there a token may lie
  std::size_t seed_ = 0;
  std::size_t token_count_ = 0;
  std::size_t longest_ = 0; // bytes
  std::int32_t empty_token_ = none;
};

} // namespace distilbert::detail
