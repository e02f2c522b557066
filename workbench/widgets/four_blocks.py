"""Four kinds of block as a picture of who reads whom: eight numbers come in below, eight go out above.

The lines are weights. In a linear layer each line is a weight of its own. A convolution and a recurrent block use the
same few again and again, lines of one color in the picture. In attention no line is a weight: how much one place reads
from another is computed, with three weights, from what stands at both, anew for every input.
"""

from __future__ import annotations

from collections.abc import Callable

from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Circle, Line, Shape, Text
from workbench.drawing.style import BLUE, EDGE, GREEN, INK, PAPER, PURPLE, QUIET, VERMILLION

COUNT, STEP, PANEL = 8, 22.0, 222.0  # numbers in and out, their distance, and a panel's width
BELOW, ABOVE, WIDTH, HEIGHT = 196.0, 84.0, 896.0, 272.0
CHOSEN = 4  # the output whose lines stand out
Place = Callable[[int], float]


def four_blocks() -> Scene:
    """The picture: linear, convolutional, recurrent and attention block side by side."""
    panels = (
        ("Linear (MLP)", linear, "An output reads everything.", "64 weights, one for each line"),
        ("Convolution", convolution, "It reads its neighborhood.", "3 weights, one for each color"),
        ("Recurrent", recurrent, "It reads on, left to right.", "2 weights, one for each color"),
        ("Attention", attention, "It reads what matches it.", "3 weights, which set the lines"),
    )
    shapes: list[Shape] = []
    for number, (title, lines, reads, weights) in enumerate(panels):
        left = 8 + number * PANEL

        def place(i: int, left: float = left) -> float:
            return left + 14 + i * STEP

        shapes += [
            Text(left, 22, title, size=15, weight="bold"),
            Text(left, 43, reads, size=12, fill=QUIET),
            *lines(place),
            *(Circle(place(i), BELOW, 6, fill=INK, stroke=PAPER) for i in range(COUNT)),
            *(Circle(place(i), ABOVE, 6, fill=color(i), stroke=PAPER) for i in range(COUNT)),
            Text(left, BELOW + 34, weights, size=12, weight="bold"),
        ]
    shapes.append(
        Text(8, HEIGHT - 8, "Black dots: numbers in. Red dot: the output to follow.", size=12, fill=QUIET)
    )
    alt = "Eight numbers in, eight out, in four panels. " + " ".join(
        f"{title}: {reads} {weights}." for title, _, reads, weights in panels
    )
    return Scene(WIDTH, HEIGHT, tuple(shapes), alt)


def color(output: int) -> str:
    return VERMILLION if output == CHOSEN else QUIET


def linear(place: Place) -> list[Shape]:
    """All lines, each a weight of its own; those of the chosen output on top."""
    pairs = sorted(((i, o) for i in range(COUNT) for o in range(COUNT)), key=lambda pair: pair[1] == CHOSEN)
    return [
        line(place, i, o, VERMILLION if o == CHOSEN else EDGE, 1.8 if o == CHOSEN else 0.7) for i, o in pairs
    ]


def convolution(place: Place) -> list[Shape]:
    """Three neighbors for each output: one color for each of the three shared weights."""
    colors = {-1: BLUE, 0: GREEN, 1: PURPLE}
    inside = [(o, shift) for o in range(COUNT) for shift in colors if 0 <= o + shift < COUNT]
    return [line(place, o + shift, o, colors[shift], 3.0 if o == CHOSEN else 1.2) for o, shift in inside]


def recurrent(place: Place) -> list[Shape]:
    """From each input up, and from each state on to the next: two weights, two colors."""
    up = [line(place, i, i, BLUE, 3.0 if i <= CHOSEN else 1.2) for i in range(COUNT)]
    on: list[Shape] = [
        Line(
            place(i) + 6,
            ABOVE,
            place(i + 1) - 7,
            ABOVE,
            stroke=GREEN,
            stroke_width=3.0 if i < CHOSEN else 1.2,
        )
        for i in range(COUNT - 1)
    ]
    return up + on


def attention(place: Place) -> list[Shape]:
    """Everything may be read, some of it much: dashed, for these are no weights; an example of one input."""
    read = {0: 0.6, 1: 4.0, 2: 0.6, 3: 1.0, 4: 2.0, 5: 0.6, 6: 5.0, 7: 0.6}
    quiet = [line(place, i, o, EDGE, 0.7, (3, 4)) for i in range(COUNT) for o in range(COUNT) if o != CHOSEN]
    return quiet + [line(place, i, CHOSEN, VERMILLION, wide, (6, 3)) for i, wide in read.items()]


def line(
    place: Place, source: int, target: int, color: str, wide: float, dash: tuple[float, ...] = ()
) -> Shape:
    return Line(place(source), BELOW, place(target), ABOVE, stroke=color, stroke_width=wide, dash=dash)
