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


def test_stubs_name_all_that_there_is():
    package = pathlib.Path(distilbert.__file__).parent
    assert (package / "py.typed").exists()
    stubs = {}
    for node in ast.parse((package / "_core.pyi").read_text()).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
            stubs[node.name] = node
    names = {name for name in dir(_core) if not name.startswith("_")}
    assert names == set(stubs)
    assert names <= set(distilbert.__all__)
    bases = {"_Loaded": _class(package, "_Loaded")}
    for name, node in stubs.items():
        thing = getattr(_core, name)
        if inspect.isclass(thing) and not issubclass(thing, BaseException):
            nodes = [node, *(bases[base.id] for base in node.bases)]
            members = {child.name for each in nodes for child in each.body if isinstance(child, ast.FunctionDef)}
            found = {member for member in vars(thing) if not member.startswith("_")}
            assert found == {member for member in members if not member.startswith("_")}, name


def test_help_is_that_of_the_stubs():
    package = pathlib.Path(distilbert.__file__).parent
    texts = 0
    for node in ast.parse((package / "_core.pyi").read_text()).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
            members = [(node, getattr(_core, node.name))]
            if isinstance(node, ast.ClassDef):
                members += [(child, getattr(members[0][1], child.name)) for child in node.body
                            if isinstance(child, ast.FunctionDef)]  # fmt: skip
            for stub, thing in members:
                if text := ast.get_docstring(stub):
                    assert inspect.getdoc(thing) == text, (node.name, stub.name)
                    texts += 1
    assert texts > 80
    for thing in (distilbert.isa, distilbert.TextClassifier.from_pretrained, distilbert.TextClassifier.__call__):
        assert inspect.signature(thing) is not None
    keywords = inspect.signature(distilbert.TextClassifier.from_pretrained).parameters
    assert list(keywords)[:3] == ["directory", "precision", "threads"] and keywords["memory"].default == "map"
    call = inspect.signature(distilbert.TextClassifier.default())
    assert str(call) == "(texts, *, stride=None, progress=False)"


def _class(package, name):
    tree = ast.parse((package / "_core.pyi").read_text())
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
