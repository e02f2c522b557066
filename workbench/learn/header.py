"""The line a lesson opens with: track, level, minutes, and what it assumes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from workbench.learn.panel import show


class Line:
    """One quiet line of text in a page."""

    def __init__(self, parts: Sequence[str]) -> None:
        self.text = " · ".join(parts)

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<div style="opacity:0.8">{escape(self.text)}</div>'


def header(lesson: str, minutes: int, assumes: Sequence[str] = ()) -> None:
    """Shows the opening line of a lesson such as "3_fusion/1_easy".

    Raises ValueError when `minutes` is not positive and TypeError when `assumes` is a single text.
    """
    if minutes <= 0:
        raise ValueError(f"minutes: expected a positive number, got {minutes}")
    if isinstance(assumes, str):
        raise TypeError(f"assumes: expected a list of texts, got the text {assumes!r}")
    places = [part.partition("_")[2].replace("_", " ") or part for part in lesson.split("/")]
    needs = f"assumes {', '.join(assumes)}" if assumes else "assumes nothing"
    show(Line([*places, f"{minutes} minutes", needs]))
