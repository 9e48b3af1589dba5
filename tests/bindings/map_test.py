"""map(): answers to an iterable of any length, in the order of the texts, in bounded memory."""

import itertools
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from distilbert import Error, SentenceEmbedder, TextClassifier

TEXTS = ["a very good film", "the film was not good", "bad", "", "films " * 30]


@pytest.fixture(scope="module")
def classifier(tiny):
    return TextClassifier.from_pretrained(tiny, threads=2)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 5, 6, 10**9])
@pytest.mark.parametrize("kind", [list, iter, np.array, lambda texts: (text for text in texts)])
def test_answers_are_those_of_a_call_in_order(classifier, kind, batch_size):
    answers = list(classifier.map(kind(TEXTS), batch_size))
    assert [answer.label for answer in answers] == [answer.label for answer in classifier(TEXTS)]
    np.testing.assert_array_equal([answer.logits for answer in answers], classifier.logits(TEXTS))


def test_a_text_alone_and_none(classifier):
    (answer,) = classifier.map("good")
    assert answer.score == classifier("good").score
    assert list(classifier.map([])) == []


def test_pairs(classifier):
    pairs = [("good film", "bad film"), ("", "good")] * 3
    scores = [answer.score for answer in classifier.map(pairs, batch_size=4)]
    assert scores == [answer.score for answer in classifier(pairs)]


def test_vectors(tiny):
    embedder = SentenceEmbedder.from_pretrained(tiny, threads=2)
    np.testing.assert_array_equal(list(embedder.map(iter(TEXTS), batch_size=2)), embedder(TEXTS))
    with pytest.raises(TypeError, match="text 3: str expected"):
        list(embedder.map(["good"] * 3 + [None], batch_size=2))


def test_texts_that_never_end(classifier):
    answers = classifier.map(itertools.cycle(TEXTS))
    first = [answer.score for answer in itertools.islice(answers, 1000)]
    assert first == [answer.score for answer in classifier(TEXTS * 200)]


def test_texts_are_read_when_asked_for(classifier):
    read = []

    def texts():
        for i in itertools.count():
            read.append(i)
            yield "good"

    answers = classifier.map(texts(), batch_size=3)
    assert read == []
    next(answers)
    assert read == [0, 1, 2]
    answers.close()
    with pytest.raises(StopIteration):
        next(answers)
    assert read == [0, 1, 2]


def test_what_is_wrong_with_which_text(classifier):
    with pytest.raises(ValueError, match="text 7: ill-formed at byte 1") as caught:
        list(classifier.map(["good"] * 7 + ["a\ud800", "b"], batch_size=3))
    assert isinstance(caught.value, Error)
    with pytest.raises(TypeError, match="text 7: str expected, NoneType found"):
        list(classifier.map(["good"] * 7 + [None], batch_size=3))
    with pytest.raises(TypeError, match="not iterable"):
        classifier.map(None)
    with pytest.raises(ValueError, match="batch_size is 0"):
        classifier.map(TEXTS, batch_size=0)
    with pytest.raises(TypeError):
        classifier.map(TEXTS, batch_size=2.5)


def test_an_error_of_the_iterable_comes_through(classifier):
    def texts():
        yield from TEXTS
        raise LookupError("the source broke")

    answers = classifier.map(texts(), batch_size=len(TEXTS))
    assert [next(answers).score for _ in TEXTS] == [answer.score for answer in classifier(TEXTS)]
    with pytest.raises(LookupError, match="the source broke"):
        next(answers)


def test_progress_is_told(classifier, bars):
    list(classifier.map(TEXTS, batch_size=2, progress=True))
    answers = classifier.map(iter(TEXTS), batch_size=2, progress=True)
    next(answers)
    answers.close()
    assert [(bar.total, bar.unit, bar.closed) for bar in bars] == [(5, "text", True), (None, "text", True)]
    assert bars[0].done == 5


def test_progress_of_a_text_alone_and_of_nothing_begun(classifier, bars):
    classifier.map(TEXTS, progress=True)
    assert bars == []
    list(classifier.map("films", progress=True))
    assert [(bar.total, bar.done, bar.closed) for bar in bars] == [(1, 1, True)]


def run(program, tiny, **options):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(tiny)], stdout=subprocess.PIPE, text=True, **options
    )


def test_memory_does_not_grow_with_the_number_of_texts(tiny):
    """After the first 20,000 texts, nine times as many take no more: so would any number."""
    program = """
        import resource, sys
        from distilbert import TextClassifier

        def texts():
            for i in range(200_000):
                yield f"a very good film not seen before, number {i}"

        classifier = TextClassifier.from_pretrained(sys.argv[1], threads=2)
        for i, answer in enumerate(classifier.map(texts())):
            if i in (20_000, 199_999):
                print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    with run(program, tiny) as process:
        early, late = map(int, process.communicate()[0].split())
    assert process.returncode == 0
    assert late - early < 4 * 1024  # KiB; the answers alone would be 40 MiB


def test_ctrl_c_comes_out_and_the_classifier_works_on(tiny):
    program = """
        import itertools, sys, time
        from distilbert import TextClassifier

        classifier = TextClassifier.from_pretrained(sys.argv[1], threads=2)
        print("ready", flush=True)
        try:
            for answer in classifier.map(itertools.cycle(["a very good film " * 50])):
                pass
        except KeyboardInterrupt:
            print(time.monotonic(), flush=True)
        print(classifier("good").label == next(classifier.map(["good"])).label)
    """
    with run(program, tiny) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        heard, usable = process.communicate()[0].split()
    assert process.returncode == 0
    assert float(heard) - sent < 1
    assert usable == "True"
