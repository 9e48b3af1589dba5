"""The goldens of tests/tasks/golden, and the models that they are about."""

import functools
import json
import pathlib
import sys
import tempfile

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "tasks" / "golden"
sys.path.insert(0, str(GOLDEN))

import models  # noqa: E402

TOLERANCE = 1e-4  # of every number, which transformers computed in fp32
_folder = tempfile.TemporaryDirectory(prefix="distilbert-golden-")


def read(name):
    return json.loads((GOLDEN / name).read_text())


@functools.lru_cache(maxsize=None)
def model(key):
    """The directory of one of the models of models.py."""
    return models.write(key, _folder.name)


def difference(found, expected, place="answer"):
    """What is not as expected, in words; "" if all is: keys and their order, lengths, types, and numbers within
    TOLERANCE."""
    if type(found) is not type(expected):
        return f"{place}: {expected!r} expected, {found!r} found"
    if isinstance(expected, dict):
        if list(found) != list(expected):
            return f"{place}: keys {list(expected)} expected, {list(found)} found"
        parts = [(found[key], expected[key], f"{place}[{key!r}]") for key in expected]
    elif isinstance(expected, list):
        if len(found) != len(expected):
            return f"{place}: {len(expected)} entries expected, {len(found)} found: {found}"
        parts = [(one, other, f"{place}[{i}]") for i, (one, other) in enumerate(zip(found, expected))]
    else:
        same = abs(found - expected) <= TOLERANCE if isinstance(expected, float) else found == expected
        return "" if same else f"{place}: {expected!r} expected, {found!r} found"
    return next(filter(None, (difference(*part) for part in parts)), "")
