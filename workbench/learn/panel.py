"""A short verdict in a page: green, red or neutral, with a sign and words, since color alone tells nothing to some.

The same panel is HTML in a notebook and plain text elsewhere, and says the same in every run, so that stored
notebooks can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any, Literal

Tone = Literal["right", "wrong", "note"]
SIGNS: dict[str, str] = {"right": "✓", "wrong": "✗", "note": "•"}
# Okabe and Ito's palette; each keeps a contrast of 3:1 on white and on black
COLORS: dict[str, str] = {"right": "#009e73", "wrong": "#d55e00", "note": "#0072b2"}


@dataclass(frozen=True)
class Panel:
    """A title, rows of (name, value) to set side by side, and lines of text below."""

    tone: Tone
    title: str
    rows: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()

    def __repr__(self) -> str:
        width = max((len(name) for name, _ in self.rows), default=0)
        rows = [f"  {name:<{width}}  {value}" for name, value in self.rows]
        return "\n".join([f"{SIGNS[self.tone]} {self.title}", *rows, *(f"  {line}" for line in self.lines)])

    def _repr_html_(self) -> str:
        color = COLORS[self.tone]
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left"><code>{escape(value)}</code></td></tr>'
            for name, value in self.rows
        )
        table = f'<table style="margin:4px 0">{rows}</table>' if rows else ""
        lines = "".join(f'<div style="margin-top:4px">{escape(line)}</div>' for line in self.lines)
        return (
            f'<div style="border-left:4px solid {color};padding:4px 12px;margin:4px 0">'
            f'<div><strong style="color:{color}">{SIGNS[self.tone]}</strong> {escape(self.title)}</div>'
            f"{table}{lines}</div>"
        )


class Verdict:
    """What `check` and `question` hand back: `.right`. It shows nothing itself, the panel has said it already."""

    def __init__(self, right: bool) -> None:
        self.right = right

    def __repr__(self) -> str:
        return f"Verdict(right={self.right})"

    def _ipython_display_(self) -> None:
        """Keeps the last line of a cell from printing the object below its own panel."""


def show(item: Any) -> None:
    """Shows a panel or a form at once, wherever in a cell the call stands."""
    from IPython.display import display

    display(item)


def figure(value: Any, digits: int = 3) -> str:
    """A number as a reader wants it: counts in full with thousands apart, others to a few significant digits."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:,.0f}" if 10**digits <= abs(value) < 1e15 else f"{value:.{digits}g}"


def plain(value: Any) -> Any:
    """A value as Python's own number or text: tensors, arrays and NumPy scalars of one element are unpacked.

    Raises TypeError when it holds more than one.
    """
    if hasattr(value, "item") and hasattr(value, "shape"):
        if any(side != 1 for side in value.shape):
            raise TypeError(
                f"value: expected one number, got {type(value).__name__} of shape {tuple(value.shape)}"
            )
        return value.item()
    return value
