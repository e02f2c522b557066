"""The left half of the x-ray: the reader's own source, with a bar of heat beside each line and a mark at each hazard.

A kernel may be longer than the picture. Then the rows nearest to the lines in question are shown, wherever those are:
the two sides of a race may stand far apart, or in two files.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

from kernels.simt.counters import Counters
from kernels.simt.hazards import Line
from kernels.simt.record import Record
from kernels.simt.table import Row, extent, rows_of
from workbench.drawing import shapes
from workbench.drawing.shapes import Circle, Polyline, Rect, Shape, Text
from workbench.drawing.style import BLUE, EDGE, INK, ORANGE, PAPER, QUIET, VERMILLION
from workbench.widgets.xray_heat import Heat, shown
from workbench.widgets.xray_text import cut

TOP, ROW, ROWS = 92.0, 18.0, 18
LEFT, NUMBER, CODE, BAR, RIGHT = 4.0, 60.0, 68.0, 412.0, 500.0
LETTER, LONGEST = 6.65, 51  # width of a letter of the code, and how many fit
NAME = 36  # letters of the launch
SIZE, FULL = 11.0, 46.0  # of the letters; the length of the longest bar


def window(count: int, focus: Collection[int], room: int) -> list[int]:
    """Which of `count` rows to show: all, or the `room` ones nearest to those in focus, leaving a row for each gap."""
    if count <= room:
        return list(range(count))
    centers = [row for row in focus if 0 <= row < count] or [0]
    nearest = sorted(range(count), key=lambda row: (min(abs(row - center) for center in centers), row))
    for size in range(room, 0, -1):
        chosen = sorted(nearest[:size])
        if size + len(gaps(count, chosen)) <= room:
            return chosen
    return centers[:1]


def gaps(count: int, chosen: Sequence[int]) -> list[tuple[int, int]]:
    """Where rows are left out, as (first row behind the gap, how many): `count` stands for the end."""
    edges = [-1, *chosen, count]
    return [(after, after - before - 1) for before, after in pairwise(edges) if after > before + 1]


def listing(
    run: Record, heat: Heat, step_line: Line | None, accesses: Sequence[Line], hazard_lines: Collection[Line]
) -> list[Shape]:
    """The source, the line of the step highlighted, the lines of a chosen hazard's accesses numbered."""
    rows = rows_of(run.source)
    places = {row.line: place for place, row in enumerate(rows) if row.line is not None}
    focus = [places[line] for line in (*accesses, step_line) if line is not None and line in places]
    chosen = window(len(rows), focus, ROWS)
    left_out = dict(gaps(len(rows), chosen))
    full = heat.full or max(filter(None, (heat.read(c) for c in run.lines.values())), default=1.0)
    launch = f"{run.kernel}[{extent(run.grid)}, {extent(run.block)}]"
    drawn: list[Shape] = [
        Text(CODE, TOP - 10, cut(launch, NAME), size=12, weight="bold"),
        Text(RIGHT, TOP - 10, heat.heading, size=12, fill=QUIET, anchor="end"),
    ]
    y = TOP
    for place in (*chosen, len(rows)):
        if more := left_out.get(place):
            told = f"⋯ {more} more line{'' if more == 1 else 's'}"
            drawn.append(Text(CODE, y + 13, told, size=SIZE, fill=QUIET))
            y += ROW
        if place < len(rows):
            row = rows[place]
            drawn += row_shapes(row, y, row.line == step_line, row.line in accesses, row.line in hazard_lines)
            drawn += marks(y, [i for i, line in enumerate(accesses, 1) if line == row.line])
            drawn += bar(heat, run.lines.get(row.line) if row.line is not None else None, y, full)
            y += ROW
    drawn.append(shapes.Line(CODE, y + 2, RIGHT, y + 2, stroke=EDGE, stroke_width=0.8))
    drawn.append(Text(CODE, y + 17, "whole launch", size=SIZE, fill=QUIET))
    return drawn + bar(heat, run.counters, y + 4, full)


def row_shapes(row: Row, y: float, current: bool, accessed: bool, hazardous: bool) -> list[Shape]:
    """A row's number and code, on a tinted ground where it is in question, with a warning sign where it is wrong."""
    base = y + 13
    if row.line is None:
        return [Text(LEFT, base, row.text, size=SIZE, fill=QUIET, weight="bold")]
    drawn: list[Shape] = []
    if current or accessed:
        color = VERMILLION if accessed else BLUE
        drawn.append(Rect(LEFT, y, RIGHT - LEFT, ROW, fill=color, opacity=0.14, radius=3))
        drawn.append(Rect(LEFT, y, 4, ROW, fill=color))
    if hazardous and not accessed:
        drawn += warning(LEFT + 14, y + ROW / 2)
    indent = len(row.text) - len(row.text.lstrip())
    code = cut(row.text.strip(), LONGEST - indent)
    drawn.append(Text(NUMBER, base, row.number, size=SIZE, fill=INK if current else QUIET, anchor="end"))
    if code:
        drawn.append(Text(CODE + indent * LETTER, base, code, size=SIZE, code=True))
    return drawn


def warning(x: float, y: float) -> list[Shape]:
    """A triangle with an exclamation mark."""
    triangle = ((x, y - 6.5), (x + 7, y + 5.5), (x - 7, y + 5.5))
    return [
        Polyline(triangle, closed=True, fill=VERMILLION, stroke=VERMILLION, stroke_width=1.0),
        shapes.Line(x, y - 2.5, x, y + 1.5, stroke=PAPER, stroke_width=1.6),
        Circle(x, y + 3.6, 0.9, fill=PAPER),
    ]


def marks(y: float, numbers: Sequence[int]) -> list[Shape]:
    """The numbers of the accesses of a hazard, in discs, beside the line where they happen."""
    drawn: list[Shape] = []
    for place, number in enumerate(numbers):
        x = LEFT + 13 + 13 * place
        drawn += disc(x, y + ROW / 2, number, 6.0)
    return drawn


def disc(x: float, y: float, number: int, radius: float) -> list[Shape]:
    """A number on a filled disc."""
    size = 1.55 * radius
    return [
        Circle(x, y, radius, fill=VERMILLION),
        Text(x, y + 0.36 * size, str(number), size=size, fill=PAPER, anchor="middle", weight="bold"),
    ]


def bar(heat: Heat, counters: Counters | None, y: float, full: float) -> list[Shape]:
    """The heat of a line as a bar with its number; orange where the line wastes something."""
    value = heat.read(counters) if counters is not None else None
    if counters is None or value is None:
        return []
    wasteful = heat.wasteful(counters)
    length = FULL * min(1.0, value / full)
    return [
        Rect(BAR, y + 4, FULL, ROW - 8, fill=EDGE, opacity=0.35),
        Rect(BAR, y + 4, length, ROW - 8, fill=ORANGE if wasteful else BLUE),
        Text(
            RIGHT - 2, y + 13, shown(value), size=SIZE, anchor="end", weight="bold" if wasteful else "normal"
        ),
    ]
