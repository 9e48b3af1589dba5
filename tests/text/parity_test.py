#!/usr/bin/env python3
"""Same ids, offsets, word ids, type ids and masks as the reference, tokenizers 0.23.3, on

- every Unicode scalar value, alone and inside `a?b`, with the model's own settings and with all others;
- real text: the lines of Python's standard library, and sentences in many scripts;
- hostile text: mixtures of everything that a tokenizer treats in some special way, with added tokens of every kind,
  pairs, all truncation settings, and windows.

And back: the same text for ids, with and without special tokens.

Everything is deterministic. usage: parity_test.py [--quick]
"""

import contextlib
import itertools
import os
import pathlib
import random
import struct
import subprocess
import sys
import sysconfig
import tempfile
from array import array

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

REFERENCE = "0.23.3"
ROOT = pathlib.Path(os.environ.get("DISTILBERT_SOURCE_DIR") or pathlib.Path(__file__).resolve().parents[2])
PROGRAM = pathlib.Path(os.environ["DISTILBERT_BIN"]) / "tests" / "tokenize_stream"
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SCALARS = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]

ENCODE, PAIR, WINDOWS, WINDOWS_OF_PAIR, APPEND_IDS, DECODE = range(6)
STRATEGIES = ["longest_first", "only_first", "only_second"]
SIDES = ["left", "right"]
BYTES, CODE_POINTS, UTF16 = range(3)

differences = 0
compared = 0


class Case:
    """A request: what to do with which texts, or, for DECODE, with which ids."""

    __slots__ = ("kind", "texts", "max_length", "stride", "strategy", "side", "special")

    def __init__(self, texts, kind=ENCODE, max_length=0, stride=0, strategy=0, side=1, special=True):
        self.texts, self.kind, self.max_length, self.stride = texts, kind, max_length, stride
        self.strategy, self.side, self.special = strategy, side, special

    def request(self, unit):
        head = struct.pack("<7I", self.kind, self.max_length, self.stride, self.strategy, self.side, self.special, unit)
        texts = (text.tobytes() if self.kind == DECODE else text.encode() for text in self.texts)
        return head + b"".join(struct.pack("<I", len(text)) + text for text in texts)

    def __str__(self):
        return (f"{ascii(self.texts)[:2000]} kind {self.kind} max_length {self.max_length} stride {self.stride} "
                f"{STRATEGIES[self.strategy]} {SIDES[self.side]} special {self.special}")


class Pair:
    """The reference and our program on the same tokenizer.json (or vocab.txt), side by side."""

    def __init__(self, reference, directory, arguments=()):
        self.reference, self.directory, self.arguments = reference, directory, list(arguments)

    def ours(self, cases, unit=CODE_POINTS):
        """For each case its encodings, each an array of integers; or an error code."""
        requests = b"".join(case.request(unit) for case in cases)
        done = subprocess.run([PROGRAM, self.directory, *self.arguments], input=requests, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"{PROGRAM} failed with status {done.returncode}: {done.stderr.decode(errors='replace')}")
        answers, at = array("i", done.stdout), 0
        for case in cases:
            count, at = answers[at], at + 1
            if count < 0:
                yield answers[at]
                at += 1
                continue
            encodings = []
            for _ in range(count):
                size = answers[at] * (1 if case.kind in (APPEND_IDS, DECODE) else 7)
                encodings.append(answers[at + 1:at + 1 + size])
                at += 1 + size
            yield encodings
        assert at == len(answers)

    def theirs(self, case):
        """The same from the reference; None where it refuses."""
        if case.max_length:
            self.reference.enable_truncation(case.max_length, stride=case.stride, strategy=STRATEGIES[case.strategy],
                                             direction=SIDES[case.side])
        else:
            self.reference.no_truncation()
        try:
            encoding = self.reference.encode(*case.texts, add_special_tokens=case.special)
        except KeyboardInterrupt:
            raise
        except BaseException:  # its panics are no Exceptions
            return None
        encodings = [encoding, *(encoding.overflowing if case.kind in (WINDOWS, WINDOWS_OF_PAIR) else [])]
        if case.max_length and any(len(e.ids) > case.max_length for e in encodings):
            return None  # a text that there is no room for at all comes back whole; ours is an error
        return [flatten(e, case.kind) for e in encodings]

    def compare(self, cases):
        with silent_panics():
            theirs = [self.theirs(case) for case in cases]
        for case, ours, expected in zip(cases, self.ours(cases), theirs):
            check(case, ours, expected)

    def compare_texts(self, texts):
        """Whole texts without truncation, in batches: the fast way through millions of them."""
        self.reference.no_truncation()
        for some in batches(texts, 20000):
            cases = [Case((text,)) for text in some]
            for case, ours, theirs in zip(cases, self.ours(cases), self.reference.encode_batch(some)):
                check(case, ours, [flatten(theirs, ENCODE)])

    def compare_decoding(self, sequences):
        """Ids to text, without special tokens and with them."""
        for special in (False, True):
            cases = [Case((array("i", ids),), DECODE, special=special) for ids in sequences]
            theirs = self.reference.decode_batch(sequences, skip_special_tokens=not special)
            for case, ours, text in zip(cases, self.ours(cases), theirs):
                check(case, ours, [array("i", list(text.encode()))])


@contextlib.contextmanager
def silent_panics():
    """The reference panics on a stride that is too large, and says so on standard error."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def flatten(encoding, kind):
    ids = encoding.ids
    if kind == APPEND_IDS:
        return array("i", ids)
    flat = array("i", bytes(28 * len(ids)))
    offsets = encoding.offsets
    flat[0::7] = array("i", ids)
    flat[1::7] = array("i", encoding.type_ids)
    flat[2::7] = array("i", [begin for begin, _ in offsets])
    flat[3::7] = array("i", [end for _, end in offsets])
    flat[4::7] = array("i", [-1 if word is None else word for word in encoding.word_ids])
    flat[5::7] = array("i", [-1 if sequence is None else sequence for sequence in encoding.sequence_ids])
    flat[6::7] = array("i", encoding.special_tokens_mask)
    return flat


def check(case, ours, theirs):
    global differences, compared
    compared += 1
    same = isinstance(ours, int) if theirs is None else ours == theirs
    if not same:
        differences += 1
        if differences <= 10:
            print(f"DIFFERENT: {case}\n  ours   {show(ours)}\n  theirs {show(theirs)}", flush=True)


def show(encodings):
    return encodings if not isinstance(encodings, list) else [e.tolist()[:70] for e in encodings[:3]]


def batches(items, size):
    items = iter(items)
    while some := list(itertools.islice(items, size)):
        yield some


# --- tokenizers ------------------------------------------------------------------------------------------------------


def build(directory, vocabulary, added=(), max_characters=100, **normalizer):
    """Writes a tokenizer.json and returns both sides of it."""
    reference = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=max_characters))
    reference.normalizer = normalizers.BertNormalizer(**normalizer)
    reference.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    reference.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(t, vocabulary[t]) for t in ("[CLS]", "[SEP]")])
    reference.decoder = decoders.WordPiece()
    reference.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIALS])
    reference.add_tokens(list(added))
    directory.mkdir()
    reference.save(str(directory / "tokenizer.json"))
    return Pair(reference, directory)


def model_vocabulary():
    lines = (ROOT / "models/sst2/vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    return {line.rstrip(): i for i, line in enumerate(lines)}


def cased_vocabulary():
    """Letters of many scripts with and without accents, in both cases, and some words: whatever survives is seen."""
    letters = [chr(c) for c in itertools.chain(range(0x21, 0x7F), range(0xC0, 0x250), range(0x370, 0x530))]
    words = ["The", "the", "film", "Film", "Istanbul", "istanbul", "na\u00EFve", "naive", "\u4E2D", "\u4E2D\u6587"]
    tokens = [*SPECIALS, *words, *letters, *("##" + c for c in letters), "##ing", "##ed", "un", "##aff", "##able"]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


# --- hostile text ----------------------------------------------------------------------------------------------------

SPACES = [" ", "  ", "\t", "\n", "\r\n", "\u00A0", "\u1680", "\u2003", "\u2028", "\u202F", "\u205F", "\u3000"]
REMOVED = ["\0", "\uFFFD", "\x01", "\x0B", "\x0C", "\x1B", "\x1F", "\x7F", "\x80", "\x85", "\u00AD", "\u180E", "\u200B",
           "\u200C", "\u200D", "\u200E", "\u202E", "\u2060", "\u2066", "\u2069", "\uFEFF", "\uE000", "\uF8FF",
           "\U000E0001", "\U000E0041", "\U000F0000", "\U0010FFFD"]
UNASSIGNED = ["\u0378", "\uFFFE", "\uFFFF", "\uFDD0", "\U0001FFFF", "\U0002A6E0", "\U00031350"]
MARKS = ["\u0301", "\u0308", "\u0327", "\u0315", "\u0316", "\u0345", "\u0334", "\u0344", "\u0F71", "\u0F72", "\u0F73",
         "\u0F39", "\u05B0", "\u064B", "\u3099", "\uFE0F", "\U000E0100", "\U0001D165", "\U0001D16E", "\u302E", "\u302F",
         "\u20DD", "\u0903", "\u09BE", "\u1037", "\u0D4D", "\u1A60", "\u1CF4", "\u0D3B", "\u1ABF", "\u08D3", "\U00011938",
         "\U00016FF0", "\U0001E136", "\U00010D24", "\U0001E2EC"]
LETTERS = ["a", "b", "E", "Z", "\u00E9", "\u00C5", "\u212B", "\u212A", "\u0130", "\u00DF", "\u1E9E", "\u03A3", "\u03C2",
           "\u1C90", "\u10D0", "\uFB01", "\u00B2", "\u2460", "\uFF21", "\U0001D400", "\u1F82", "\u01D5", "\u0958",
           "\u0CCB", "\uAC00", "\uD55C", "\u1100", "\u1161", "\u11A8", "\u30AC", "\u3042", "\u0E33", "\u05D0", "\u0634",
           "\uA7C2", "\U00010400", "\U0001E900", "\u2C2F", "\u0F43", "\U0001D15E", "\U0001D1BC", "\u2ADC"]
CHINESE = ["\u4E00", "\u9FFF", "\u3400", "\u4DBF", "\U00020000", "\U0002A6DF", "\U0002A700", "\U0002B81F", "\U0002B820",
           "\U0002B91F", "\U0002B920", "\U0002CEAF", "\U0002CEB0", "\U00030000", "\uF900", "\U0002F800", "\u2E80"]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["\u00A1", "\u00A9", "\u00BF", "\u037E", "\u061D", "\u166D",
              "\u1FEF", "\u2014", "\u2026", "\u3001", "\uFF01", "\uFF5E", "\u2E52", "\U00010F55"]
EMOJI = ["\U0001F600", "\U0001F468\u200D\U0001F469\u200D\U0001F467", "\U0001F1E9\U0001F1EA", "3\uFE0F\u20E3",
         "\U0001F44D\U0001F3FD", "\u2764\uFE0F"]
WORDS = ["unaffable", "film", "Istanbul", "snake_case", "don't", "##ing", "[unused0]", "a" * 99, "a" * 100, "a" * 101,
         "\u00E9" * 100, "e\u0301" * 100, "x" * 400, "supercalifragilistic", "THE", "\u0130stanbul", "na\u00EFve"]
SPECIAL = [*SPECIALS, "[sep]", "[S EP]", "[S\0EP]", "[SEP\u0301]", "[", "]", "[[SEP]]", "[MASK", "SEP]"]
ADDED = ["<x>", "<y>", "<z>", "word", "Caf\u00E9 Noir", "caf\u00E9", "cafe", " q", "##r", "\uD55C", "\u1100", "aa", "aaa",
         "<n>", "\u4E2D\u6587", "I\u0307"]
CLASSES = [SPACES, SPACES, SPACES, REMOVED, UNASSIGNED, MARKS, MARKS, LETTERS, LETTERS, LETTERS, CHINESE, PUNCTUATION, EMOJI,
           WORDS, SPECIAL, ADDED]


def hostile(chance):
    pieces = []
    for _ in range(chance.randrange(1, 14)):
        shape = chance.randrange(12)
        if shape == 0:
            pieces.append(chance.choice(SCALARS))
        elif shape == 1:
            pieces.append("".join(chance.choice(MARKS) for _ in range(chance.randrange(1, 9))))
        elif shape == 2:
            pieces.append(chance.choice(chance.choice(CLASSES)) * chance.randrange(1, 5))
        else:
            pieces.append(chance.choice(chance.choice(CLASSES)))
    return "".join(pieces)


def hostile_case(chance, small):
    """Any of the five calls with any options that make sense, on one or two hostile texts."""
    kind = chance.randrange(5)
    text = " ".join(hostile(chance) for _ in range(chance.randrange(1, 4)))
    if kind == APPEND_IDS:
        return Case((text,), kind, chance.choice([0, 2, 3, 4, 7, 16]))
    texts = (text, hostile(chance)) if kind in (PAIR, WINDOWS_OF_PAIR) else (text,)
    special = chance.random() < 0.8
    least = (3 if len(texts) == 2 else 2) if special else 1
    if kind in (ENCODE, PAIR):
        return Case(texts, kind, chance.choice([0, least, least + chance.randrange(small)]), 0, chance.randrange(3),
                    chance.randrange(2), special)
    max_length = (least if special else 0) + chance.randrange(1, small)
    stride = chance.randrange(max(1, max_length - 2))  # all that the reference takes for one text
    return Case(texts, kind, max_length, stride, chance.randrange(3), chance.randrange(2), special)


def hostile_vocabulary():
    """Every special character as a token of its own, so that none hides in an unknown word."""
    characters = dict.fromkeys(c for item in itertools.chain(*CLASSES) for form in (item, item.lower()) for c in form)
    decomposed = dict.fromkeys(c for item in characters for c in normalizers.NFD().normalize_str(item))
    letters = [c for c in dict.fromkeys([*characters, *decomposed]) if not c.isspace()]
    letters = [c for c in letters if ord(c) % 13]  # some stay unknown
    tokens = [*SPECIALS, *letters, *("##" + c for c in letters), "film", "un", "##aff", "##able", "##ing", "##\u0903a"]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def added_tokens():
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [AddedToken("<x>", **{**plain, "lstrip": True}), AddedToken("<y>", **{**plain, "rstrip": True}),
            AddedToken("<z>", **{**plain, "lstrip": True, "rstrip": True}),
            AddedToken("word", **{**plain, "single_word": True}), AddedToken("Caf\u00E9 Noir", **{**plain, "normalized": True}),
            AddedToken("cafe", **{**plain, "normalized": True, "single_word": True}), AddedToken(" q", **plain),
            AddedToken("##r", **plain), AddedToken("\uD55C", **{**plain, "normalized": True}),
            AddedToken("\u1100", **{**plain, "normalized": True}), AddedToken("aa", **plain), AddedToken("aaa", **plain),
            AddedToken("<n>", **{**plain, "normalized": True, "lstrip": True, "rstrip": True}),
            AddedToken("\u4E2D\u6587", **{**plain, "normalized": True})]


# --- real text -------------------------------------------------------------------------------------------------------

SENTENCES = [
    "The film is a joy from first to last.", "Two hours I will not get back!", "It's neither funny nor sad - just long.",
    "Ein wundersch\u00F6ner Film, der \u00FCberrascht und r\u00FChrt.", "Stra\u00DFe, Gr\u00F6\u00DFe, \u00C4rger: ALLES GRO\u1E9E.",
    "Un film na\u00EFf, \u00E0 l'\u00E2me d'enfant, o\u00F9 l'on s'ennuie.", "\u00BFQu\u00E9 pas\u00F3 ma\u00F1ana? \u00A1Nada!",
    "A a\u00E7\u00E3o come\u00E7a n\u00E3o se sabe onde.", "Zimn\u00FD ve\u010Der, \u017Elu\u0165ou\u010Dk\u00FD k\u016F\u0148.",
    "Za\u017C\u00F3\u0142\u0107 g\u0119\u015Bl\u0105 ja\u017A\u0144.", "\u0130stanbul'da \u0131\u015F\u0131k, I\u011Fd\u0131r'da \u0131rmak.",
    "\u0424\u0438\u043B\u044C\u043C \u043E\u0447\u0435\u043D\u044C \u0445\u043E\u0440\u043E\u0448\u0438\u0439, \u0451\u043B\u043A\u0438!",
    "\u0407\u0436\u0430\u043A \u0457\u0441\u0442\u044C \u0491\u0440\u0443\u0448\u0443.",
    "\u0397 \u03C4\u03B1\u03B9\u03BD\u03AF\u03B1 \u03B5\u03AF\u03BD\u03B1\u03B9 \u03BA\u03B1\u03BB\u03AE; \u039F\u0394\u039F\u03A3.",
    "\u05D4\u05E1\u05B6\u05E8\u05B6\u05D8 \u05D4\u05D6\u05B6\u05D4 \u05D8\u05D5\u05B9\u05D1.",
    "\u0647\u0630\u0627 \u0627\u0644\u0641\u0650\u064A\u0644\u0645\u064F \u062C\u064E\u0645\u0650\u064A\u0644\u064C \u062C\u0650\u062F\u0651\u064B\u0627\u061F",
    "\u06CC\u06A9 \u0641\u06CC\u0644\u0645 \u062E\u0648\u0628 \u0645\u06CC\u200C\u0633\u0627\u0632\u062F.",
    "\u092F\u0939 \u092B\u093C\u093F\u0932\u094D\u092E \u0905\u091A\u094D\u091B\u0940 \u0939\u0948\u0964",
    "\u098F\u0987 \u099B\u09AC\u09BF\u099F\u09BF \u09AD\u09BE\u09B2\u09CB\u0964", "\u0B87\u0BA8\u0BCD\u0BA4 \u0BAA\u0B9F\u0BAE\u0BCD.",
    "\u0E2B\u0E19\u0E31\u0E07\u0E40\u0E23\u0E37\u0E48\u0E2D\u0E07\u0E19\u0E35\u0E49\u0E14\u0E35\u0E21\u0E32\u0E01",
    "\u8FD9\u90E8\u7535\u5F71\u5F88\u597D\u770B\uFF0C\u6211\u559C\u6B22\u3002", "\u3053\u306E\u6620\u753B\u306F\u3059\u3070\u3089\u3057\u3044\u3067\u3059\uFF01",
    "\uC774 \uC601\uD654\uB294 \uC815\uB9D0 \uC88B\uC544\uC694.", "Phim n\u00E0y r\u1EA5t hay, t\u00F4i th\u00EDch l\u1EAFm!",
    "\u10D4\u10E1 \u1E4D\u0323 \u10E4\u10D8\u10DA\u10DB\u10D8 \u1C99\u1C90\u1CA0\u1C92\u10D8\u10D0.", "\u0535\u057D \u057D\u056B\u0580\u0578\u0582\u0574 \u0565\u0574 \u0561\u0575\u057D \u0586\u056B\u056C\u0574\u0568\u0589",
    "\u12ED\u1205 \u134A\u120D\u121D \u1325\u1229 \u1290\u12CD\u1362", "\u0F56\u0F7C\u0F51\u0F0B\u0F61\u0F72\u0F42 \u0F58\u0F73\u0F0D",
    "10\u20AC for 2\u00BD hours, 50 % off \u2014 \u201Cgreat\u201D \u2026 \u2665\uFE0F\U0001F44D\U0001F3FD", "e=mc\u00B2 \u2260 \u221E; x\u2081 + y\u207F \u2264 z",
]


def lines_of_the_standard_library():
    for path in sorted(pathlib.Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if "site-packages" in path.parts or "dist-packages" in path.parts:
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line and not line.isspace():
                yield line


def real_texts(count):
    yield from SENTENCES
    for first, second in itertools.permutations(SENTENCES, 2):
        yield first + " " + second
    lines = itertools.cycle(list(dict.fromkeys(lines_of_the_standard_library())))
    chance = random.Random(1)
    for _ in range(count):
        yield " ".join(itertools.islice(lines, chance.choice([1, 1, 1, 1, 2, 3])))


# --- the test --------------------------------------------------------------------------------------------------------


def report(what, since):
    print(f"{what}: {compared - since:,} compared, {differences} differences in all", flush=True)
    return compared


def compare_units(pair, texts):
    """Positions in bytes and UTF-16 units are those in code points, counted otherwise."""
    cases = [Case((text,)) for text in texts]
    for unit, code in ((BYTES, "utf-8"), (UTF16, "utf-16-le")):
        size = 1 if unit == BYTES else 2
        for case, ours, points in zip(cases, pair.ours(cases, unit), pair.ours(cases)):
            text, expected = case.texts[0], points[0]
            position = list(itertools.accumulate((len(c.encode(code)) // size for c in text), initial=0))
            for column in (2, 3):
                expected[column::7] = array("i", [position[i] for i in expected[column::7]])
            check(case, ours, [expected])




def main():
    quick = "--quick" in sys.argv[1:]
    if tokenizers.__version__ != REFERENCE:
        sys.exit(f"tokenizers {REFERENCE} is the reference, this is {tokenizers.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        vocabulary = model_vocabulary()
        uncased = build(scratch / "uncased", vocabulary)
        settings = {
            "cased": {"lowercase": False},
            "cased without accents": {"lowercase": False, "strip_accents": True},
            "uncased with accents": {"strip_accents": False},
            "unspaced Chinese": {"handle_chinese_chars": False},
            "unclean": {"clean_text": False, "lowercase": False},
        }
        cased_words = cased_vocabulary()
        others = {name: build(scratch / name, cased_words, **normalizer) for name, normalizer in settings.items()}
        everything = build(scratch / "everything", hostile_vocabulary(), added_tokens(), max_characters=20)
        hidden = Pair(Tokenizer.from_file(str(scratch / "everything" / "tokenizer.json")), scratch / "everything",
                      ["--encode-special-tokens"])
        hidden.reference.encode_special_tokens = True
        shipped = Pair(uncased.reference, ROOT / "models/sst2")  # read from vocab.txt

        known = Case(("I love this film",))
        assert uncased.theirs(known)[0][0::7].tolist() == [101, 1045, 2293, 2023, 2143, 102]
        done = 0
        step = 97 if quick else 1
        for pair, form in ((shipped, "{}"), (shipped, "a{}b")):
            pair.compare_texts(form.format(c) for c in SCALARS[::step])
            done = report(f"scalar values as {form}", done)
        for name, pair in [("hidden", hidden), ("everything", everything), *others.items()]:
            words = (f"a{c}b" for c in SCALARS[::step])
            pair.compare_texts(" ".join(some) for some in batches(words, 16))
            done = report(f"scalar values as a{{}}b, {name}", done)

        shipped.compare_texts(real_texts(1000 if quick else 100000))
        done = report("real text", done)
        chance = random.Random(2)
        for pair, count in ((shipped, 40000), (everything, 30000), (hidden, 10000), *((p, 4000) for p in others.values())):
            pair.compare_texts([hostile(chance) for _ in range(count // step)])
        done = report("hostile text", done)
        for pair in (shipped, everything, hidden):
            pair.compare([hostile_case(chance, 12) for _ in range(10000 // step)])
        done = report("truncation, pairs and windows", done)
        for pair in (shipped, everything, others["cased"]):
            ids = range(pair.reference.get_vocab_size())
            pair.compare_decoding([[i] for i in ids][::step] + [[i, i] for i in ids][::step] +
                                  [[chance.choice(ids) for _ in range(chance.randrange(30))] for _ in range(30000 // step)])
            pair.reference.no_truncation()
            texts = [hostile(chance) for _ in range(10000 // step)] + SENTENCES
            pair.compare_decoding([e.ids for e in pair.reference.encode_batch(texts)])
        done = report("ids back to text", done)
        compare_units(everything, [hostile(chance) for _ in range(3000 // step)])
        report("units of offsets", done)
    print(f"{compared:,} compared, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
