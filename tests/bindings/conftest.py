import pathlib
import signal

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
