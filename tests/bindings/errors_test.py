"""Every wrong use is a clear exception, and the library works on afterwards."""

import builtins
import copy
import errno
import os
import pickle
import sys
import types

import numpy as np
import pytest
import tiny_model

import distilbert
from distilbert import DistilBertModel, Error, TextClassifier, Tokenizer


@pytest.fixture(scope="module", params=["__call__", "logits"])
def call(request, tiny):
    return getattr(TextClassifier.from_pretrained(tiny), request.param)


@pytest.mark.parametrize(
    "texts, sentence",
    [
        (None, "NoneType found"),
        (b"good", "bytes found"),
        (bytearray(b"good"), "bytearray found"),
        (7, "int found"),
        (["good", None], "text 1: str expected, NoneType found"),
        (["good", b"bad"], "text 1: str expected, bytes found"),
        (["good", 7], "text 1: str expected, int found"),
        (["good", ["bad"]], "text 1: str expected, list found"),
    ],
)
def test_what_is_no_text(call, texts, sentence):
    with pytest.raises(TypeError, match=sentence):
        call(texts)


@pytest.mark.parametrize("pair", [("one",), ("one", "two", "three"), "one", None])
def test_what_is_no_pair(sentiment, pair):
    with pytest.raises(TypeError, match="text 1: a pair of texts expected"):
        sentiment([("one", "two"), pair])


@pytest.mark.parametrize("depth", [1, 1000, 100_000])
def test_nested_lists(sentiment, depth):
    nested = ["text"]
    for _ in range(depth):
        nested = [nested]
    with pytest.raises(TypeError, match="text 0: str expected, list found"):
        sentiment(nested)
    while isinstance(nested, list):  # taken apart by hand: some Pythons recurse to free it
        nested = nested[0]


def test_lone_surrogates(call):
    with pytest.raises(ValueError, match="not valid UTF-8: ill-formed at byte 5") as caught:
        call("good \ud800 film")
    assert isinstance(caught.value, distilbert.InvalidInputError)
    assert caught.value.code == "invalid_utf8"
    with pytest.raises(ValueError, match="text 1: ill-formed at byte 0"):
        call(["good", "\udfff"])


def test_texts_are_counted_from_the_start_of_the_call(sentiment):
    texts = ["good"] * 5_000 + ["\ud800"] + ["bad"] * 3
    with pytest.raises(ValueError, match="text 5000: ill-formed at byte 0"):
        sentiment(texts)


@pytest.mark.parametrize(
    "ids, exception, sentence",
    [
        ([[2, 99, 3]], ValueError, "text 0 has the token id 99"),
        ([[2, 3], [2, -1, 3]], ValueError, "text 1 has the token id -1"),
        ([[2, 2**40, 3]], ValueError, "token id 1099511627776"),
        ([[]], ValueError, "text 0 has no tokens"),
        ([[2] * 41], ValueError, "text 0 has 41 tokens"),
        ([[2.5, 3.0]], TypeError, "float64"),
        ([[True, False]], TypeError, "bool"),
        ([[2, 2**70]], TypeError, "object"),
        ([[[2, 3]]], TypeError, "2 axes"),
        ([["good"]], TypeError, "one axis of integers"),
        ([[2, 3], "good"], TypeError, "text 1: token ids expected"),
        ([2, 3], TypeError, "text 0: token ids expected"),
    ],
)
def test_token_ids(tiny, ids, exception, sentence):
    with pytest.raises(exception, match=sentence):
        TextClassifier.from_pretrained(tiny).logits(ids)
    with pytest.raises(exception, match=sentence):
        DistilBertModel.from_pretrained(tiny)(ids)


def test_an_error_of_the_iterable_comes_through(call):
    def texts():
        yield "good"
        raise LookupError("the source broke")

    with pytest.raises(LookupError, match="the source broke"):
        call(texts())


@pytest.mark.parametrize("load", [TextClassifier.from_pretrained, DistilBertModel.from_pretrained])
def test_what_is_no_model(load, tmp_path, tiny):
    with pytest.raises(FileNotFoundError, match="config.json") as caught:
        load(tmp_path)
    assert isinstance(caught.value, Error)
    assert caught.value.code == "file_not_found"
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(Error, match="config.json") as caught:
        load(tmp_path)
    assert caught.value.code in ("invalid_config", "unsupported_architecture")
    (tmp_path / "config.json").write_bytes((tiny / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(Error):
        load(tmp_path)


def test_weights_that_are_not_numbers(tmp_path, weights):
    broken = {name: tensor.copy() for name, tensor in weights.items()}
    broken["classifier.weight"][1, 2] = np.nan
    directory = tiny_model.write(tmp_path, broken)
    with pytest.raises(Error, match='"classifier"') as caught:
        TextClassifier.from_pretrained(directory, check_finite=True)
    assert caught.value.code == "non_finite_weight"
    with pytest.raises(Error) as caught:
        TextClassifier.from_pretrained(directory)("good")
    assert caught.value.code == "non_finite_result"


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"precision": "fp8"}, 'precision is "fp8", possible are "fp32", "bf16", "int8"'),
        ({"memory": "disk"}, 'memory is "disk"'),
        ({"invalid_utf8": "ignore"}, 'invalid_utf8 is "ignore"'),
        ({"isa": "sse9"}, 'asked for "sse9"'),
        ({"threads": 100_000}, "100000"),
        ({"threads": -1}, "-1 is not a number from 0 to"),
        ({"threads": 2**70}, "1180591620717411303424 is not a number from 0 to"),
        ({"max_length": 1}, "max_length 1"),
        ({"max_length": 41}, "max_length 41"),
        ({"precision": "int8", "sum_bits": 17}, "17"),
    ],
)
def test_options(tiny, options, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        TextClassifier.from_pretrained(tiny, **options)
    assert isinstance(caught.value, Error)


@pytest.mark.parametrize("stride, exception", [(-1, ValueError), ("one", TypeError), (1.5, TypeError)])
def test_a_wrong_number_does_not_bring_the_texts_with_it(tiny, stride, exception):
    with pytest.raises(exception) as caught:
        TextClassifier.from_pretrained(tiny)(["marmalade"] * 3, stride=stride)
    assert "marmalade" not in str(caught.value)


def test_an_unknown_keyword_does_not_bring_the_texts_with_it(tiny):
    classifier = TextClassifier.from_pretrained(tiny)
    with pytest.raises(TypeError, match=r"__call__\(\) does not take these arguments: \(list, strid=int\)"):
        classifier(["marmalade"] * 3, strid=3)
    with pytest.raises(TypeError, match=r"set_isa\(\) does not take these arguments: \(int\)"):
        distilbert.set_isa(5)
    with pytest.raises(TypeError, match=r"from_pretrained\(\) does not take these arguments: \(str, precision=int\)"):
        TextClassifier.from_pretrained("marmalade", precision=8)


def test_what_yields_names_is_no_iterable_of_texts(call):
    for names in ({"good": 1}, types.MappingProxyType({"good": 1})):
        with pytest.raises(TypeError, match="found, which yields names"):
            call(names)


def test_a_model_that_cannot_be_loaded_changes_no_instruction_set(tiny, tmp_path):
    before = distilbert.isa()
    for directory in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError):
            TextClassifier.from_pretrained(directory, isa="portable")
        assert distilbert.isa() == before
    TextClassifier.from_pretrained(tiny, isa="portable")
    try:
        assert distilbert.isa() == "portable"
    finally:
        distilbert.set_isa(before)


def test_a_path_that_is_not_utf_8(tmp_path):
    directory = os.fsdecode(os.fsencode(tmp_path) + b"/no\xffsuch")
    with pytest.raises(FileNotFoundError) as caught:
        TextClassifier.from_pretrained(directory)
    assert directory in str(caught.value) and caught.value.errno == errno.ENOENT


def test_types_of_options(tiny):
    for options in ({"threads": "two"}, {"threads": 1.0}, {"precision": 8}, {"colour": "red"}):
        with pytest.raises(TypeError):
            TextClassifier.from_pretrained(tiny, **options)
    for directory in (None, 7):
        with pytest.raises(TypeError):
            TextClassifier.from_pretrained(directory)


def test_tokenizer(sst2, tmp_path):
    tokenizer = Tokenizer.from_pretrained(sst2)
    for text in (None, b"good", 7, [None], [["nested"]], [("one", "two", "three")], [("one", None, None)]):
        with pytest.raises(TypeError):
            tokenizer.encode(text)
    with pytest.raises(ValueError, match="truncation is"):
        tokenizer.encode("good", truncation="middle")
    with pytest.raises(ValueError) as caught:
        tokenizer.encode("good", max_length=1)
    assert caught.value.code == "invalid_truncation"
    with pytest.raises(ValueError, match="text 1: ill-formed"):
        tokenizer.encode(["good", "\ud800"])
    with pytest.raises(ValueError) as caught:
        tokenizer.encode_windows("one two three", max_length=3, stride=1)
    assert caught.value.code == "invalid_truncation"
    with pytest.raises(ValueError, match="30522"):
        tokenizer.token(30522)
    with pytest.raises(ValueError):
        tokenizer.decode([-1])
    with pytest.raises(FileNotFoundError):
        Tokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", [name for name, thing in vars(distilbert._core).items()
                                  if isinstance(thing, type) and not issubclass(thing, BaseException)])  # fmt: skip
def test_no_object_is_without_a_value(name):
    """pybind11 makes such objects, and reads memory at random when they are used."""
    thing = getattr(distilbert, name)
    loads = hasattr(thing, "from_pretrained")
    with pytest.raises(TypeError, match="has no constructor" + (": use from_pretrained" if loads else "")) as caught:
        thing("a secret text")
    assert "secret" not in str(caught.value)
    for base in (thing, thing.__base__, object):
        with pytest.raises(TypeError, match="not safe"):
            base.__new__(thing)
    with pytest.raises(TypeError, match="has no constructor"):
        type("Both", (distilbert.Tokenizer, thing) if thing is not distilbert.Tokenizer else (thing,), {})()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_can_be_pickled_and_what_cannot(sentiment, protocol):
    answer, encoding = sentiment("a film"), sentiment.tokenizer.encode("a film")
    for thing in (answer, encoding):
        for other in (pickle.loads(pickle.dumps(thing, protocol)), copy.copy(thing), copy.deepcopy(thing)):
            assert type(other) is type(thing) and repr(other) == repr(thing)
    for thing in (sentiment, sentiment.tokenizer):
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(thing, protocol)


def test_an_error_of_ones_own_has_a_code():
    assert Error("mine").code == distilbert.InvalidInputError("mine").code == "unknown"


def test_errors_can_be_pickled():
    with pytest.raises(Error) as caught:
        distilbert.set_isa("sse9")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is distilbert.InvalidInputError
    assert (str(copy), copy.code) == (str(caught.value), "unsupported_isa")


def test_progress_without_tqdm(sentiment, monkeypatch):
    def no_tqdm(name, *rest):
        if name.startswith("tqdm"):
            raise ModuleNotFoundError("No module named 'tqdm'")
        return real_import(name, *rest)

    real_import = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", no_tqdm)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"pip install 'distilbert-cpp\[progress\]'"):
        sentiment(["good"], progress=True)
