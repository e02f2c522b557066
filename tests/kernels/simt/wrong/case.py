"""A wrong kernel as data: the mistake, where a comment marks it, and what a simulator has to say of it.

A kernel of this folder carries its answers in comments. `# <-` ends the guilty line, the one that the hazard names;
`# <- other` ends the line of the access that it collides with, where that is another one. `# fix: code` holds the
correction: in a line of its own, what was left out; after a statement, what should stand there instead.
"""

import inspect
import linecache
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

FIX = re.compile(r"(?P<indent>\s*)(?P<wrong>[^#]*)#.*?\bfix: (?P<right>.+)")


@dataclass(frozen=True)
class Wrong:
    """A kernel with a mistake, a launch that shows it, and the hazard that is due.

    arguments: from a random generator. between: of the guilty access, the other one, and the arguments: do these two
    meet? With a hazard of one thread both are the same access. says: what the message must contain. note: the hazard
    belongs into `run.notes`. fix: the right kernel, where comments do not hold it. instead: another grid, block or
    shared_bytes, where the launch is the mistake.
    """

    kernel: Any
    kind: str
    grid: int | tuple[int, ...]
    block: int | tuple[int, ...]
    arguments: Callable[[np.random.Generator], tuple[Any, ...]]
    between: Callable[..., bool]
    says: tuple[str, ...] = ()
    note: bool = False
    fix: Callable[..., Any] | None = None
    instead: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return self.kernel.__name__

    @property
    def line(self) -> int | None:
        """The guilty line; None where no line is: the launch itself is at fault."""
        return self._marked(r"# <-(?! other)")

    @property
    def other(self) -> int | None:
        """The line of the other side, the guilty one where no other is marked."""
        return self._marked(r"# <- other") or self.line

    def _marked(self, pattern: str) -> int | None:
        lines, first = inspect.getsourcelines(self.kernel.py_func)
        found = [number for number, text in enumerate(lines, start=first) if re.search(pattern, text)]
        return found[0] if found else None

    def fixed(self) -> Callable[..., Any] | None:
        """The right kernel: `fix`, or the wrong one with the corrections that its comments hold; None without any."""
        if self.fix or not any(map(FIX.match, inspect.getsourcelines(self.kernel.py_func)[0])):
            return self.fix or (self.kernel if self.instead else None)
        return rewritten(self.kernel.py_func, "fixed", _right)


def rewritten(function: Any, label: str, change: Callable[[int, str], str]) -> Callable[..., Any]:
    """The function once more, from its source with each line as `change` of its number and text gives it."""
    lines, first = inspect.getsourcelines(function)
    start = next(place for place, text in enumerate(lines) if text.lstrip().startswith("def "))
    body = textwrap.dedent(
        "".join(change(number, text) for number, text in enumerate(lines, first) if number >= first + start)
    )
    source = "\n" * (first + start - 1) + body  # as far down as it stood, so that line numbers agree
    filename = f"<{function.__name__}, {label}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    names = function.__globals__ | inspect.getclosurevars(function).nonlocals
    exec(compile(source, filename, "exec"), names)
    return names[function.__name__]


def _right(_: int, text: str) -> str:
    """The line with what its comment says in the place of its code."""
    found = FIX.match(text)
    return f"{found['indent']}{found['right']}\n" if found else text


def wrong(
    kind: str,
    grid: int | tuple[int, ...],
    block: int | tuple[int, ...],
    arguments: Callable[[np.random.Generator], tuple[Any, ...]],
    between: Callable[..., bool],
    *says: str,
    **options: Any,
) -> Callable[[Any], Wrong]:
    """Turn a kernel into a case, beside its own source."""
    return lambda kernel: Wrong(kernel, kind, grid, block, arguments, between, says, **options)


@dataclass(frozen=True)
class Pattern:
    """A right kernel that looks wrong, and its answer.

    answer: of the arguments as they were, what the last of them holds in the end. noted: `run.notes` speaks of it.
    """

    kernel: Any
    grid: int
    block: int
    arguments: Callable[[np.random.Generator], tuple[Any, ...]]
    answer: Callable[..., Any]
    noted: bool = False

    @property
    def name(self) -> str:
        return self.kernel.__name__


def benign(*launch_and_answer: Any, noted: bool = False) -> Callable[[Any], Pattern]:
    """Turn a kernel into a pattern, beside its own source."""
    return lambda kernel: Pattern(kernel, *launch_and_answer, noted=noted)


def any_thread(*_: Any) -> bool:
    """For mistakes that every thread makes, or none: whichever is named will do."""
    return True
