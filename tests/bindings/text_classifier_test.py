"""TextClassifier: numbers against numpy, every kind of input and of result."""

import pickle

import numpy as np
import pytest
import tiny_model

import distilbert
from distilbert import TextClassifier

TEXTS = ["a very good film", "the film was not good", "bad", "", "films " * 30]


@pytest.fixture(scope="module")
def classifier(tiny):
    return TextClassifier.from_pretrained(tiny, threads=2)


def test_logits_are_those_of_numpy(classifier, weights):
    logits = classifier.logits(TEXTS)
    assert logits.dtype == np.float32
    expected = [
        tiny_model.logits(weights, classifier.tokenizer.encode(text, max_length=tiny_model.POSITIONS).ids)
        for text in TEXTS
    ]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=2e-5)


def test_scores_are_the_softmax_of_the_logits(classifier):
    for text, answer in zip(TEXTS, classifier(TEXTS)):
        np.testing.assert_array_equal(answer.logits, classifier.logits(text)[0])
        exp = np.exp(answer.logits - answer.logits.max())
        np.testing.assert_allclose(answer.scores, exp / exp.sum(), rtol=1e-5)
        assert answer.label == classifier.labels[answer.scores.argmax()]
        assert answer.score == answer.scores.max()


def test_default_knows_good_from_bad(sentiment):
    assert sentiment("a joy from first to last").label == "POSITIVE"
    assert sentiment("two hours I will not get back").label == "NEGATIVE"
    assert sentiment.labels == ["NEGATIVE", "POSITIVE"]
    assert sentiment.id2label == {0: "NEGATIVE", 1: "POSITIVE"}
    assert sentiment.precision == "int8"
    assert sentiment.threads == 2
    assert sentiment.memory_bound > 0


@pytest.mark.parametrize("kind", [list, tuple, iter, lambda texts: (text for text in texts), np.array])
def test_any_iterable_of_texts(classifier, kind):
    answers = classifier(kind(TEXTS))
    assert isinstance(answers, list)
    assert [answer.label for answer in answers] == [classifier(text).label for text in TEXTS]
    np.testing.assert_array_equal(classifier.logits(kind(TEXTS)), classifier.logits(TEXTS))


def test_token_ids_are_as_good_as_texts(classifier):
    ids = [classifier.tokenizer.encode(text, max_length=classifier.max_length).ids for text in TEXTS]
    expected = classifier.logits(TEXTS)
    np.testing.assert_array_equal(classifier.logits(ids), expected)
    np.testing.assert_array_equal(classifier.logits([row.tolist() for row in ids]), expected)
    np.testing.assert_array_equal(classifier.logits(row.astype(np.uint16) for row in ids), expected)
    np.testing.assert_array_equal(classifier.logits([row.repeat(2)[::2] for row in ids]), expected)
    np.testing.assert_array_equal(classifier.logits(np.array([[2, 6, 3], [2, 7, 3]])), classifier.logits(["good", "bad"]))


def test_nothing_in_gives_nothing_out(classifier):
    assert classifier([]) == []
    assert classifier(iter(())) == []
    assert classifier.logits([]).shape == (0, 3)


def test_truncation_is_reported(tiny):
    classifier = TextClassifier.from_pretrained(tiny, max_length=5)
    short, long = classifier(["good", "good film good film"])
    assert (short.token_count, short.truncated) == (3, False)
    assert (long.token_count, long.truncated) == (5, True)
    assert classifier.max_length == 5


def test_pairs_are_read_as_one(classifier):
    pairs = [("good film", "bad film"), ("", "good")]
    for pair, answer in zip(pairs, classifier(pairs)):
        ids = classifier.tokenizer.encode(*pair).ids
        np.testing.assert_array_equal(answer.logits, classifier.logits([ids])[0])


def test_many_texts_are_cut_into_chunks_unseen(classifier):
    texts = [TEXTS[i % 3] for i in range(20_000)]
    logits = classifier.logits(texts)
    np.testing.assert_array_equal(logits, np.tile(classifier.logits(TEXTS[:3]), (6667, 1))[:20_000])


def test_results_can_be_pickled_and_read(classifier):
    answer = classifier("a very good film")
    copy = pickle.loads(pickle.dumps(answer))
    assert (copy.label, copy.score, copy.token_count, copy.truncated) == (
        answer.label, answer.score, answer.token_count, answer.truncated)  # fmt: skip
    np.testing.assert_array_equal(copy.scores, answer.scores)
    np.testing.assert_array_equal(copy.logits, answer.logits)
    assert repr(answer).startswith(f"Classification(label={answer.label!r}, score=0.")


def test_arrays_outlive_their_result_and_cannot_be_written(classifier):
    scores = classifier("good").scores
    assert scores.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="read-only"):
        scores[0] = 1


def test_options_are_taken(tiny, sst2):
    assert TextClassifier.from_pretrained(tiny, precision="bf16").precision == "bf16"
    assert TextClassifier.from_pretrained(str(sst2), memory="copy", selfcheck=True, check_finite=True).precision == "int8"
    plain = TextClassifier.from_pretrained(tiny)
    verbatim = TextClassifier.from_pretrained(tiny, encode_special_tokens=True)
    assert plain("good [SEP] film").token_count == 5
    assert verbatim("good [SEP] film").token_count == 7


def test_threads_of_models_to_come(tiny):
    before = TextClassifier.from_pretrained(tiny)
    distilbert.set_threads(3)
    try:
        assert TextClassifier.from_pretrained(tiny).threads == 3
        assert TextClassifier.from_pretrained(tiny, threads=1).threads == 1
    finally:
        distilbert.set_threads(0)
    assert TextClassifier.from_pretrained(tiny).threads == before.threads


def test_every_isa_gives_the_same_answer(classifier):
    chosen = distilbert.isa()
    expected = classifier.logits(TEXTS)
    try:
        for isa in distilbert.available_isas():
            distilbert.set_isa(isa)
            assert distilbert.isa() == isa
            np.testing.assert_allclose(classifier.logits(TEXTS), expected, atol=1e-5)
    finally:
        distilbert.set_isa(chosen)


def test_windows_read_a_text_to_its_end(tiny):
    classifier = distilbert.TextClassifier.from_pretrained(tiny, max_length=12)
    tokenizer = classifier.tokenizer
    text = "good bad " * 12
    windows = tokenizer.encode_windows(text, max_length=12, stride=3)
    fresh = [len(window.ids) - 2 - (3 if i else 0) for i, window in enumerate(windows)]
    expected = np.average(classifier.logits([window.ids for window in windows]), axis=0, weights=fresh)
    whole = classifier(text, stride=3)
    np.testing.assert_allclose(whole.logits, expected, rtol=1e-5, atol=1e-6)
    assert classifier(text).truncated and not whole.truncated
    assert whole.token_count == sum(len(window.ids) for window in windows) > 12
    short, same = classifier(["good", text], stride=3)
    np.testing.assert_array_equal(short.logits, classifier("good").logits)
    np.testing.assert_array_equal(same.logits, whole.logits)
    with pytest.raises(TypeError):
        classifier([("good", "bad")], stride=3)
    with pytest.raises(ValueError):
        classifier(text, stride=10)
