"""A hazard as a picture: the one or two threads, what each did at which line, and the byte where they met."""

from __future__ import annotations

import inspect
import textwrap

from kernels.simt.hazards import Access, Hazard
from workbench.drawing.shapes import Line, Rect, Shape, Text
from workbench.drawing.style import QUIET, VERMILLION
from workbench.widgets.xray_lanes import LEFT, RIGHT, WIDTH
from workbench.widgets.xray_lanes import TOP as TITLE
from workbench.widgets.xray_source import disc
from workbench.widgets.xray_text import fitted

TOP, CARD, GAP = 92.0, 92.0, 18.0  # upper edge and height of the cards, and what is between two of them
BYTE, TALL = 230.0, 30.0  # top and height of the byte's box
LETTERS, LINES = 54, 8  # of the message: the longest line, and how many there is room for


def heading(hazard: Hazard) -> str:
    """Its kind and place: "DataRace at line 6, block 0"."""
    return f"{hazard.kind} at line {hazard.line}, block {hazard.block}"


def meaning(hazard: Hazard) -> str:
    """What its kind means: the first sentence of the class's own description."""
    text = " ".join(inspect.cleandoc(type(hazard).__doc__ or "").split())
    return text.partition(". ")[0].rstrip(".") + "."


def message(hazard: Hazard) -> str:
    """Its own words, as a sentence."""
    return f"{hazard.message[:1].upper()}{hazard.message[1:].rstrip('.')}."


def meeting(hazard: Hazard) -> list[Shape]:
    """The accesses as cards, arrows to the byte that they touch, and the message."""
    width = (WIDTH - GAP) / 2
    title = "The access" if len(hazard.accesses) == 1 else "The two accesses"
    drawn: list[Shape] = [Text(LEFT, TITLE, title, size=12, weight="bold")]
    for place, access in enumerate(hazard.accesses[-2:]):
        left = LEFT + place * (width + GAP)
        drawn += card(access, place + 1, left, width)
        if hazard.address is not None:
            tip = left + width / 2 + (0.3 - 0.6 * place) * width
            drawn.append(
                Line(tip, TOP + CARD, tip, BYTE - 3, stroke=VERMILLION, stroke_width=2, marker="arrow")
            )
    below = TOP + CARD
    if hazard.address is not None:
        where = f"{hazard.array or 'memory'}, byte {hazard.address:,}"
        drawn.append(Rect(LEFT, BYTE, WIDTH, TALL, stroke=VERMILLION, stroke_width=1.5, radius=4))
        drawn.append(
            fitted((LEFT + RIGHT) / 2, BYTE + 20, where, 13, WIDTH - 16, anchor="middle", weight="bold")
        )
        below = BYTE + TALL
    lines = textwrap.wrap(message(hazard), LETTERS, max_lines=LINES, placeholder=" …")
    return drawn + [Text(LEFT, below + 26 + 18 * i, line, size=12) for i, line in enumerate(lines)]


def card(access: Access, number: int, left: float, width: float) -> list[Shape]:
    """One side: its number, the thread, what it did and where."""
    box = Rect(left, TOP, width, CARD, fill=VERMILLION, opacity=0.1, stroke=VERMILLION, radius=6)
    return [
        box,
        *disc(left + 18, TOP + 19, number, 9.0),
        fitted(left + 36, TOP + 24, f"thread {access.thread}", 13, width - 44, weight="bold"),
        fitted(left + 36, TOP + 43, f"of block {access.block}", 12, width - 44, fill=QUIET),
        fitted(left + 36, TOP + 62, access.action, 12, width - 44),
        fitted(left + 36, TOP + 80, f"line {access.line}", 12, width - 44),
    ]
