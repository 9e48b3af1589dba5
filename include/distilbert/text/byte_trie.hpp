#pragma once
// A set of byte strings that finds the longest of them at the start of a text, in one walk over the text. Vocabulary
// and added tokens are both kept in one.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace distilbert::detail {

/// Immutable; const methods are safe from many threads at once. Nodes lie in breadth-first order, so the children of
/// node n are the nodes first_child_[n] .. first_child_[n + 1], in ascending order of their bytes. No hashing: input
/// chosen to collide cannot slow it down, a step costs at most eight comparisons.
class ByteTrie {
public:
  using Node = std::uint32_t;
  static constexpr Node root = 0;
  static constexpr Node nowhere = std::numeric_limits<Node>::max();
  static constexpr std::int32_t no_value = -1;

  struct Entry {
    std::string_view key;
    std::int32_t value; // not negative
  };
  struct Match {
    std::int32_t value; // no_value: nothing matches
    std::size_t length;
  };

  ByteTrie() : ByteTrie(std::vector<Entry>()) {}

  /// Of entries with equal keys the last one counts. The keys' bytes are not needed afterwards.
  explicit ByteTrie(const std::vector<Entry>& entries) {
    const std::vector<std::uint32_t> order = sorted_order(entries);
    struct Range {
      std::size_t begin, end; // entries that run through the node
    };
    std::vector<Range> level{{0, entries.size()}}, next_level;
    label_.push_back(0);
    for (std::size_t depth = 0; !level.empty(); ++depth) {
      for (const Range& range : level) {
        std::size_t entry = range.begin;
        const auto key = [&] { return entries[order[entry]].key; };
        value_.push_back(no_value);
        first_child_.push_back(static_cast<Node>(label_.size()));
        if (entry < range.end && key().size() == depth)
          ++key_count_;
        for (; entry < range.end && key().size() == depth; ++entry)
          value_.back() = entries[order[entry]].value;
        while (entry < range.end) {
          const char byte = key()[depth];
          const std::size_t begin = entry;
          while (entry < range.end && key()[depth] == byte)
            ++entry;
          label_.push_back(static_cast<unsigned char>(byte));
          next_level.push_back({begin, entry});
        }
      }
      level.swap(next_level);
      next_level.clear();
    }
    first_child_.push_back(static_cast<Node>(label_.size()));
  }

  /// Distinct keys.
  std::size_t key_count() const { return key_count_; }

  /// The node one byte below, or nowhere.
  Node child(Node node, unsigned char byte) const {
    Node begin = first_child_[node];
    Node end = first_child_[node + 1];
    while (begin < end) {
      const Node middle = begin + (end - begin) / 2;
      if (label_[middle] < byte)
        begin = middle + 1;
      else if (label_[middle] > byte)
        end = middle;
      else
        return middle;
    }
    return nowhere;
  }

  /// The node that spelling `bytes` leads to from `node`, or nowhere.
  Node descend(Node node, std::string_view bytes) const {
    for (std::size_t i = 0; i < bytes.size() && node != nowhere; ++i)
      node = child(node, static_cast<unsigned char>(bytes[i]));
    return node;
  }

  /// Value of the key that ends at node, or no_value.
  std::int32_t value(Node node) const { return node == nowhere ? no_value : value_[node]; }

  /// The longest non-empty continuation of `from` that is a key and that text starts with.
  Match longest_match(Node from, std::string_view text) const {
    Match match{no_value, 0};
    for (std::size_t i = 0; i < text.size() && from != nowhere; ++i) {
      from = child(from, static_cast<unsigned char>(text[i]));
      if (value(from) != no_value)
        match = {value_[from], i + 1};
    }
    return match;
  }

private:
  /// Indices of the entries by ascending key, of equal keys by ascending index. Comparing eight bytes at once first
  /// makes it a few times faster.
  static std::vector<std::uint32_t> sorted_order(const std::vector<Entry>& entries) {
    struct Item {
      std::uint64_t head;
      std::uint32_t index;
    };
    std::vector<Item> items;
    items.reserve(entries.size());
    for (const Entry& entry : entries) {
      std::uint64_t head = 0;
      for (std::size_t i = 0; i < 8; ++i)
        head = head << 8 | (i < entry.key.size() ? static_cast<unsigned char>(entry.key[i]) : 0u);
      items.push_back({head, static_cast<std::uint32_t>(items.size())});
    }
    std::sort(items.begin(), items.end(), [&](const Item& a, const Item& b) {
      if (a.head != b.head)
        return a.head < b.head;
      const int order = entries[a.index].key.compare(entries[b.index].key);
      return order != 0 ? order < 0 : a.index < b.index;
    });
    std::vector<std::uint32_t> order;
    order.reserve(items.size());
    for (const Item& item : items)
      order.push_back(item.index);
    return order;
  }

  std::vector<Node> first_child_;    // [nodes + 1]
  std::vector<unsigned char> label_; // [nodes] byte that leads to the node
  std::vector<std::int32_t> value_;  // [nodes]
  std::size_t key_count_ = 0;
};

} // namespace distilbert::detail
