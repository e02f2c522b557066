"""What attention holds at one moment of a call, drawn: two whole matrices, or one tile with three running numbers.

A square is one head's matrix of scores, a row a query, a column a key; tiles have their true size in it, as long as
that can be seen. Colored means written and held in memory, gray means overwritten since.
"""

from __future__ import annotations

from workbench.drawing.axes import with_unit
from workbench.drawing.shapes import Line, Rect, Shape, Text
from workbench.drawing.style import BLUE, EDGE, GREEN, INK, QUIET, VERMILLION
from workbench.widgets.attention_two_ways_kit import HEADS, NAIVE, held, tile, tiles

LEFT, SIDE = 8.0, 176.0  # left edge of the picture, side of a matrix
FIRST, SECOND, ROW = 40.0, 258.0, 102.0  # left edges of the two squares, their upper edge
STRIP, GAP = 14.0, 8.0  # width of q, k, v and the output, and their distance from a square
LIST = 334.0  # the list of parts
COLORS = (BLUE, VERMILLION, GREEN)  # of the parts, in the order of `held`
SMALLEST = 2.0  # nothing is drawn smaller
STEPS = ("scores = q kᵀ / √width", "weights = softmax(scores)", "output = weights v")


def matrices(way: str, length: int, done: float) -> tuple[list[Shape], str]:
    """The picture when a share `done` of the call is through, and the same in words."""
    drawn, told = whole(done) if way == NAIVE else streamed(length, done)
    return [*inputs(), Text(LEFT, 48, told, fill=QUIET), *drawn, *listed(way, length)], told


def inputs() -> list[Shape]:
    """q to the left of the scores, k above them."""
    return [
        Rect(FIRST - GAP - STRIP, ROW, STRIP, SIDE, fill=BLUE, opacity=0.35),
        Text(FIRST - GAP - STRIP - 4, ROW + SIDE / 2, "q", fill=BLUE, anchor="end", weight="bold"),
        Rect(FIRST, ROW - GAP - STRIP, SIDE, STRIP, fill=BLUE, opacity=0.35),
    ]


def whole(done: float) -> tuple[list[Shape], str]:
    """Scores and weights side by side; the step that is running fills its result from the top."""
    step = min(2, int(3 * done))
    filled = [min(1.0, max(0.0, 3 * done - n)) for n in range(3)]
    shapes: list[Shape] = [*above(FIRST, "k"), *above(SECOND, "v", drawn=True), *output(filled[2])]
    for left, share, label in ((FIRST, filled[0], "scores"), (SECOND, filled[1], "weights")):
        shapes += [
            Rect(left, ROW, SIDE, SIDE, stroke=VERMILLION, stroke_width=1.5),
            Rect(left, ROW, SIDE, share * SIDE, fill=VERMILLION, opacity=0.55),
            Text(left + SIDE / 2, ROW + SIDE + 20, label, anchor="middle", weight="bold"),
        ]
    return shapes, f"Step {step + 1} of 3: {STEPS[step]}."


def streamed(length: int, done: float) -> tuple[list[Shape], str]:
    """The tile in the matrix that is never stored, and beside it the tile enlarged with what its queries keep."""
    down, across = tiles(length)
    now = round(done * (down * across - 1))
    row, column = divmod(now, across)
    high, wide = (SIDE * min(1.0, size / length) for size in tile(length))
    y = ROW + min(row * high, SIDE - max(high, SMALLEST))
    x = FIRST + min(column * wide, SIDE - max(wide, SMALLEST))
    high, wide = max(high, SMALLEST), max(wide, SMALLEST)
    shapes = [
        *above(FIRST, "k, v"),
        *output((row + (column + 1) / across) / down),
        Rect(FIRST, ROW, SIDE, y - ROW, fill=QUIET, opacity=0.13),  # swept, and overwritten since
        Rect(FIRST, y, x - FIRST, high, fill=QUIET, opacity=0.13),
        Rect(FIRST, ROW, SIDE, SIDE, stroke=QUIET, stroke_width=1.2, dash=(4, 4)),
        Rect(FIRST - GAP - STRIP, y, STRIP, high, fill=BLUE),
        Rect(x, ROW - GAP - STRIP, wide, STRIP, fill=BLUE),
        Rect(x, y, wide, high, fill=VERMILLION),
        Text(FIRST + SIDE / 2, ROW + SIDE + 20, "scores: a tile at a time", anchor="middle", weight="bold"),
        *enlarged(length, x + wide, y, high),
    ]
    more = "; the next one is written over it" if now + 1 < down * across else ""
    return shapes, f"Tile {now + 1:,} of {down * across:,}{more}."


def enlarged(length: int, x: float, y: float, high: float) -> list[Shape]:
    """The tile and its queries' running numbers, as large as the other square, joined to the small one."""
    queries, keys = tile(length)
    top, tall, wide = ROW + 40, 60.0, 96.0
    numbers = SECOND + wide + 10
    return [
        Line(x, y, SECOND, top, stroke=VERMILLION, stroke_width=1, dash=(2, 3)),
        Line(x, y + high, SECOND, top + tall, stroke=VERMILLION, stroke_width=1, dash=(2, 3)),
        Text(SECOND, top - 26, f"{queries} queries", size=12),
        Text(SECOND, top - 10, f"× {keys} keys", size=12),
        Rect(SECOND, top, wide, tall, fill=VERMILLION, opacity=0.55, stroke=VERMILLION),
        *(Rect(numbers + i * 14, top, 8, tall, fill=GREEN, opacity=0.7) for i in range(2)),
        Rect(numbers + 28, top, 30, tall, fill=GREEN, opacity=0.7),
        *(
            Text(numbers + at, top - 10, letter, anchor="middle", fill=GREEN, weight="bold")
            for at, letter in ((4, "m"), (18, "l"), (43, "o"))
        ),
        Text(SECOND, top + tall + 22, "m  largest score so far", size=12),
        Text(SECOND, top + tall + 40, "l  sum of exp(score − m)", size=12),
        Text(SECOND, top + tall + 58, "o  sum of exp(score − m) v", size=12),
    ]


def above(left: float, label: str, drawn: bool = False) -> list[Shape]:
    """The name of the strip above a square, and with `drawn` the strip."""
    y = ROW - GAP - STRIP
    name = Text(left + SIDE / 2, y - 6, label, fill=BLUE, anchor="middle", weight="bold")
    return [Rect(left, y, SIDE, STRIP, fill=BLUE, opacity=0.35), name] if drawn else [name]


def output(share: float) -> list[Shape]:
    """The output, filled as far as it is done."""
    left = SECOND + SIDE + GAP
    return [
        Rect(left, ROW, STRIP, SIDE, stroke=BLUE, stroke_width=1.2),
        Rect(left, ROW, STRIP, share * SIDE, fill=BLUE, opacity=0.35),
        Text(left + STRIP, ROW + SIDE + 20, "output", fill=BLUE, anchor="end", weight="bold"),
    ]


def listed(way: str, length: int) -> list[Shape]:
    """The parts of what is held at most, with their bytes."""
    shapes: list[Shape] = [
        Text(LEFT, LIST - 8, f"Held at most, {HEADS} heads", weight="bold"),
        Line(LEFT, LIST, SECOND + SIDE + GAP + STRIP, LIST, stroke=EDGE, stroke_width=0.8),
    ]
    colors = (BLUE, VERMILLION, VERMILLION) if way == NAIVE else COLORS
    for i, ((part, size), color) in enumerate(zip(held(way, length).items(), colors, strict=True)):
        y = LIST + 22 + 22 * i
        shapes += [
            Rect(LEFT, y - 11, 13, 13, fill=color, opacity=0.6),
            Text(LEFT + 24, y, part),
            Text(SECOND + SIDE + GAP + STRIP, y, with_unit(size, "B"), fill=INK, anchor="end", weight="bold"),
        ]
    return shapes
