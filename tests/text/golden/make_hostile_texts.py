#!/usr/bin/env python3
"""Writes hostile_texts.jsonl: one kind of hostile text a line, and what the reference makes of it.

Each line has "name", the text in "bytes" (hexadecimal, as not all of it is UTF-8), "ids" without special tokens, and
"begin" and "end" of each token in code points. Ill-formed UTF-8 is what Python's errors="replace" makes of it.

usage: make_hostile_texts.py      (needs tokenizers == 0.23.3 and models/sst2/vocab.txt)
"""

import json
import pathlib

from tokenizers import BertWordPieceTokenizer

HERE = pathlib.Path(__file__).resolve().parent
VOCABULARY = HERE.parents[2] / "models/sst2/vocab.txt"

TEXTS = {
    "empty": "", "spaces": " \t\n\r ", "null only": "\0", "marks only": "\u0301\u0308", "replacement only": "\uFFFD",
    "Tibetan vowel": "\u0F73",
    **{f"removed {ord(c):04X}": f"he{c}llo" for c in
       "\0\uFFFD\x01\x07\x08\x0B\x0C\x1B\x1C\x1F\x7F\x80\x85\xAD\u180E\u200B\u200C\u200D\u200E\u202E\u2060\u2066\u2069\uFEFF"
       "\uE000\uF8FF\U000E0001\U000E0041\U000F0000\U0010FFFD"},
    **{f"space {ord(c):04X}": f"he{c}llo" for c in "\t\n\r\xA0\u1680\u2000\u200A\u2028\u2029\u202F\u205F\u3000"},
    **{f"kept {ord(c):04X}": f"he{c}llo" for c in "\u0378\uFFFE\uFFFF\uFDD0\U0001FFFF\U0002A6E0\U00031350\u20DD\u0903"},
    "accent composed": "caf\u00E9", "accent decomposed": "cafe\u0301", "variation selector": "a\uFE0Fb\U000E0100c",
    "a thousand marks": "a" + "\u0301" * 1000 + "b", "Zalgo": "H\u0321\u0353e\u0334\u0301l\u0336l\u0337o\u0338\u0347",
    "Hebrew points": "\u05E9\u05C1\u05B8\u05DC\u05D5\u05B9\u05DD", "Arabic harakat": "\u0645\u064F\u062D\u064E\u0645\u0651\u064E\u062F",
    "marks out of order": "a\u0315\u0316\u0301b", "kept mark moves": "a\u0301\u302Eb", "kept mark before": "a\u302E\u0301b",
    "dotted I": "\u0130stanbul", "sharp s": "stra\u00DFe STRA\u1E9EE", "Kelvin": "\u212A", "Angstrom": "\u212B",
    "Georgian capital": "\u1C90", "final sigma": "\u039F\u0394\u039F\u03A3",
    "ligature": "\uFB01lm", "superscript": "m\u00B2", "circled": "\u2460", "full width": "\uFF21\uFF22", "math bold": "\U0001D400",
    "Hangul": "\uD55C\uAD6D\uC5B4", "dakuten": "\u30AC\u304C",
    "Chinese": "\u4E2D\u56FDabc\u6587", "Chinese last": "\u9FFF", "extension A": "a\u3400b\u4DBFc", "extension B": "a\U00020000b\U0002A6DFc",
    "extension C": "a\U0002A700b", "extension E start": "a\U0002B820b", "extension E 2B91F": "a\U0002B91Fb",
    "extension E 2B920": "a\U0002B920b", "extension E end": "a\U0002CEAFb", "extension F": "a\U0002CEB0b",
    "extension G": "a\U00030000b", "compatibility": "a\uF900b\U0002F800c", "radical": "a\u2E80b",
    "emoji": "I \U0001F600 it", "family": "\U0001F468\u200D\U0001F469\u200D\U0001F467", "flag": "\U0001F1E9\U0001F1EA",
    "keycap": "3\uFE0F\u20E3", "skin tone": "\U0001F44D\U0001F3FD",
    "special tokens": "[CLS] a [SEP] b [MASK] c [PAD] d [UNK]", "special glued": "ab[SEP]cd[CLS]", "special lower": "[sep]",
    "special spaced": "[S EP]", "special accented": "[SEP\u0301]", "special with null": "[S\0EP]", "special nested": "[[SEP]]",
    "continuation": "##ing", "unused": "[unused0]", "snake": "snake_case", "symbols": "$+<=>^`|~", "apostrophe": "don't",
    "copyright": "a\u00A9b", "Arabic question mark": "a\u061Db", "full stop 166D": "a\u166Db", "Greek question mark": "a\u037Eb",
    "100 characters": "a" * 100, "101 characters": "a" * 101, "100 after accents": "e\u0301" * 100, "101 after accents": "\u00E9" * 101,
    "removed do not count": "a\u200B" * 100, "unknown in the middle": "film\u20DDfilm",
    **{"ill-formed " + b.hex(): b"he" + b + b"llo" for b in
       [b"\xFF", b"\xC0\xAF", b"\xED\xA0\x80", b"\xF4\x90\x80\x80", b"\xE2\x82", b"\xF0\x9F\x98", b"\x80", b"\xE2\x82\xE2\x82\xAC"]},
}


def main():
    reference = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
    with open(HERE / "hostile_texts.jsonl", "w", encoding="ascii") as out:
        for name, text in TEXTS.items():
            data = text if isinstance(text, bytes) else text.encode()
            encoding = reference.encode(data.decode(errors="replace"), add_special_tokens=False)
            out.write(json.dumps({"name": name, "bytes": data.hex(), "ids": encoding.ids,
                                  "begin": [begin for begin, _ in encoding.offsets],
                                  "end": [end for _, end in encoding.offsets]}) + "\n")


if __name__ == "__main__":
    main()
