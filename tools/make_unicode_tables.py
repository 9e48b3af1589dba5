#!/usr/bin/env python3
"""Writes include/distilbert/text/unicode_tables.hpp by asking `tokenizers` about every Unicode scalar value.

The reference mixes tables of several Unicode versions, so no Unicode database reproduces it. What counts is what
it does, and that is what is asked here, one scalar value at a time, of the very classes that BERT's tokenizer uses.

usage: make_unicode_tables.py OUTPUT        (needs tokenizers == 0.23.3; about a minute)
"""

import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

REFERENCE = "0.23.3"
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xD7A4)  # decomposed by arithmetic
BLOCK = 128

FLAGS = [
    ("removed", "dropped by clean_text"),
    ("cleaned_to_space", "becomes U+0020 by clean_text"),
    ("white_space", "separates words"),
    ("punctuation", "is a word of its own"),
    ("chinese", "gets spaces around it by handle_chinese_chars"),
    ("mark", "dropped by strip_accents, after decomposition"),
    ("word_character", "beside it no single_word added token matches"),
    ("decomposes", "has an entry in decompositions, or is a Hangul syllable"),
    ("has_lowercase", "has an entry in lowercase_mappings"),
]
BIT = {name: 1 << i for i, (name, _) in enumerate(FLAGS)}


def bert(**chosen):
    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    return normalizers.BertNormalizer(**{**off, **chosen}).normalize_str


nfd = normalizers.NFD().normalize_str


def flags_of_all():
    """One word of flags for each scalar value."""
    clean, chinese, strip = bert(clean_text=True), bert(handle_chinese_chars=True), bert(strip_accents=True)
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    words = Tokenizer(models.WordPiece({"[UNK]": 0, "zq": 1}, unk_token="[UNK]"))
    words.add_tokens([AddedToken("zq", single_word=True, normalized=False)])
    flags = [0] * 0x110000
    for code in SCALARS:
        c = chr(code)
        word = f"a{c}b"
        found = 0
        cleaned = clean(word)
        if cleaned == "ab":
            found |= BIT["removed"]
        elif cleaned != word:
            assert cleaned == "a b", (hex(code), cleaned)
            found |= BIT["cleaned_to_space"]
        pieces = [piece for piece, _ in split(word)]
        if pieces == ["a", "b"]:
            found |= BIT["white_space"]
        elif pieces != [word]:
            assert pieces == ["a", c, "b"], (hex(code), pieces)
            found |= BIT["punctuation"]
        spaced = chinese(word)
        if spaced != word:
            assert spaced == f"a {c} b", (hex(code), spaced)
            found |= BIT["chinese"]
        if nfd(c) == c and strip(word) != word:
            assert strip(word) == "ab", (hex(code), strip(word))
            found |= BIT["mark"]
        if words.encode(f"zq{c}", add_special_tokens=False).ids == [0]:  # one [UNK]: "zq" did not match
            found |= BIT["word_character"]
        flags[code] = found
    return flags


def combining_classes():
    """Canonical combining class of each scalar value that the reference reorders."""

    def moves(first, second):
        return nfd("a" + first + second) == "a" + second + first != "a" + first + second

    top, low = "\u0345", "\u0334"  # of the highest class and of the lowest
    marks = [c for c in map(chr, SCALARS) if nfd(c) == c and (moves(top, c) or moves(c, low))] + [low]
    assert all(unicodedata.combining(c) for c in marks), "this Python's Unicode is older than the reference's"
    stand_ins = {unicodedata.combining(c): c for c in reversed(marks)}
    known = sorted(stand_ins)
    for smaller, larger in zip(known, known[1:]):
        assert moves(stand_ins[larger], stand_ins[smaller]), (smaller, larger)
    classes = [0] * 0x110000
    for c in marks:
        equal = [v for v in known if not moves(stand_ins[v], c) and not moves(c, stand_ins[v])]
        assert len(equal) == 1, (hex(ord(c)), equal)
        classes[ord(c)] = equal[0]
    return classes


def mappings(flags):
    """(decompositions, lowercase_mappings): scalar value -> what it becomes, where that is something else."""
    lower = bert(lowercase=True)
    decompositions, lowercase = {}, {}
    for code in SCALARS:
        c = chr(code)
        decomposed, lowered = nfd(c), lower(c)
        if decomposed != c:
            flags[code] |= BIT["decomposes"]
            if code in HANGUL:
                assert decomposed == unicodedata.normalize("NFD", c)
            else:
                decompositions[code] = [ord(d) for d in decomposed]
        if lowered != c:
            flags[code] |= BIT["has_lowercase"]
            lowercase[code] = [ord(d) for d in lowered]
    return decompositions, lowercase


def rows(values, form="{}", indent="  ", width=120):
    lines, line = [], indent
    for value in values:
        item = form.format(value) + ", "
        if len(line) + len(item) > width + 1:
            lines.append(line.rstrip())
            line = indent
        line += item
    return "\n".join(lines + [line.rstrip()])


def mapping_source(name, comment, mapping):
    longest = max(map(len, mapping.values()))
    entries = ["{" + f"0x{code:X}, {len(to)}, " + "{" + ", ".join(f"0x{t:X}" for t in to) + "}}"
               for code, to in sorted(mapping.items())]
    return (f"/// {comment}\n"
            f"inline constexpr Mapping<{longest}> {name}[{len(entries)}] = {{\n{rows(entries)}\n}};\n")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if tokenizers.__version__ != REFERENCE:
        sys.exit(f"tokenizers {REFERENCE} is the reference, this is {tokenizers.__version__}")
    flags = flags_of_all()
    classes = combining_classes()
    decompositions, lowercase = mappings(flags)

    kinds, index, blocks, kind_of = [], [], [], {}
    for start in range(0, 0x110000, BLOCK):
        block = []
        for code in range(start, start + BLOCK):
            key = (flags[code], classes[code])
            if key not in kind_of:
                kind_of[key] = len(kinds)
                kinds.append(key)
            block.append(kind_of[key])
        block = tuple(block)
        if block not in blocks:
            blocks.append(block)
        index.append(blocks.index(block))
    assert len(kinds) <= 256 and len(blocks) <= 256
    assert kinds[0] == (BIT["removed"], 0), "U+0000 comes first and is removed"

    constants = "\n".join(f"inline constexpr std::uint16_t {name} = 1 << {i}; // {comment}"
                          for i, (name, comment) in enumerate(FLAGS))
    source = f"""#pragma once
// What BERT's tokenizer does with every Unicode scalar value. Generated by tools/make_unicode_tables.py, which asks
// tokenizers {REFERENCE} about each of them; do not edit. Its Unicode is a mixture of versions: neither a newer nor an older
// database gives the same ids.

#include <cstddef>
#include <cstdint>

// clang-format off
namespace distilbert::detail {{

namespace flag {{
{constants}
}} // namespace flag

/// Flags, and the canonical combining class by which decomposed marks are ordered (0: a starter, never reordered).
struct CodePointKind {{
  std::uint16_t flags;
  std::uint8_t combining_class;
}};

/// One code point and the `length` code points that it becomes.
template <std::size_t longest> struct Mapping {{
  std::uint32_t from;
  std::uint32_t length;
  std::uint32_t to[longest];
}};

inline constexpr CodePointKind code_point_kinds[{len(kinds)}] = {{
{rows([f"{{{f}, {c}}}" for f, c in kinds])}
}};

/// kind = kind_blocks[kind_index[c / {BLOCK}]][c % {BLOCK}]
inline constexpr std::uint8_t kind_index[{len(index)}] = {{
{rows(index)}
}};

inline constexpr std::uint8_t kind_blocks[{len(blocks)}][{BLOCK}] = {{
{chr(10).join("  {" + chr(10) + rows(block) + chr(10) + "  }," for block in blocks)}
}};

{mapping_source("decompositions", "Full canonical decompositions, in ascending order; Hangul syllables are decomposed by arithmetic.", decompositions)}
{mapping_source("lowercase_mappings", "Lower case, in ascending order.", lowercase)}
}} // namespace distilbert::detail
// clang-format on
"""
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write(source)
    print(f"{len(kinds)} kinds, {len(blocks)} blocks, {len(decompositions)} decompositions, {len(lowercase)} lower cases")


if __name__ == "__main__":
    main()
