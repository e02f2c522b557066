"""Attention two ways: a matrix of scores that is held whole, or a tile that sweeps over it.

On the left what a call holds while it runs, on the right the most it holds, over the length: both axes logarithmic, so
that a quadratic curve is a line twice as steep as a linear one. Lines are the formulas of `attention_two_ways_kit.py`,
markers what was measured.
"""

from __future__ import annotations

from workbench.drawing.axes import Scale, with_unit
from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Circle, Line, Polyline, Shape, Text, mark
from workbench.drawing.style import BLUE, EDGE, GREEN, INK, QUIET, VERMILLION
from workbench.widgets.attention_two_ways_kit import INPUTS, LENGTHS, NAIVE, STREAMING, WIDTH, Peaks, held
from workbench.widgets.attention_two_ways_matrix import LEFT, matrices
from workbench.widgets.controls import Range, Select
from workbench.widgets.explorer import Explorer, State

WIDE, HEIGHT = 900.0, 460.0
START, END, TOP, BOTTOM = 552.0, 798.0, 76.0, 362.0  # the chart
COLORS = {NAIVE: VERMILLION, STREAMING: BLUE}
MARKERS = {NAIVE: "s", STREAMING: "o"}
WORDS = {NAIVE: "all scores at once (naive)", STREAMING: "tile by tile (streaming)"}
EQUAL = 2 * WIDTH  # the length at which scores and weights take what q, k, v and the output take


def attention_two_ways(peaks: Peaks | None = None) -> Explorer:
    """Explorer: choose a length and a way, sweep through the call, and see what is held in memory.

    peaks: what `measure_attention` found on this machine, set as markers beside the curves; None leaves the formulas.
    """
    return Explorer(
        title="Attention two ways",
        question=(
            "At which length does the score matrix outgrow everything else, and what does streaming hold instead?"
        ),
        controls=[
            Select("length", "Length", {str(length): f"{length:,}" for length in LENGTHS}, value="4096"),
            Select("way", "Way", WORDS),
            Range("sweep", "Done", 0, 100, 5, value=50, unit="%"),
        ],
        frame=lambda state: frame(state, peaks),
    )


def frame(state: State, peaks: Peaks | None) -> Scene:
    """What is held at this moment of the call, and the most that either way holds at every length."""
    length, way, done = int(state["length"]), state["way"], state["sweep"] / 100
    parts = held(way, length)
    total = with_unit(sum(parts.values()), "B")
    headline = f"{length:,} tokens, {WORDS[way]}: {total} at most"
    verdict = compare(length, peaks)
    drawn, told = matrices(way, length, done)
    shapes = [
        Text(LEFT, 22, headline, size=15, weight="bold"),
        *drawn,
        *chart(length, way, peaks),
        Text(LEFT, HEIGHT - 14, verdict, size=14, weight="bold"),
    ]
    listed = ", ".join(f"{name} {with_unit(size, 'B')}" for name, size in parts.items())
    return Scene(WIDE, HEIGHT, tuple(shapes), f"{headline}: {listed}. {told} {verdict}")


def compare(length: int, peaks: Peaks | None) -> str:
    """Both ways in a sentence, and whether the naive one would fit at all."""
    ways = [held(way, length) for way in (NAIVE, STREAMING)]
    naive, streaming = (with_unit(sum(parts.values()) - parts[INPUTS], "B") for parts in ways)
    needed = sum(ways[0].values())
    if peaks and needed > peaks.memory:
        most, memory = with_unit(needed, "B"), with_unit(peaks.memory, "B")
        return f"{most} do not fit into this machine's {memory}; streaming holds {streaming} in place of {naive}."
    told = f"{length / EQUAL:g}×"
    if length <= EQUAL:
        told = "smaller than" if length < EQUAL else "as large as"
    return (
        f"Scores and weights are {told} q, k, v and the output: {naive}, where streaming holds {streaming}."
    )


def chart(length: int, way: str, peaks: Peaks | None) -> list[Shape]:
    """Bytes over length for both ways, what both must hold, and a line at the chosen length."""
    x = Scale(LENGTHS[0], LENGTHS[-1], START, END, log=True)
    y = Scale(4e4, 2e11, BOTTOM, TOP, log=True)
    shapes = grid(x, y)
    if peaks and y.low < peaks.memory < y.high:
        at = y.place(peaks.memory)
        memory = f"memory of this machine, {with_unit(peaks.memory, 'B')}"
        shapes += [
            Line(START, at, END, at, stroke=GREEN, stroke_width=1.5, dash=(6, 4)),
            Text(START + 4, at - 6, memory, size=12, fill=GREEN),
        ]
    least = tuple((x.place(n), y.place(held(NAIVE, n)[INPUTS])) for n in LENGTHS)
    shapes.append(Polyline(least, stroke=QUIET, stroke_width=1.2, dash=(2, 4)))
    shapes.append(Text(START + 78, BOTTOM - 34, "q, k, v and the output alone", size=12, fill=QUIET))
    for name, color in COLORS.items():
        points = tuple((x.place(n), y.place(sum(held(name, n).values()))) for n in LENGTHS)
        shapes.append(Polyline(points, stroke=color, stroke_width=3.0 if name == way else 1.5))
        shapes.append(Text(END + 12, points[-1][1] + 4, name, fill=color, weight="bold"))
        measured = peaks.bytes if peaks else {}
        shapes += [
            mark((x.place(n), y.place(value)), MARKERS[name], color)
            for (of, n), value in measured.items()
            if of == name and x.low <= n <= x.high
        ]
    return shapes + cursor(x, y, length)


def cursor(x: Scale, y: Scale, length: int) -> list[Shape]:
    """A line at the chosen length, and a ring where it meets each curve."""
    at = x.place(length)
    return [
        Line(at, TOP, at, BOTTOM, stroke=QUIET, stroke_width=1, dash=(2, 4)),
        *(
            Circle(at, y.place(sum(held(way, length).values())), 7, stroke=INK, stroke_width=1.5)
            for way in COLORS
        ),
    ]


def grid(x: Scale, y: Scale) -> list[Shape]:
    """Axes: bytes by thousands, lengths by factors of eight."""
    shapes: list[Shape] = [
        Text(START, TOP - 14, "The most held in a call", weight="bold"),
        Line(START, BOTTOM, END, BOTTOM, stroke=QUIET, stroke_width=1),
        Text((START + END) / 2, BOTTOM + 42, "length in tokens", size=12, anchor="middle"),
    ]
    for tick in y.ticks():
        at = y.place(tick)
        shapes += [
            Line(START, at, END, at, stroke=EDGE, stroke_width=0.6),
            Text(START - 8, at + 4, with_unit(tick, "B"), size=12, fill=QUIET, anchor="end"),
        ]
    for length in LENGTHS[::3] + LENGTHS[-1:]:
        at = x.place(length)
        shapes += [
            Line(at, BOTTOM, at, BOTTOM + 5, stroke=QUIET, stroke_width=1),
            Text(at, BOTTOM + 20, f"{length:,}", size=12, fill=QUIET, anchor="middle"),
        ]
    return shapes
