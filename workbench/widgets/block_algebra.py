"""Block algebra: three blocks in a row between a picture and its scores, what flows between them, and what each costs.

Two blocks compose when what the first gives is what the second takes: as many axes, of fitting sizes. The explorer lets
a reader put any block in any place; whether the chain holds is decided by the check of `workbench.fabric`, in whose
words a refusal is shown, beside the edge that it is about. The blocks and the counting are in `block_algebra_kit.py`.
"""

from __future__ import annotations

import re
import textwrap

from workbench.drawing.axes import with_unit
from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Line, Rect, Shape, Text
from workbench.drawing.style import BLUE, GREEN, INK, QUIET, VERMILLION
from workbench.fabric import Edge
from workbench.widgets.block_algebra_kit import CHOICES, CLASSES, PICTURE, Chain, compose
from workbench.widgets.controls import Select
from workbench.widgets.explorer import Explorer, State

FIRST = ("rows", "patches", "convolution", "flattened")  # what may look at the picture
THEN = tuple(name for name in CHOICES if name not in FIRST[:3])

WIDTH, HEIGHT = 900.0, 460.0
LEFT, BOX, TOP, TALL, STEP = (
    8.0,
    244.0,
    72.0,
    34.0,
    67.0,
)  # boxes: left edge, width; first top, height, to the next top
MIDDLE = LEFT + BOX / 2
COLUMNS = (304.0, 484.0, 684.0)  # parameters, FLOPs, bytes
BAR = 150.0  # of a block that has all of its column
MESSAGE, LETTERS = 304.0, 84  # left edge of a refusal, and its longest line


def block_algebra() -> Explorer:
    """Explorer: put three blocks between pictures and a last one, and see shapes and costs, or what does not fit."""
    options = {name: choice.label for name, choice in CHOICES.items()}
    first, then = ({name: options[name] for name in names} for names in (FIRST, THEN))
    return Explorer(
        title="Block algebra",
        question="Which three blocks make 64 numbers of a picture with fewest parameters, and which with fewest FLOPs?",
        controls=[
            Select("first", "First", first),
            Select("second", "Second", then, value="attention"),
            Select("third", "Third", then, value="average_time"),
        ],
        frame=frame,
    )


def frame(state: State) -> Scene:
    """The chain from top to bottom: shapes beside its arrows, costs beside its blocks, or a refusal where it breaks."""
    chain = compose((state["first"], state["second"], state["third"]))
    verdict, color = judge(chain)
    shapes = [
        Text(LEFT, 22, verdict, size=15, weight="bold", fill=color),
        Text(LEFT, 44, note(chain), fill=QUIET),
        *boxes(chain),
        *arrows(chain),
        *costs(chain),
    ]
    labels = "; ".join(piece.label for piece in chain.pieces)
    flow = " → ".join(shape(edge) for edge in chain.edges)
    why = f" {chain.refusal}." if chain.refusal else ""
    alt = f"Pictures, then: {labels}. {verdict}{why} Shapes on the way: {flow}."
    return Scene(WIDTH, HEIGHT, tuple(shapes), alt)


def judge(chain: Chain) -> tuple[str, str]:
    """Whether it fits and at which price, and the color of that."""
    if chain.refusal:
        return "It does not fit. The check says why:", VERMILLION
    parameters, flops, moved = written(chain.prices)
    return f"It fits, for {parameters} parameters, {flops} and {moved} moved.", GREEN


def note(chain: Chain) -> str:
    """What the shapes and costs are of, and what is not among them."""
    told = f"Shapes and costs are those of {PICTURE['batch']} pictures at once."
    return f"{told} FLOPs uncounted: {', '.join(chain.uncounted)}." if chain.uncounted else told


def boxes(chain: Chain) -> list[Shape]:
    """Pictures, blocks and scores; what nothing reaches is gray and dashed."""
    labels = (f"{PICTURE['batch']} pictures", *(p.label for p in chain.pieces), f"{CLASSES} scores of each")
    reached = len(chain.edges) + (not chain.refusal)
    shapes: list[Shape] = []
    for i, label in enumerate(labels):
        color, dash = (BLUE, ()) if i < reached else (QUIET, (5.0, 4.0))
        fill = BLUE if i < reached and 0 < i <= len(chain.pieces) else "none"
        box = (LEFT, TOP + i * STEP, BOX, TALL)
        shapes += [
            Rect(*box, fill=fill, opacity=0.13, stroke=color, stroke_width=1.5, dash=dash, radius=6),
            Text(
                MIDDLE,
                TOP + i * STEP + 22,
                label,
                fill=INK if i < reached else QUIET,
                anchor="middle",
                weight="bold",
            ),
        ]
    return shapes


def arrows(chain: Chain) -> list[Shape]:
    """An arrow and a shape for each edge; the refused one is crossed out, with its message beside it."""
    shapes: list[Shape] = []
    for i, edge in enumerate(chain.edges):
        start, end = TOP + i * STEP + TALL, TOP + (i + 1) * STEP
        middle = (start + end) / 2
        if chain.refusal and i == len(chain.edges) - 1:
            shapes += refused(start, end)
            shapes += [
                Text(
                    MESSAGE,
                    middle + 5 + 19 * number,
                    line,
                    fill=VERMILLION,
                    weight="normal" if number else "bold",
                )
                for number, line in enumerate(lines(chain.refusal))
            ]
        else:
            shapes.append(Line(MIDDLE, start, MIDDLE, end - 1, stroke_width=2, marker="arrow"))
            shapes.append(Text(MIDDLE + 14, middle + 4, shape(edge), size=12))
    return shapes


def refused(start: float, end: float) -> list[Shape]:
    """A broken line with a cross on it: a sign without color, too."""
    middle = (start + end) / 2
    return [
        Line(MIDDLE, start, MIDDLE, end, stroke=VERMILLION, stroke_width=3, dash=(4, 4)),
        *(
            Line(MIDDLE - 9, middle - side, MIDDLE + 9, middle + side, stroke=VERMILLION, stroke_width=4)
            for side in (9, -9)
        ),
    ]


def lines(refusal: str) -> list[str]:
    """The edge, what is given, what is taken, and the reason; each on lines of its own."""
    parts = re.split(r": |, (?=\w+ takes )", refusal)
    return [line for part in parts for line in textwrap.wrap(part, LETTERS)]


def costs(chain: Chain) -> list[Shape]:
    """Beside each block that data reaches its share of parameters, FLOPs and bytes; the sums at the foot."""
    headings = ("parameters", "FLOPs", "bytes moved")
    shapes: list[Shape] = [
        Text(x, TOP + 22, heading, weight="bold") for x, heading in zip(COLUMNS, headings, strict=True)
    ]
    for i, piece in enumerate(chain.pieces, start=1):
        if piece.work is None:
            return shapes
        y = TOP + i * STEP
        for x, price, whole, text in zip(
            COLUMNS, piece.prices, chain.prices, written(piece.prices), strict=True
        ):
            shapes.append(Text(x, y + 13, text))
            if price:
                shapes.append(Rect(x, y + 20, BAR * price / whole, 10, fill=BLUE))
    if not chain.refusal:
        y = TOP + STEP * (1 + len(chain.pieces))
        shapes.append(Line(COLUMNS[0], y, COLUMNS[-1] + BAR, y, stroke=QUIET, stroke_width=1))
        for x, text in zip(COLUMNS, written(chain.prices), strict=True):
            shapes.append(Text(x, y + 22, text, weight="bold"))
    return shapes


def written(prices: tuple[int, int, int]) -> tuple[str, str, str]:
    """Parameters to the last one, FLOPs and bytes to three digits."""
    parameters, flops, moved = prices
    return f"{parameters:,}", with_unit(flops, "FLOP"), with_unit(moved, "B")


def shape(edge: Edge) -> str:
    """What flows along an edge, "(batch=32, height=28, 28)", as the check's messages write it."""
    words = (
        f"{name}={size}" if name else str(size) for name, size in zip(edge.axes, edge.shape, strict=True)
    )
    return f"({', '.join(words)})"
