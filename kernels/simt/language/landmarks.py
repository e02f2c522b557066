"""What the text of a kernel tells that its compiled form does not: which lines hold tests, returns and headers."""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Mapping


class Landmarks:
    """The places of interest of one Python file, by line; none where it cannot be parsed."""

    def __init__(self, file: str) -> None:
        self.file = file

    @functools.cached_property
    def tests(self) -> Mapping[int, int]:
        """For each line that holds the test of an `if` or a `while`: the line where that test begins."""
        found = {}
        for node in self._nodes:
            if isinstance(node, ast.If | ast.While):
                for line in range(node.test.lineno, (node.test.end_lineno or node.test.lineno) + 1):
                    found[line] = node.test.lineno
        return found

    @functools.cached_property
    def returns(self) -> frozenset[int]:
        """The lines with a `return` statement."""
        return frozenset(node.lineno for node in self._nodes if isinstance(node, ast.Return))

    @functools.cached_property
    def headers(self) -> frozenset[int]:
        """The lines that declare functions, decorators included: Numba binds arguments there."""
        found: set[int] = set()
        for node in self._nodes:
            if isinstance(node, ast.FunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                found.update(range(first, node.body[0].lineno))
        return frozenset(found)

    @functools.cached_property
    def _nodes(self) -> list[ast.AST]:
        try:
            return list(ast.walk(ast.parse("".join(linecache.getlines(self.file)))))
        except SyntaxError:
            return []
