"""The fusion ladder: each tensor that leaves for memory and comes back is a rung, and fusing removes rungs.

An elementwise operation does so little arithmetic per byte that its time is the time of moving its tensors. So the
prediction needs no arithmetic at all:

    seconds ≥ bytes moved / bandwidth of memory

Source: Williams, Waterman, Patterson, *Roofline*, Communications of the ACM 52(4), 2009, left of the ridge. What a
measured time has beyond the prediction is overhead, or arithmetic that was not free; where it has less, the tensors
stayed in a cache. Which trips a chain makes is in `chains.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from workbench.drawing.axes import Scale, with_unit
from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Line, Rect, Shape, Text
from workbench.drawing.style import BLUE, EDGE, INK, PAPER, QUIET, VERMILLION
from workbench.widgets.chains import Chain, Trip, chain_named, trips
from workbench.widgets.controls import Select, Toggle
from workbench.widgets.explorer import Explorer, State

WIDTH, HEIGHT = 900.0, 448.0
LEFT, RIGHT, INSET = 96.0, 892.0, 24.0
BOX_TOP, BOX_HEIGHT, MEMORY_TOP, MEMORY_HEIGHT = 48.0, 62.0, 204.0, 34.0
TIME = 484.0  # left edge of the times
ROWS = (318.0, 374.0)  # of the bars: one by one, fused

Size = int | str


class Machine(Protocol):
    """What the prediction needs of a machine: measured copy bandwidth in bytes/s."""

    name: str
    copy_bandwidth: float


@dataclass(frozen=True)
class Figures:
    """One chain at one size: bytes counted; seconds predicted, measured, and the measured one's spread."""

    bytes: float
    predicted: float
    measured: float
    spread: float

    def __post_init__(self) -> None:
        if not (self.bytes > 0 and self.predicted > 0 and self.measured > 0 and self.spread >= 0):
            raise ValueError(f"bytes and seconds must be above 0 and the spread not below, got {self}")

    def __str__(self) -> str:
        seconds = f"{with_unit(self.measured, 's')} (predicted {with_unit(self.predicted, 's')})"
        return f"{with_unit(self.bytes, 'B')} and {seconds}"


Table = dict[tuple[str, str, bool], Figures]


def fusion_ladder(
    measurements: dict[tuple[str, Size, bool], tuple[float, float, float, float]], machine: Machine
) -> Explorer:
    """Explorer: choose a chain of operations and a size, switch fusing on, and see trips, bytes and time.

    measurements: (chain, size, fused) -> (bytes moved, predicted seconds, measured seconds, spread in seconds).
        A chain is named as its operations joined by " + "; each needs every size, fused and not.
    machine: the one it was measured on: `name`, and `copy_bandwidth` in bytes/s.

    Raises ValueError when a measurement is missing or not above 0.
    """
    if not measurements:
        raise ValueError("measurements must not be empty")
    chains = tuple(dict.fromkeys(chain for chain, _, _ in measurements))
    sizes = list(dict.fromkeys(size for _, size, _ in measurements))
    wanted = [(chain, size, fused) for chain in chains for size in sizes for fused in (False, True)]
    missing = [key for key in wanted if key not in measurements]
    if missing:
        raise ValueError(f"measurements: every chain needs every size, fused and not; missing {missing}")
    table = {(chain, str(size), fused): Figures(*row) for (chain, size, fused), row in measurements.items()}
    return Explorer(
        title="The fusion ladder",
        question="How many trips to memory does fusing save, and does the time shrink by the same share?",
        controls=[
            Select("chain", "Operations", chains),
            Select(
                "size", "Size", {str(size): f"{size:,}" if isinstance(size, int) else size for size in sizes}
            ),
            Toggle("fused", "Fuse them", words=("no", "yes")),
        ],
        frame=lambda state: frame(state, table, machine),
    )


def frame(state: State, table: Table, machine: Machine) -> Scene:
    """The chain with its trips to memory, and below it bytes and time, one by one and fused."""
    name, size, fused = state["chain"], state["size"], state["fused"]
    chain = chain_named(name)
    one, other = table[name, size, False], table[name, size, True]
    made = trips(chain, fused)
    count = sum(not trip.saved for trip in made)
    headline = f"{'Fused' if fused else 'One by one'}: {count} trips to memory"
    copies = f"{machine.name}: memory copies {with_unit(machine.copy_bandwidth, 'B/s')}"
    verdict = compare(one, other)
    shapes = [
        Text(LEFT, 22, headline, size=15, weight="bold"),
        Text(RIGHT, 22, copies, size=12, fill=QUIET, anchor="end"),
        *boxes(chain, fused),
        *rungs(chain, made),
        *bars((one, other), fused),
        Text(4, HEIGHT - 12, verdict, size=14, weight="bold"),
    ]
    alt = f"{name}, size {size}. {headline}. One by one {one}; fused {other}. {verdict}"
    return Scene(WIDTH, HEIGHT, tuple(shapes), alt)


def compare(one: Figures, fused: Figures) -> str:
    """The outcome in a sentence; a difference within the spread is not called one."""
    faster = one.measured / fused.measured
    told = f"Fusing moves {factor(one.bytes / fused.bytes)} fewer bytes"
    expected = f"(memory alone predicts {factor(one.predicted / fused.predicted)})"
    if abs(one.measured - fused.measured) <= one.spread + fused.spread:
        return f"{told}; the times do not clearly differ {expected}."
    if faster < 1:
        return f"{told} but takes {factor(1 / faster)} as long {expected}."
    return f"{told} and is {factor(faster)} as fast {expected}."


def factor(ratio: float) -> str:
    """A ratio to two digits; "2×"."""
    return f"{ratio:.2g}×" if ratio < 99 else f"{ratio:.0f}×"


def columns(chain: Chain) -> list[tuple[float, float]]:
    """Left edge and width of each operation's box; the gaps are wide enough for a tensor's name."""
    count = len(chain.steps)
    gap = 70.0 if count < 3 else 40.0
    width = (RIGHT - LEFT - 2 * INSET - gap * (count - 1)) / count
    return [(LEFT + INSET + i * (width + gap), width) for i in range(count)]


def boxes(chain: Chain, fused: bool) -> list[Shape]:
    """The operations above a slab of memory; fused, one box holds them all and hands tensors on inside."""
    middle = BOX_TOP + BOX_HEIGHT / 2
    shapes: list[Shape] = [
        Text(4, middle + 5, "processor", weight="bold"),
        Text(4, MEMORY_TOP + MEMORY_HEIGHT / 2 + 5, "memory", weight="bold"),
        Rect(LEFT, MEMORY_TOP, RIGHT - LEFT, MEMORY_HEIGHT, fill=QUIET, opacity=0.18, stroke=QUIET, radius=4),
    ]
    edge = BLUE if fused else INK
    if fused:
        around = (LEFT, BOX_TOP - 9, RIGHT - LEFT, BOX_HEIGHT + 18)
        shapes.append(Rect(*around, fill=BLUE, opacity=0.12, stroke=BLUE, stroke_width=2.5, radius=12))
    for i, (step, (left, width)) in enumerate(zip(chain.steps, columns(chain), strict=True)):
        shapes.append(
            Rect(left, BOX_TOP, width, BOX_HEIGHT, fill=PAPER, stroke=edge, stroke_width=1.5, radius=8)
        )
        shapes.append(Text(left + width / 2, middle + 5, step.name, size=15, anchor="middle", weight="bold"))
        if fused and i:
            before = sum(columns(chain)[i - 1])  # right edge of the box before
            passed = ", ".join(tensor for tensor in step.reads if tensor in chain.handed_on)
            shapes.append(
                Line(before + 4, middle, left - 4, middle, stroke=BLUE, stroke_width=3, marker="arrow")
            )
            shapes.append(
                Text((before + left) / 2, middle - 10, passed, fill=BLUE, anchor="middle", weight="bold")
            )
    return shapes


def rungs(chain: Chain, made: list[Trip]) -> list[Shape]:
    """An arrow with its tensor's name for each trip, and a faint trace where one is saved."""
    foot, head = MEMORY_TOP - 2, BOX_TOP + BOX_HEIGHT + 4
    middle = (foot + head) / 2
    shapes: list[Shape] = []
    for i, (left, width) in enumerate(columns(chain)):
        here = [trip for trip in made if trip.step == i]
        for spot, trip in enumerate(here):
            x = left + width * (spot + 0.5) / len(here) - 16
            if trip.saved:
                shapes.append(Line(x, foot, x, head, stroke=EDGE, stroke_width=2, dash=(3, 5)))
                shapes.append(Text(x + 10, middle + 6, "saved", size=12, fill=QUIET))
                continue
            start, end, color, verb = (
                (foot, head, BLUE, "read") if trip.read else (head, foot, VERMILLION, "write")
            )
            shapes.append(Line(x, start, x, end, stroke=color, stroke_width=3, marker="arrow"))
            shapes.append(Text(x + 10, middle - 3, verb, size=12, fill=color))
            shapes.append(Text(x + 10, middle + 14, trip.tensor, fill=color, weight="bold"))
    return shapes


def bars(both: tuple[Figures, Figures], fused: bool) -> list[Shape]:
    """Bytes on the left, predicted and measured time on the right, a row each for one by one and fused."""
    longest = max(max(row.predicted, row.measured + row.spread) for row in both)
    size = Scale(0, max(row.bytes for row in both), LEFT, LEFT + 200)
    time = Scale(0, longest, TIME, TIME + 225)
    heading = ROWS[0] - 34
    shapes: list[Shape] = [
        Text(LEFT, heading, "Bytes moved", weight="bold"),
        Text(TIME, heading, "Time", weight="bold"),
    ]
    for i, (row, y) in enumerate(zip(both, ROWS, strict=True)):
        chosen = fused == bool(i)
        color, shade, weight = (BLUE, 0.9, "bold") if chosen else (QUIET, 0.3, "normal")
        moved, guess, end = size.place(row.bytes), time.place(row.predicted), time.place(row.measured)
        low, high = time.place(max(0, row.measured - row.spread)), time.place(row.measured + row.spread)
        shapes += [
            Text(4, y + 8, "fused" if i else "one by one", weight=weight),
            Rect(LEFT, y - 14, moved - LEFT, 34, fill=color, opacity=shade),
            Text(moved + 8, y + 8, with_unit(row.bytes, "B"), weight=weight),
            Rect(TIME, y - 14, guess - TIME, 14, stroke=color, stroke_width=1.5),
            Text(guess + 8, y - 2, f"predicted {with_unit(row.predicted, 's')}", size=12),
            Rect(TIME, y + 5, end - TIME, 14, fill=color, opacity=shade),
            *(Line(x, y + 8, x, y + 16) for x in (low, high)),  # the spread, as a whisker
            Line(low, y + 12, high, y + 12),
            Text(high + 8, y + 17, f"measured {with_unit(row.measured, 's')}", size=12, weight=weight),
        ]
    return shapes
