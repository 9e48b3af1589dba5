#pragma once
// The vocabulary's tokens in one flat hash table: which id a token has, and which is the longest token that a word
// starts with. The table is one run of bytes without a pointer in it: a converted model carries it as it is.

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

#include "../aligned_buffer.hpp"
#include "../error.hpp"
#include "../shared_bytes.hpp"

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

[[noreturn]] inline void throw_invalid_vocabulary_table(const std::string& what) {
  throw Error(ErrorCode::invalid_packed_model, "its vocabulary " + what + "; convert the original model again");
}

/// Tokens by number, and their numbers by text. Immutable; const methods are safe from many threads at once; copies
/// share the memory.
///
/// Open addressing with linear probing; a slot holds a number and half of its token's hash, and a bit set in front of
/// the table answers most questions for what is no token. Tokens chosen to collide cannot make it slow: no token lies
/// further than `most_probes` from where its hash points, or the table is built again with another hash.
/// One run of bytes holds it all: Header, bit set, slots, extents, the text and zeros. What is built here and what a
/// converted model carries are the same bytes, so a change of the hash or of anything else in them is a new
/// packed_layout_version.
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

  /// Numbers lie below this.
  static constexpr std::size_t max_size = std::size_t{1} << 24;

  TokenTable() : TokenTable(std::string_view(), {}) {}

  /// Copies the text, which must be shorter than 4 GiB; tokens.size() must be at most max_size. Of equal tokens the
  /// last one counts. Errors: ErrorCode::invalid_vocabulary for tokens that collide under every hash, which does not
  /// happen by chance; out_of_memory.
  TokenTable(std::string_view text, const std::vector<Extent>& tokens);

  /// The table that bytes() gave, used where it lies. Nothing in it is believed before it is checked; what the tokens
  /// are called is believed, as the weights are. Time: one look at each slot and each extent. Errors:
  /// ErrorCode::invalid_packed_model.
  static TokenTable from_bytes(const SharedBytes& bytes);

  /// The whole table; valid as long as it or a copy of it. A multiple of 64 bytes.
  std::string_view bytes() const { return {reinterpret_cast<const char*>(memory_.get()), Layout(head_).end}; }

  /// The text that it was built from, valid as long.
  std::string_view text() const { return {text_, head_.text_bytes}; }

  /// Distinct tokens.
  std::size_t token_count() const { return head_.token_count; }

  /// Numbers, those without a token included.
  std::size_t size() const { return head_.size; }

  /// The token with that number, "" if there is none; valid as long as the table or a copy of it.
  std::string_view token(std::size_t number) const {
    const Extent extent = tokens_[number];
    return extent.length == 0 ? std::string_view("") : std::string_view(text_ + extent.begin, extent.length);
  }

  std::int32_t find(std::string_view token) const {
    if (token.empty())
      return head_.empty_token;
    if (token.size() > head_.longest)
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
    std::size_t length = std::min<std::size_t>(size, head_.longest);
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

  struct Header {
    std::uint32_t size, token_count; // numbers, and distinct tokens
    std::uint32_t text_bytes;        // of the text
    std::uint32_t longest;           // bytes of a token
    std::uint32_t seed;              // of the hash
    std::uint32_t reach;             // how far a token may lie from where its hash points
    std::int32_t empty_token;        // the number of ""
    std::uint32_t unused;            // what follows lies at a multiple of 8
  };

  /// Where in the bytes the arrays begin. All follows from two numbers of the header, and none of it leaves 64 bits.
  struct Layout {
    explicit Layout(const Header& head) {
      homes = std::size_t{head.size} * 2 + 1; // half of them stay empty
      while (filter_words * 4 < head.size)    // 16 bits for a token
        filter_words *= 2;
      filter = sizeof(Header);
      slots = filter + filter_words * sizeof(std::uint64_t);
      extents = slots + (homes + most_probes) * sizeof(Slot);
      text = extents + head.size * sizeof(Extent);
      end = (text + head.text_bytes + ShortText::capacity + 63) / 64 * 64; // so that a ShortText fits behind any token
    }

    std::size_t homes;                             // slots that a hash can point to
    std::size_t filter_words = 1;                  // a power of two
    std::size_t filter, slots, extents, text, end; // bytes
  };

  /// Views of bytes that begin with `head`.
  TokenTable(std::shared_ptr<const unsigned char> memory, const Header& head) : memory_(std::move(memory)) {
    const Layout layout(head);
    const auto at = [&](std::size_t offset) { return memory_.get() + offset; };
    head_ = head;
    homes_ = layout.homes;
    filter_mask_ = layout.filter_words - 1;
    filter_ = reinterpret_cast<const std::uint64_t*>(at(layout.filter));
    slots_ = reinterpret_cast<const Slot*>(at(layout.slots));
    tokens_ = reinterpret_cast<const Extent*>(at(layout.extents));
    text_ = reinterpret_cast<const char*>(at(layout.text));
  }

  void check() const;
  bool build(std::uint64_t* filter, Slot* slots);
  bool insert(std::size_t number, std::uint64_t* filter, Slot* slots);

  std::size_t home(std::uint64_t hash) const { return static_cast<std::size_t>((hash >> 32) * homes_ >> 32); }

  // The lower half of the hash, which home() does not look at.
  std::size_t filter_word(std::uint64_t hash) const { return (hash >> 6) & filter_mask_; }
  static std::uint64_t filter_bit(std::uint64_t hash) { return std::uint64_t{1} << (hash & 63); }
  bool may_be_token(std::uint64_t hash) const { return (filter_[filter_word(hash)] & filter_bit(hash)) != 0; }

  std::uint64_t hash(ShortText text) const {
    std::uint64_t sum = text.low * factors[head_.seed][0] + text.high * factors[head_.seed][1];
    sum = (sum ^ sum >> 32) * factors[0][0];
    return sum ^ sum >> 32;
  }

  /// Byte by byte, so that one walk over a text yields the hashes of all its beginnings.
  std::uint64_t hash_step(std::uint64_t hash, char byte) const {
    return ((hash << 5 | hash >> 59) ^ static_cast<unsigned char>(byte)) * factors[head_.seed][0];
  }
  std::uint64_t hash(std::string_view text) const {
    std::uint64_t hash = 0;
    for (const char byte : text)
      hash = hash_step(hash, byte);
    return hash;
  }

  /// The token with that hash for whose number same() holds.
  template <class Same> std::int32_t find(std::uint64_t hash, const Same& same) const {
    const Slot* slot = slots_ + home(hash);
    for (const Slot* const last = slot + head_.reach;; ++slot) {
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

  ShortText short_token(Extent extent) const { return ShortText::load(text_ + extent.begin).first(extent.length); }

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

  std::shared_ptr<const unsigned char> memory_;
  Header head_{};
  std::size_t homes_ = 0, filter_mask_ = 0;
  const std::uint64_t* filter_ = nullptr; // bit set, one bit for each token
  const Slot* slots_ = nullptr;           // [homes_ + most_probes]
  const Extent* tokens_ = nullptr;        // [size()]
  const char* text_ = nullptr;
};

inline TokenTable::TokenTable(std::string_view text, const std::vector<Extent>& tokens) {
  Header head{};
  head.size = static_cast<std::uint32_t>(tokens.size());
  head.text_bytes = static_cast<std::uint32_t>(text.size());
  const Layout layout(head);
  const auto buffer = std::make_shared<AlignedBuffer>(layout.end);
  unsigned char* const to = buffer->data();
  std::memset(to + layout.text + text.size(), 0, layout.end - layout.text - text.size());
  std::copy(text.begin(), text.end(), to + layout.text);
  std::uninitialized_copy(tokens.begin(), tokens.end(), reinterpret_cast<Extent*>(to + layout.extents));
  *this = TokenTable(std::shared_ptr<const unsigned char>(buffer, to), head);
  while (!build(reinterpret_cast<std::uint64_t*>(to + layout.filter), reinterpret_cast<Slot*>(to + layout.slots)))
    if (++head_.seed == seed_count)
      throw Error(ErrorCode::invalid_vocabulary, "its tokens are chosen to collide in a hash table");
  std::memcpy(to, &head_, sizeof head_);
}

/// Returns false if tokens collide too much.
inline bool TokenTable::build(std::uint64_t* filter, Slot* slots) {
  std::fill_n(filter, filter_mask_ + 1, std::uint64_t{0});
  std::fill_n(slots, homes_ + most_probes, Slot{0, 0});
  head_.token_count = head_.longest = head_.reach = 0;
  head_.empty_token = none;
  for (std::size_t number = 0; number < size(); ++number)
    if (tokens_[number].begin != absent.begin && !insert(number, filter, slots))
      return false;
  return true;
}

inline bool TokenTable::insert(std::size_t number, std::uint64_t* filter, Slot* slots) {
  const Extent extent = tokens_[number];
  const std::string_view token = this->token(number);
  if (token.empty()) {
    head_.token_count += head_.empty_token == none;
    head_.empty_token = static_cast<std::int32_t>(number);
    return true;
  }
  const std::uint64_t hashed = token.size() > ShortText::capacity ? hash(token) : hash(short_token(extent));
  const Slot slot{static_cast<std::uint32_t>(hashed), static_cast<std::uint32_t>(number + 1)};
  for (std::size_t distance = 0; distance < most_probes; ++distance) {
    Slot& tried = slots[home(hashed) + distance];
    if (tried.number == 0) {
      tried = slot;
      filter[filter_word(hashed)] |= filter_bit(hashed);
      ++head_.token_count;
      head_.longest = std::max(head_.longest, extent.length);
      head_.reach = std::max(head_.reach, static_cast<std::uint32_t>(distance));
      return true;
    }
    if (tried.tag == slot.tag && this->token(tried.number - 1) == token) {
      tried = slot;
      return true;
    }
  }
  return false;
}

inline TokenTable TokenTable::from_bytes(const SharedBytes& bytes) {
  Header head;
  if (bytes.bytes.size() < sizeof head)
    throw_invalid_vocabulary_table("is cut short");
  std::memcpy(&head, bytes.bytes.data(), sizeof head);
  if (head.size > max_size || Layout(head).end != bytes.bytes.size())
    throw_invalid_vocabulary_table("has another size than it says");
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.bytes.data());
  TokenTable table(std::shared_ptr<const unsigned char>(bytes.owner, data), head);
  table.check();
  return table;
}

/// Behind this nothing can be read that lies elsewhere: a number leads to an extent, that to bytes of the text with a
/// ShortText's room behind them, and no search goes further than `reach`.
inline void TokenTable::check() const {
  const Header& head = head_;
  if (head.seed >= seed_count || head.reach >= most_probes || head.token_count > head.size ||
      head.longest > head.text_bytes || head.empty_token < none || head.empty_token >= std::int64_t{head.size})
    throw_invalid_vocabulary_table("has an impossible header");
  std::uint64_t room = 0; // the highest bit is set as soon as one difference is negative
  for (std::size_t i = 0; i < homes_ + most_probes; ++i)
    room |= std::uint64_t{head.size} - slots_[i].number;
  for (std::size_t number = 0; number < size(); ++number) {
    const Extent extent =
        tokens_[number].length == 0 ? Extent{0, 0} : tokens_[number]; // of an empty one nothing is read
    room |= std::uint64_t{head.text_bytes} - extent.begin - extent.length;
  }
  if (room >> 63 != 0)
    throw_invalid_vocabulary_table("has a token that lies outside");
}

} // namespace distilbert::detail
