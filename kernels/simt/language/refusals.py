"""What Python has and a GPU has not, and what to write instead: for errors that a learner can act on.

Numba's own errors say which step of its compiler failed. Most of the time the reason stands in the source: a thread has
no heap to put a list on, and no stack that could grow.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Iterator
from typing import Any

INSTEAD: dict[type[ast.AST], tuple[str, str]] = {
    ast.ListComp: ("a list comprehension", "a loop that fills a cuda.local.array"),
    ast.DictComp: ("a dict comprehension", "a loop that fills a cuda.local.array, indexed by number"),
    ast.SetComp: ("a set comprehension", "a loop over an array"),
    ast.GeneratorExp: ("a generator expression", "a loop that adds to a variable"),
    ast.List: ("a list", "a cuda.local.array, or a tuple if it never changes"),
    ast.Dict: ("a dict", "an array, indexed by number"),
    ast.Set: ("a set", "an array, or a comparison with each"),
    ast.JoinedStr: ("an f-string", "print with several arguments"),
    ast.Try: ("try", "a test before what may fail"),
    ast.With: ("with", "plain statements"),
    ast.Yield: ("yield", "an array that the results are written to"),
    ast.Starred: ("a starred argument", "each argument by itself"),
}


def refused(function: Callable[..., Any]) -> str | None:
    """The first thing in a kernel that no GPU has, with its line and what to write instead; None if there is none."""
    file = inspect.getsourcefile(function) or function.__code__.co_filename
    found = sorted(
        (node.lineno, *INSTEAD[type(node)])  # type: ignore[attr-defined]
        for node in _parts(file, function.__code__.co_firstlineno)
        if type(node) in INSTEAD and not (isinstance(node, ast.List) and not isinstance(node.ctx, ast.Load))
    )
    if not found:
        return None
    line, what, instead = found[0]
    return f"{function.__name__}, line {line}: {what} is not for a GPU; write {instead}"


def recursive(function: Callable[..., Any]) -> str | None:
    """The name of a device function that calls itself, if one can be reached from `function`."""
    return _recursive(function, ())


def _recursive(function: Callable[..., Any], above: tuple[Callable[..., Any], ...]) -> str | None:
    if function in above:
        return function.__name__
    for callee in _callees(function):
        found = _recursive(callee, (*above, function))
        if found is not None:
            return found
    return None


def _callees(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """The device functions that a function names."""
    names = inspect.getclosurevars(function)
    for value in (*names.globals.values(), *names.nonlocals.values()):
        if getattr(value, "targetoptions", {}).get("device"):
            yield value.py_func


def _parts(file: str, line: int) -> Iterator[ast.AST]:
    """What the function that begins at a line of a file is made of."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if line in (first, node.lineno):
                for statement in node.body:
                    yield from ast.walk(statement)
