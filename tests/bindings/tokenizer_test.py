"""Tokenizer: ids, offsets as Python counts them, windows, and the way back to text."""

import pickle

import numpy as np
import pytest

from distilbert import Tokenizer


@pytest.fixture(scope="module")
def tokenizer(sst2):
    return Tokenizer.from_pretrained(sst2)


def test_one_text(tokenizer):
    encoding = tokenizer.encode("Unaffable films!")
    assert encoding.ids.tolist() == [101, 14477, 20961, 3468, 3152, 999, 102]
    assert encoding.ids.dtype == np.int32
    assert encoding.offsets.tolist() == [[0, 0], [0, 3], [3, 6], [6, 9], [10, 15], [15, 16], [0, 0]]
    assert encoding.word_ids.tolist() == [-1, 0, 0, 0, 1, 2, -1]
    assert encoding.type_ids.tolist() == [0] * 7
    assert encoding.sequence_ids.tolist() == [-1, 0, 0, 0, 0, 0, -1]
    assert encoding.special_tokens_mask.tolist() == [1, 0, 0, 0, 0, 0, 1]
    assert not encoding.truncated
    assert len(encoding) == 7


@pytest.mark.parametrize("text", ["na\u00efve caf\u00e9 \U0001f600 film", "\u4f60\u597d, e\u0301t\u00e9"])
def test_offsets_slice_the_text(tokenizer, text):
    encoding = tokenizer.encode(text)
    words = {}
    for word, (begin, end) in zip(encoding.word_ids.tolist(), encoding.offsets.tolist()):
        if word >= 0:
            words.setdefault(word, []).append(text[begin:end])
    assert "".join("".join(pieces) for pieces in words.values()) == text.replace(" ", "")


def test_pair(tokenizer):
    encoding = tokenizer.encode("one", "two three")
    assert [tokenizer.token(i) for i in encoding.ids] == ["[CLS]", "one", "[SEP]", "two", "three", "[SEP]"]
    assert encoding.type_ids.tolist() == [0, 0, 0, 1, 1, 1]
    assert encoding.sequence_ids.tolist() == [-1, 0, -1, 1, 1, -1]
    assert encoding.offsets.tolist() == [[0, 0], [0, 3], [0, 0], [0, 3], [4, 9], [0, 0]]


def test_many(tokenizer):
    texts = ["one", ("one", "two"), ""]
    encodings = tokenizer.encode(texts)
    expected = [tokenizer.encode("one"), tokenizer.encode("one", "two"), tokenizer.encode("")]
    assert [e.ids.tolist() for e in encodings] == [e.ids.tolist() for e in expected]
    assert tokenizer.encode([]) == []
    assert len(tokenizer.encode(iter(["one"] * 3000))) == 3000


def test_truncation(tokenizer):
    text = "one two three four five"
    right = tokenizer.encode(text, max_length=4)
    left = tokenizer.encode(text, max_length=4, side="left")
    assert tokenizer.decode(right.ids) == "one two"
    assert tokenizer.decode(left.ids) == "four five"
    assert right.truncated and left.truncated
    assert tokenizer.encode(text, add_special_tokens=False, max_length=4).ids.tolist() == [2028, 2048, 2093, 2176]
    pair = tokenizer.encode("one", text, max_length=6, truncation="only_second")
    assert tokenizer.decode(pair.ids) == "one one two"


def test_windows(tokenizer):
    windows = tokenizer.encode_windows("one two three four five", max_length=5, stride=1)
    assert [tokenizer.decode(window.ids) for window in windows] == ["one two three", "three four five"]
    assert [window.offsets[1, 0] for window in windows] == [0, 8]


def test_tokens_ids_and_back(tokenizer):
    assert tokenizer.vocabulary_size == 30522
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id) == (
        0, 100, 101, 102, 103)  # fmt: skip
    assert tokenizer.token(tokenizer.id("film")) == "film"
    assert tokenizer.id("no such token") is None
    ids = tokenizer.encode("A film, unaffable.").ids
    assert tokenizer.decode(ids) == tokenizer.decode(ids.tolist()) == "a film, unaffable."
    assert tokenizer.decode(ids, skip_special_tokens=False) == "[CLS] a film, unaffable. [SEP]"


def test_lone_surrogates_can_be_replaced(sst2):
    tokenizer = Tokenizer.from_pretrained(sst2, invalid_utf8="replace")
    encoding = tokenizer.encode("good \ud800 film")
    assert tokenizer.decode(encoding.ids) == "good film"
    assert encoding.offsets.tolist() == [[0, 0], [0, 4], [7, 11], [0, 0]]


def test_an_encoding_can_be_pickled(tokenizer):
    encoding = tokenizer.encode("one", "two three", max_length=5)
    copy = pickle.loads(pickle.dumps(encoding))
    for name in ("ids", "type_ids", "offsets", "word_ids", "sequence_ids", "special_tokens_mask"):
        np.testing.assert_array_equal(getattr(copy, name), getattr(encoding, name))
    assert copy.truncated and encoding.truncated


def test_the_tokenizer_of_a_model_lives_as_long_as_it_is_used(sentiment, tokenizer):
    assert sentiment.tokenizer.encode("a film").ids.tolist() == tokenizer.encode("a film").ids.tolist()
