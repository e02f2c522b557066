"""Lines of code to be put in order: a Parsons problem, the step between reading code and writing it.

All the words are there, so what is asked for is only the thought: what must have happened before this line? Learners
get as much out of it as out of writing the code, in less time (Ericson, Margulieux and Rick, Solving Parsons Problems
Versus Fixing and Writing Code, Koli Calling 2017; the form: Parsons and Haden, ACE 2006).

The lines are shown with letters, in a scrambled order; an answer is the letters in the reader's order, such as "badc".
It is judged as any answer is: the lines become a function, and the function runs. So each order that works is right,
the author's or another, and a wrong one is told what it does, by the exercise's own named mistakes.
"""

from __future__ import annotations

import linecache
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ordering:
    """The lines of a function, in an order that works; each keeps its indentation.

    `setup` (imports, constants) runs before and is not shown; `head` stands above the lines, from `def` on, and `tail`
    below them, both as shown. Raises ValueError for fewer than three lines and for two that are the same.
    """

    setup: str
    head: str
    lines: tuple[str, ...]
    tail: str = ""

    def __post_init__(self) -> None:
        if len(self.lines) < 3 or len(set(self.lines)) < len(self.lines):
            raise ValueError(f"lines: expected at least three different ones, got {list(self.lines)}")

    @property
    def shown(self) -> dict[str, str]:
        """Letter -> line, in the order in which they are shown; the same each time."""
        scrambled = list(self.lines)
        random.Random(self.head).shuffle(scrambled)
        return dict(zip(string.ascii_lowercase, scrambled, strict=False))

    @property
    def solution(self) -> str:
        """The letters in the author's order."""
        letters = {line: letter for letter, line in self.shown.items()}
        return "".join(letters[line] for line in self.lines)

    def source(self, order: str) -> str:
        """The function's text with the lines in this order. Raises ValueError where it is no order of the letters."""
        shown = self.shown
        if sorted(order) != sorted(shown):
            raise ValueError(f"order: expected each of the letters {''.join(shown)} once, got {order!r}")
        return "\n".join(filter(None, [self.head, *(shown[letter] for letter in order), self.tail])) + "\n"

    def function(self, name: str, order: str) -> Callable[..., Any]:
        """The function `name` with the lines in this order; a kernel finds its source as if it stood in a file.

        Raises ValueError where it is no order of the letters, and SyntaxError where Python cannot read it so.
        """
        text = self.source(order)
        file = f"<{name} as {order}>"
        namespace: dict[str, Any] = {}
        exec(self.setup, namespace)  # the exercise's own text
        exec(compile(text, file, "exec"), namespace)
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        return namespace[name]
