"""The package as a whole: version, names, and stubs that know all of it."""

import ast
import importlib.metadata
import inspect
import pathlib

import distilbert
from distilbert import _core


def test_version():
    assert distilbert.__version__ == importlib.metadata.version("distilbert-cpp")


def test_nothing_else_is_needed():
    required = importlib.metadata.requires("distilbert-cpp")
    assert [line for line in required if "extra ==" not in line] == ["numpy"]


PACKAGE = pathlib.Path(distilbert.__file__).parent
STUBS = {node.name: node for node in ast.parse((PACKAGE / "_core.pyi").read_text()).body
         if isinstance(node, (ast.ClassDef, ast.FunctionDef))}  # fmt: skip
PUBLIC = {name: node for name, node in STUBS.items() if not name.startswith("_")}


def methods(node):
    return [child for child in node.body if isinstance(child, ast.FunctionDef)]


def test_stubs_name_all_that_there_is():
    assert (PACKAGE / "py.typed").exists()
    names = {name for name in dir(_core) if not name.startswith("_")}
    assert names == set(PUBLIC)
    assert names <= set(distilbert.__all__)
    for name, node in PUBLIC.items():
        thing = getattr(_core, name)
        if inspect.isclass(thing) and not issubclass(thing, BaseException):
            nodes = [node, *(STUBS[base.id] for base in node.bases)]
            members = {child.name for each in nodes for child in methods(each)}
            found = {member for member in vars(thing) if not member.startswith("_")}
            assert found == {member for member in members if not member.startswith("_")}, name


def test_help_is_that_of_the_stubs():
    texts = 0
    for name, node in PUBLIC.items():
        thing = getattr(_core, name)
        members = [(node, thing)]
        if isinstance(node, ast.ClassDef):
            members += [(child, getattr(thing, child.name)) for child in methods(node)]
        for stub, member in members:
            if text := ast.get_docstring(stub):
                assert inspect.getdoc(member) == text, (name, stub.name)
                texts += 1
    assert texts > 80
    for function in (distilbert.isa, distilbert.TextClassifier.from_pretrained, distilbert.TextClassifier.__call__):
        assert inspect.signature(function) is not None
    keywords = inspect.signature(distilbert.TextClassifier.from_pretrained).parameters
    assert list(keywords)[:3] == ["directory", "precision", "threads"] and keywords["memory"].default == "map"
    call = inspect.signature(distilbert.TextClassifier.default())
    assert str(call) == "(texts, *, stride=None, progress=False)"
