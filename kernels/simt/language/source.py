"""The text of a kernel, and of the device functions that were inlined into it."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kernels.simt.hazards import Line
from kernels.simt.machine.program import Program
from kernels.simt.record import SourceLine


def of(function: Callable[..., Any], program: Program) -> tuple[SourceLine, ...]:
    """The kernel's lines, then those of each device function in it.

    Without source (a function made by `exec`) there are none.
    """
    try:
        text, first = inspect.getsourcelines(function)
    except OSError:
        return ()
    found = _numbered(text, first, "", program.name)
    shown = {line.line for line in found}
    for line in program.lines:
        if line not in shown:
            file, _, number = line.rpartition(":") if isinstance(line, str) else ("", "", str(line))
            more = _function_around(file, program.files.get(file, program.file), int(number))
            found += [one for one in more if one.line not in shown]
            shown |= {one.line for one in more}
    return tuple(found)


def _function_around(name: str, file: str, number: int) -> list[SourceLine]:
    """The innermost function of a file that a line belongs to."""
    linecache.checkcache(file)  # it may have been edited since; of the kernel's own file inspect sees to that
    text = linecache.getlines(file)
    around = [one for one in _functions("".join(text)) if one.first <= number <= one.last]
    if not around:
        return []
    first, last, function = max(around)
    return _numbered(text[first - 1 : last], first, name, function)


class Function(NamedTuple):
    """Where a function stands in its file: from the first of its decorators to the end of its body."""

    first: int
    last: int
    name: str


@functools.lru_cache(maxsize=64)  # parsing takes longer than many a launch
def _functions(text: str) -> tuple[Function, ...]:
    """The functions in a text. What is kept goes by the text itself, so none of an edited file or cell is stale."""
    try:
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    except SyntaxError:
        return ()
    return tuple(
        Function(
            min([node.lineno, *(one.lineno for one in node.decorator_list)]),
            node.end_lineno or node.lineno,
            node.name,
        )
        for node in nodes
    )


def _numbered(text: Sequence[str], first: int, file: str, function: str) -> list[SourceLine]:
    lines: list[SourceLine] = []
    for number, line in enumerate(text, first):
        name: Line = f"{file}:{number}" if file else number
        lines.append(SourceLine(name, line.rstrip("\n"), function))
    return lines
