"""Text that must fit: a name or a sentence comes from the reader's code, so its length is anybody's guess."""

from __future__ import annotations

from typing import Any

from workbench.drawing.ink_png import text_width
from workbench.drawing.shapes import Text


def cut(text: str, room: int) -> str:
    """The text, or as many of its letters as there is room for."""
    return text if len(text) <= room else f"{text[: room - 1]}…"


def fitted(x: float, y: float, text: str, size: float, room: float, **look: Any) -> Text:
    """A line of text, smaller than `size` where it would be wider than `room`; `look` as for `Text`."""
    width = text_width(text, size, look.get("weight", "normal"))
    return Text(x, y, text, size=size * min(1.0, room / max(width, 1.0)), **look)
