"""Writes the manual of the type stubs as C++, so that help() and inspect.signature() know it: manual.py STUBS OUTPUT

One line for each class, function, method and property: {name, signature, text}, of which "" stands for none.
"""

import ast
import sys


def signature(function):
    """As C functions have it: without types. (self is not "$self": pybind11's methods are functions until bound.)"""
    for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
        argument.annotation = None
    if function.args.kwarg:
        function.args.kwarg.annotation = None
    return f"({ast.unparse(function.args)})"


def has(function, decorator):
    return any(isinstance(each, ast.Name) and each.id == decorator for each in function.decorator_list)


def parameters(function):
    return len(function.args.args) + len(function.args.kwonlyargs)


def functions(body):
    """Name, signature and text of each; overloads are one: the longest signature, and the text that one of them has."""
    named = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            named.setdefault(node.name, []).append(node)
    for name, overloads in named.items():
        longest = max(overloads, key=parameters)
        text = next(filter(None, map(ast.get_docstring, overloads)), "")
        yield name, "" if has(longest, "property") else signature(longest), text


def entries(stubs):
    classes = {node.name: node for node in stubs.body if isinstance(node, ast.ClassDef)}
    yield from functions(stubs.body)
    for name, node in classes.items():
        yield name, "", ast.get_docstring(node) or ""
        inherited = [classes[base.id].body for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
        for body in (*inherited, node.body):
            for member, *rest in functions(body):
                yield f"{name}.{member}", *rest


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        stubs = ast.parse(file.read())
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        for entry in entries(stubs):
            file.write("{" + ", ".join(f'R"manual({part})manual"' for part in entry) + "},\n")


if __name__ == "__main__":
    main()
