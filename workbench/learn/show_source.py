"""Shows the library's own source in a page: what a lesson used is also what a reader can read next."""

from __future__ import annotations

import inspect
import sys
from html import escape
from pathlib import Path
from types import ModuleType
from typing import Any

from workbench.learn.panel import show


class Source:
    """The source of one object, with the file it stands in and the number of its first line."""

    def __init__(self, name: str, place: str, first: int, text: str) -> None:
        self.name, self.place, self.first, self.text = name, place, first, text.rstrip("\n")

    @property
    def title(self) -> str:
        """Name, file and lines, such as "claim: workbench/learn/claim.py, lines 32–60"."""
        last = self.first + self.text.count("\n")
        return f"{self.name}: {self.place}, lines {self.first}–{last}"

    def __repr__(self) -> str:
        return f"{self.title}\n\n{self.text}"

    def _repr_html_(self) -> str:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer

        # colors in the markup itself, on a light ground of their own: the page's theme may be a dark one
        style = "background:#f8f8f8;color:#222;overflow:auto;max-height:36em"
        formatter = HtmlFormatter(noclasses=True, linenos="inline", linenostart=self.first, cssstyles=style)
        code = highlight(self.text, PythonLexer(), formatter)
        return f"<details><summary><code>{escape(self.title)}</code></summary>{code}</details>"


def show_source(obj: Any) -> None:
    """Shows the source of a class, function or module, or of an object's class, folded away under its title.

    Raises TypeError when there is no Python source, as for a built-in.
    """
    named = inspect.unwrap(obj) if callable(obj) else obj
    if not isinstance(named, ModuleType) and not hasattr(named, "__qualname__"):
        named = type(named)
    try:
        lines, first = inspect.getsourcelines(named)
        file = Path(inspect.getsourcefile(named) or "")
    except (OSError, TypeError) as error:
        raise TypeError(f"obj: {obj!r} has no Python source to show ({error})") from None
    name = getattr(named, "__qualname__", None) or named.__name__
    show(Source(name, _place(named, file), max(first, 1), "".join(lines)))


def _place(named: Any, file: Path) -> str:
    """The file as seen from the project's root (or the folder a package is installed in), never absolute."""
    package = (inspect.getmodule(named) or named).__name__.partition(".")[0]
    root = getattr(sys.modules.get(package), "__file__", None)
    if root is None:
        return "this notebook"
    top = Path(root).resolve()
    base = top.parent.parent if top.name == "__init__.py" else top.parent
    resolved = file.resolve()
    return resolved.relative_to(base).as_posix() if resolved.is_relative_to(base) else resolved.name
