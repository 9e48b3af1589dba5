#pragma once
// BertNormalizer: clean -> space out Chinese characters -> decompose and strip accents -> lower case, one code point at
// a time, each with the place in the text that it comes from. Nothing is materialised but runs of combining marks.

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "offsets.hpp"
#include "unicode.hpp"
#include "utf8.hpp"

namespace distilbert {

/// The options of BertNormalizer, by their names in tokenizer.json.
struct NormalizerConfig {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  std::optional<bool> strip_accents; // by default what lowercase says
  bool lowercase = true;
};

namespace detail {

/// Normalises part of a text into `sink`, which is called as
///   bool sink(char32_t code_point, CodePointKind kind, Span origin)
/// and returns false when it wants no more. `Sink::needs_origin` tells whether origins are looked at at all.
template <class Sink> class Normalizer {
public:
  Normalizer(const NormalizerConfig& config, Sink& sink)
      : config_(config), strip_accents_(config.strip_accents.value_or(config.lowercase)), sink_(sink) {}

  /// Normalises text[range], in which ill-formed UTF-8 reads as U+FFFD. Returns false if the sink has had enough.
  bool run(std::string_view text, Span range) {
    text = text.substr(0, range.end);
    for (std::uint32_t position = range.begin; position < range.end;) {
      const DecodedCodePoint decoded = decode_utf8(text, position);
      const CodePointKind kind = kind_of(decoded.code_point);
      const Span origin{position, position + decoded.length};
      // Most code points pass all steps as they are.
      const bool untouched = !has(kind, any_step) && kind.combining_class == 0 && marks_.empty();
      if (!(untouched ? sink_(decoded.code_point, kind, origin) : clean(decoded.code_point, kind, origin)))
        return false;
      position = origin.end;
    }
    return emit_marks();
  }

private:
  struct Mark {
    char32_t code_point;
    CodePointKind kind;
    bool first; // of the decomposition it comes from
  };

  /// What the steps look at.
  static constexpr int any_step =
      flag::removed | flag::cleaned_to_space | flag::chinese | flag::mark | flag::decomposes | flag::has_lowercase;

  bool clean(char32_t c, CodePointKind kind, Span origin) {
    if (config_.clean_text) {
      if (has(kind, flag::removed))
        return true;
      if (has(kind, flag::cleaned_to_space)) {
        c = ' ';
        kind = kind_of(c);
      }
    }
    if (config_.handle_chinese_chars && has(kind, flag::chinese))
      return decompose(' ', kind_of(' '), origin) && decompose(c, kind, origin) && decompose(' ', kind_of(' '), origin);
    return decompose(c, kind, origin);
  }

  bool decompose(char32_t c, CodePointKind kind, Span origin) {
    if (!strip_accents_)
      return lower(c, kind, origin);
    if (!has(kind, flag::decomposes))
      return reorder(c, kind, origin, true);
    constexpr char32_t first_syllable = 0xAC00, last_syllable = 0xD7A3; // Unicode section 3.12
    if (c >= first_syllable && c <= last_syllable) {
      const char32_t syllable = c - first_syllable;
      const char32_t trailing = syllable % 28;
      return reorder(0x1100 + syllable / 588, origin, true) && reorder(0x1161 + syllable % 588 / 28, origin, false) &&
             (trailing == 0 || reorder(0x11A7 + trailing, origin, false));
    }
    const auto& decomposition = find_mapping(decompositions, c);
    for (std::uint32_t i = 0; i < decomposition.length; ++i)
      if (!reorder(decomposition.to[i], origin, i == 0))
        return false;
    return true;
  }

  bool reorder(char32_t c, Span origin, bool first) { return reorder(c, kind_of(c), origin, first); }

  /// Canonical ordering: marks wait until the next starter, and are then passed on by ascending class.
  bool reorder(char32_t c, CodePointKind kind, Span origin, bool first) {
    if (kind.combining_class != 0) {
      collect_mark(c, kind, origin, first);
      return true;
    }
    return (marks_.empty() || emit_marks()) && (has(kind, flag::mark) || lower(c, kind, origin));
  }

  void collect_mark(char32_t c, CodePointKind kind, Span origin, bool first) {
    const bool kept = !has(kind, flag::mark);
    any_kept_ = any_kept_ || kept;
    if (!Sink::needs_origin && !kept)
      return;
    if (marks_.empty())
      origin_before_marks_ = origin;
    marks_.push_back({c, kind, first});
    if (first)
      origins_.push_back(origin);
  }

  /// The reference hands out the origins of a run in the order of the text, whatever the new order of its marks.
  bool emit_marks() {
    bool wants_more = true;
    if (any_kept_) {
      std::stable_sort(marks_.begin(), marks_.end(),
                       [](const Mark& a, const Mark& b) { return a.kind.combining_class < b.kind.combining_class; });
      Span origin = origin_before_marks_;
      std::size_t next_origin = 0;
      for (std::size_t i = 0; i < marks_.size() && wants_more; ++i) {
        const Mark& mark = marks_[i];
        if (mark.first)
          origin = origins_[next_origin++];
        if (!has(mark.kind, flag::mark))
          wants_more = lower(mark.code_point, mark.kind, origin);
      }
      any_kept_ = false;
    }
    marks_.clear();
    origins_.clear();
    return wants_more;
  }

  bool lower(char32_t c, CodePointKind kind, Span origin) {
    if (!config_.lowercase || !has(kind, flag::has_lowercase))
      return sink_(c, kind, origin);
    const auto& lowercase = find_mapping(lowercase_mappings, c);
    for (std::uint32_t i = 0; i < lowercase.length; ++i)
      if (!sink_(lowercase.to[i], kind_of(lowercase.to[i]), origin))
        return false;
    return true;
  }

  const NormalizerConfig& config_;
  const bool strip_accents_;
  Sink& sink_;
  std::vector<Mark> marks_;    // run of marks that no starter has ended yet
  std::vector<Span> origins_;  // of those that are the first of a decomposition, in the order of the text
  Span origin_before_marks_{}; // for a run that begins inside a decomposition
  bool any_kept_ = false;
};

} // namespace detail
} // namespace distilbert
