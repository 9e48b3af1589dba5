"""A model that the parent loaded, in its threads and in forked workers at the same time."""

import concurrent.futures
import os
import threading

import numpy as np
import pytest

# Python 3.12 and later warn of every fork beside threads; what the library does about them is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

TEXTS = [f"film number {i} is {'good' if i % 3 else 'bad'}" for i in range(60)]


def in_child(work):
    """The pid of a forked child that does the work, and whose exit status is 0 if that returns true."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return child


def threads_agree(classifier, expected):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        return all(np.array_equal(found, expected) for found in pool.map(lambda _: classifier.logits(TEXTS), range(3)))


def test_forked_workers_beside_eight_threads(sentiment):
    expected = sentiment.logits(TEXTS)
    done = threading.Event()

    def classify():
        calls = 0
        while not done.is_set() or calls == 0:
            np.testing.assert_array_equal(sentiment.logits(TEXTS), expected)
            calls += 1
        return calls

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        running = [pool.submit(classify) for _ in range(8)]
        try:
            for _ in range(5):
                children = [in_child(lambda: threads_agree(sentiment, expected)) for _ in range(4)]
                assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
        finally:
            done.set()
        assert all(thread.result() > 0 for thread in running)


def test_a_child_forks_again(sentiment):
    expected = sentiment.logits(TEXTS)

    def work():
        grandchild = in_child(lambda: threads_agree(sentiment, expected))
        return threads_agree(sentiment, expected) and os.waitpid(grandchild, 0)[1] == 0

    assert os.waitpid(in_child(work), 0)[1] == 0
