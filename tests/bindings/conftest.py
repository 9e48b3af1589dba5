import pathlib
import signal
import sys
import types

import pytest
import tiny_model

import distilbert


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Jobs that a shell starts in the background are deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def sentiment():
    """The model of the package."""
    return distilbert.TextClassifier.default(threads=2)


@pytest.fixture(scope="session")
def sst2() -> pathlib.Path:
    return pathlib.Path(distilbert.__file__).parent / "models" / "sst2"


@pytest.fixture(scope="session")
def weights():
    return tiny_model.random_weights()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, weights) -> pathlib.Path:
    """The directory of a small random model in fp32."""
    return tiny_model.write(tmp_path_factory.mktemp("tiny"), weights)


@pytest.fixture
def bars(monkeypatch):
    """The progress bars that calls show, from a tqdm that only takes notes."""
    shown = []

    class Bar:
        def __init__(self, total, unit):
            self.total, self.unit, self.done, self.closed = total, unit, 0, False
            shown.append(self)

        def update(self, texts):
            self.done += texts

        def close(self):
            self.closed = True

    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    return shown
