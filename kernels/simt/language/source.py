"""The text of a kernel, and of the device functions that were inlined into it."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Sequence
from typing import Any

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
    text = linecache.getlines(file)
    try:
        nodes = [node for node in ast.walk(ast.parse("".join(text))) if isinstance(node, ast.FunctionDef)]
    except SyntaxError:
        return []
    around = [node for node in nodes if node.lineno <= number <= (node.end_lineno or node.lineno)]
    if not around:
        return []
    node = max(around, key=lambda one: one.lineno)
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    return _numbered(text[first - 1 : node.end_lineno], first, name, node.name)


def _numbered(text: Sequence[str], first: int, file: str, function: str) -> list[SourceLine]:
    lines: list[SourceLine] = []
    for number, line in enumerate(text, first):
        name: Line = f"{file}:{number}" if file else number
        lines.append(SourceLine(name, line.rstrip("\n"), function))
    return lines
