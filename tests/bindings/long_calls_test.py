"""Long calls: other threads run, Ctrl-C stops them, progress is told, memory does not grow."""

import concurrent.futures
import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest
import tiny_model

import distilbert


def test_eight_threads_on_one_model(sentiment):
    texts = [f"film number {i} is {'good' if i % 3 else 'bad'}" for i in range(200)]
    expected = sentiment.logits(texts)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: sentiment.logits(texts), range(16)):
            np.testing.assert_array_equal(found, expected)
        labels = list(pool.map(lambda text: sentiment(text).label, texts))
    assert labels == [sentiment.labels[row.argmax()] for row in expected]


def test_python_runs_meanwhile(sentiment):
    ticks = []
    done = threading.Event()

    def tick():
        while not done.wait(0.005):
            ticks.append(time.monotonic())

    ticker = threading.Thread(target=tick)
    ticker.start()
    start = time.monotonic()
    sentiment.logits(["a film of some length that is neither good nor bad, but long"] * 1000)
    end = time.monotonic()
    done.set()
    ticker.join()
    assert sum(start < at < end for at in ticks) > 3


TEXT = "a film of some length that is neither good nor bad, but long"


@pytest.mark.parametrize(
    "call",
    [
        lambda model, zero_shot: model(itertools.repeat(TEXT)),
        lambda model, zero_shot: model.logits(itertools.repeat([101, 102])),
        lambda model, zero_shot: zero_shot(itertools.repeat(TEXT), [f"label {i}" for i in range(100)]),
        lambda model, zero_shot: model(" ".join([TEXT] * 20_000), stride=8),
        lambda model, zero_shot: zero_shot(" ".join([TEXT] * 20), [f"label {i}" for i in range(2_000)]),
    ],
    ids=["texts", "token ids", "zero shot", "one text of many windows", "one text with many labels"],
)
def test_ctrl_c_stops_a_long_call(sentiment, sst2, call):
    zero_shot = distilbert.ZeroShotClassifier.from_pretrained(sst2, threads=2)
    start = []

    def interrupt():
        start.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.5, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        call(sentiment, zero_shot)
    assert time.monotonic() - start[0] < 2
    timer.join()
    assert sentiment("good").label == "POSITIVE"


def test_endless_texts_without_tokens_are_refused(sentiment):
    with pytest.raises(ValueError, match="text 0 has no tokens"):
        sentiment.logits(itertools.repeat([]))


def test_progress_is_told(sentiment, bars):
    sentiment(["good"] * 5000, progress=True)
    sentiment.logits(iter(["good"] * 7), progress=True)
    with pytest.raises(TypeError):
        sentiment(["good", 7], progress=True)
    assert [(bar.total, bar.unit, bar.done, bar.closed) for bar in bars] == [
        (5000, "text", 5000, True), (None, "text", 7, True), (2, "text", 0, True)]  # fmt: skip


def test_texts_are_not_kept(sentiment):
    """A generator's texts are gone before it yields the last: logits() holds a chunk of them at a time."""
    alive, most = [0], [0]

    class Text(str):
        def __new__(cls, value):
            alive[0] += 1
            most[0] = max(most[0], alive[0])
            return super().__new__(cls, value)

        def __del__(self):
            alive[0] -= 1

    texts = 20_000
    assert sentiment.logits(Text("good") for _ in range(texts)).shape == (texts, 2)
    assert most[0] < texts * 3 / 4


def test_ctrl_c_keeps_nothing_alive(sst2):
    """The traceback of KeyboardInterrupt holds the frames of its callers, and so the model of a local variable."""

    class Local:
        pass

    def call():
        local, model = Local(), distilbert.TextClassifier.from_pretrained(sst2, threads=2)
        alive.append(weakref.ref(local))
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        model(" ".join([TEXT] * 20_000), stride=8)

    alive = []
    with pytest.raises(KeyboardInterrupt):
        call()
    gc.collect()
    assert alive[0]() is None


def test_a_signal_handler_may_fork():
    program = """
import os, signal, sys, threading
import distilbert

model = distilbert.TextClassifier.default(threads=2)

def fork(*_):
    if os.fork() == 0:
        model(["a film"] * 300)
        os._exit(7)
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))

signal.signal(signal.SIGINT, fork)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
model("a film of some length " * 100_000, stride=8)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 7


@pytest.mark.parametrize("call", [
    "model(itertools.repeat('a film'))",
    "model('a film' for _ in itertools.count())",
    "model.logits(['a film'] * 1_000_000)",
    "[distilbert.TextClassifier.default() for _ in itertools.count()]",
])
def test_the_interpreter_ends_while_a_daemon_thread_is_in_a_call(call):
    program = f"""
import itertools, threading, time
import distilbert

model = distilbert.TextClassifier.default(threads=2)
for _ in range(3):
    threading.Thread(target=lambda: {call}, daemon=True).start()
time.sleep(0.3)
"""
    for _ in range(3):
        end = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True)
        assert (end.returncode, end.stderr) == (0, b"")


def test_the_interpreter_is_gone_while_daemon_threads_convert(tmp_path, monkeypatch):
    for name, size in {"DIM": 768, "HEADS": 12, "HIDDEN": 3072}.items():  # so that every phase outlasts the interpreter
        monkeypatch.setattr(tiny_model, name, size)
    model = tiny_model.write(tmp_path / "model", tiny_model.random_weights())
    program = f"""
import ctypes, itertools, sys, threading, time
import distilbert

def convert(target):
    for _ in itertools.count():
        distilbert.convert({str(model)!r}, target, force=True)

for i in range(3):
    threading.Thread(target=convert, args=({str(tmp_path)!r} + f"/{{i}}",), daemon=True).start()
time.sleep(0.5)
c = ctypes.CDLL(None)
c.on_exit(c.sleep, None)  # which is told the status: one second
sys.exit(1)
"""
    for _ in range(3):
        end = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True)
        assert (end.returncode, end.stderr) == (1, b"")
