"""Every wrong use of every head is a clear exception, and the head works on afterwards."""

import shutil

import numpy as np
import pytest
from golden import model
from safetensors.numpy import load_file, save_file

import distilbert
from distilbert import (
    DistilBertModel,
    Error,
    MaskedLM,
    MultipleChoice,
    QuestionAnswerer,
    SentenceEmbedder,
    TextClassifier,
    TokenClassifier,
    ZeroShotClassifier,
)

# Each head with a model, a call of one input, and a good input.
HEADS = {
    "TextClassifier": (TextClassifier, "distilbert_topics", lambda head, text: head(text), "fine"),
    "pairs": (TextClassifier, "bert_pairs", lambda head, text: head([("first", text)]), "fine"),
    "DistilBertModel": (DistilBertModel, "distilbert_encoder", lambda head, text: head(text), "fine"),
    "cls": (DistilBertModel, "distilbert_encoder", lambda head, text: head.cls(text), "fine"),
    "inspect": (DistilBertModel, "distilbert_encoder", lambda head, text: head.inspect(text), "fine"),
    "SentenceEmbedder": (SentenceEmbedder, "distilbert_mean_embedder", lambda head, text: head(text), "fine"),
    "TokenClassifier": (TokenClassifier, "distilbert_ner", lambda head, text: head(text), "fine"),
    "question": (QuestionAnswerer, "distilbert_qa", lambda head, text: head(text, "context"), "fine"),
    "context": (QuestionAnswerer, "distilbert_qa", lambda head, text: head("question", text), "fine"),
    "MaskedLM": (MaskedLM, "distilbert_mlm", lambda head, text: head(text), "a [MASK]"),
    "prompt": (MultipleChoice, "distilbert_multiple_choice", lambda head, text: head(text, ["a", "b"]), "fine"),
    "choice": (MultipleChoice, "distilbert_multiple_choice", lambda head, text: head("a", ["b", text]), "fine"),
    "ZeroShotClassifier": (ZeroShotClassifier, "distilbert_nli", lambda head, text: head(text, ["a"]), "fine"),
    "label": (ZeroShotClassifier, "distilbert_nli", lambda head, text: head("text", ["a", text]), "fine"),
}


@pytest.fixture(scope="module", params=HEADS)
def call(request):
    head, key, call, good = HEADS[request.param]
    loaded = head.from_pretrained(model(key), threads=1)
    call(loaded, good)
    yield lambda text: call(loaded, text)
    call(loaded, good)


@pytest.mark.parametrize("text", [None, b"bytes", 7, 2.5, object(), [None], ["a", b"b"], [["a"]], {"a": 1}.items()])
def test_what_is_no_text(call, text):
    with pytest.raises(TypeError) as caught:
        call(text)
    assert len(str(caught.value)) > 20


def test_lone_surrogates(call):
    with pytest.raises(ValueError) as caught:
        call("good \ud800 film [MASK]")
    assert "UTF-8" in str(caught.value) or "surrogates" in str(caught.value)


def test_nested_lists(call):
    nested = ["text"]
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(TypeError):
        call(nested)
    while isinstance(nested, list):
        nested = nested[0]


LOADERS = sorted({head for head, *_ in HEADS.values()}, key=lambda head: head.__name__)


@pytest.mark.parametrize("head", LOADERS)
def test_what_is_no_model(head, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        head.from_pretrained(tmp_path / "nowhere")
    assert isinstance(caught.value, Error)
    with pytest.raises(FileNotFoundError, match="config.json"):
        head.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="directory is an empty path"):
        head.from_pretrained("")
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(Error, match="config.json"):
        head.from_pretrained(tmp_path)
    for directory in (None, 7, b"\0", ["a"]):
        with pytest.raises((TypeError, ValueError)):
            head.from_pretrained(directory)


@pytest.mark.parametrize("head", [head for head in LOADERS if head not in (DistilBertModel, SentenceEmbedder)])
def test_a_model_without_that_head(head):
    with pytest.raises(Error) as caught:
        head.from_pretrained(model("distilbert_encoder"))
    assert caught.value.code in ("missing_tensor", "unsupported_architecture", "invalid_config", "wrong_shape")


@pytest.mark.parametrize("name", HEADS)
def test_weights_that_are_not_numbers(name, tmp_path):
    head, key, call, good = HEADS[name]
    source = model(key)
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    weights = load_file(source / "model.safetensors")
    broken = next(weight for weight in sorted(weights) if weight.endswith("word_embeddings.weight"))
    weights[broken] = np.full_like(weights[broken], np.nan)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Error) as caught:
        call(head.from_pretrained(tmp_path), good)
    assert caught.value.code == "non_finite_result"
    with pytest.raises(Error, match="word_embeddings") as caught:
        head.from_pretrained(tmp_path, check_finite=True)
    assert caught.value.code == "non_finite_weight"


def test_empty_lists():
    assert TextClassifier.from_pretrained(model("distilbert_topics"))([]) == []
    assert TokenClassifier.from_pretrained(model("distilbert_ner"))([]) == []
    assert MaskedLM.from_pretrained(model("distilbert_mlm"))([]) == []
    zero_shot = ZeroShotClassifier.from_pretrained(model("distilbert_nli"))
    assert zero_shot([], ["a"]) == []
    with pytest.raises(ValueError, match="no labels"):
        zero_shot("text", [])
    with pytest.raises(ValueError, match="no choices"):
        MultipleChoice.from_pretrained(model("distilbert_multiple_choice"))("prompt", [])
    with pytest.raises(ValueError, match="no targets"):
        MaskedLM.from_pretrained(model("distilbert_mlm"))("a [MASK]", targets=[])


@pytest.mark.parametrize(
    "head, key, arguments, options, sentence",
    [
        (TokenClassifier, "distilbert_ner", ("a",), {"aggregation": "median"}, 'aggregation is "median"'),
        (TokenClassifier, "distilbert_ner", ("a",), {"stride": 126}, "stride"),
        (QuestionAnswerer, "distilbert_qa", ("a", "b"), {"top_k": 0}, "top_k is 0"),
        (QuestionAnswerer, "distilbert_qa", ("a", "b"), {"max_answer_len": 0}, "max_answer_len"),
        (QuestionAnswerer, "distilbert_qa", ("a", "b"), {"max_seq_len": 1000}, "1000"),
        (QuestionAnswerer, "distilbert_qa", ("a", ""), {}, "context is empty"),
        (QuestionAnswerer, "distilbert_qa", ("a " * 200, "b"), {}, "tokens"),
        (MaskedLM, "distilbert_mlm", ("no mask",), {}, r"no \[MASK\]"),
        (MaskedLM, "distilbert_mlm", ("[MASK]",), {"targets": [""]}, "no target"),
        (ZeroShotClassifier, "distilbert_nli", ("a", ["b"]), {"hypothesis_template": "c"}, "hypothesis_template"),
        (ZeroShotClassifier, "distilbert_nli", ("a", ["b " * 200]), {}, "tokens"),
    ],
)
def test_options(head, key, arguments, options, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        head.from_pretrained(model(key), threads=1)(*arguments, **options)
    assert isinstance(caught.value, Error)


def test_options_of_embeddings():
    for options in ({"pooling": "median"}, {"dimensions": 33}):
        with pytest.raises(ValueError, match=next(iter(options))) as caught:
            SentenceEmbedder.from_pretrained(model("distilbert_mean_embedder"), **options)
        assert isinstance(caught.value, distilbert.InvalidInputError)


def test_the_number_of_a_text_is_that_in_the_call():
    zero_shot = ZeroShotClassifier.from_pretrained(model("distilbert_nli"))
    with pytest.raises(ValueError, match="text 2: ill-formed"):
        zero_shot(["a", "b", "c \ud800"], ["one", "two", "three"])
