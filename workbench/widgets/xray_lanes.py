"""A warp as 32 boxes, filled where a lane is at work; and what a test or a barrier does to them.

A warp has one instruction at a time for all its lanes. Where a test sends them two ways, it walks both, one after the
other, each time with the lanes of the other way idle (CUDA C++ Programming Guide, "SIMT Architecture").
"""

from __future__ import annotations

from collections.abc import Collection

from kernels.simt.counters import WARP
from kernels.simt.record import Step
from workbench.drawing.shapes import Line, Rect, Shape, Text
from workbench.drawing.style import BLUE, INK, QUIET

LEFT, WIDTH = 522.0, 370.0  # of the right half of the picture
RIGHT = LEFT + WIDTH
LANE = WIDTH / WARP
SMALL = 11.0
TOP = 82.0  # the base line of a panel's title


def lanes_of(mask: int) -> list[int]:
    """The numbers of the lanes whose bit is set, in order."""
    return [lane for lane in range(WARP) if mask >> lane & 1]


def center(lane: int) -> float:
    """The x of a lane's middle."""
    return LEFT + (lane + 0.5) * LANE


def boxes(
    y: float, active: Collection[int], absent: Collection[int] = (), height: float = 14.0
) -> list[Shape]:
    """32 boxes: filled for active lanes, an outline for idle ones, hardly a trace of absent ones."""
    drawn: list[Shape] = []
    for lane in range(WARP):
        box = (LEFT + lane * LANE + 1, y, LANE - 2, height)
        if lane in active:
            drawn.append(Rect(*box, fill=BLUE, radius=2))
        else:
            dash = (2.0, 2.0) if lane in absent else ()
            drawn.append(Rect(*box, stroke=QUIET, stroke_width=0.8, dash=dash, radius=2))
    return drawn


def ruler(y: float) -> list[Shape]:
    """Numbers of some lanes over their boxes."""
    return [
        Text(center(lane), y, str(lane), size=SMALL, fill=QUIET, anchor="middle")
        for lane in (0, 8, 16, 24, 31)
    ]


def titled(title: str, active: Collection[int]) -> list[Shape]:
    """A strip of lanes at the top of the panel, under its title and numbers; ends at `TOP + 40`."""
    return [Text(LEFT, TOP, title, size=12, weight="bold"), *ruler(TOP + 20), *boxes(TOP + 26, active)]


def branch(step: Step) -> list[Shape]:
    """The lanes before a test, then those that go each way."""
    active, taken = lanes_of(step.active), lanes_of(step.active & step.taken)
    rest = [lane for lane in active if lane not in taken]
    drawn = titled("Lanes at the test", active)
    drawn += way(166, "true", taken, rest)
    drawn += way(226, "false", rest, taken)
    if taken and rest:
        steps = (len(taken) + len(rest)) / 2
        drawn += [
            Text(LEFT, 296, "The warp walks one way, then the other.", size=12),
            Text(LEFT, 314, f"On average {steps:g} of 32 lanes are at work meanwhile.", size=12, fill=QUIET),
        ]
    return drawn


def way(y: float, name: str, there: Collection[int], elsewhere: Collection[int]) -> list[Shape]:
    """One way out of a test, with the lanes that take it."""
    if not there:
        return [Text(LEFT, y, f"{name}: no lane goes here", size=12, fill=QUIET)]
    lanes = "1 lane" if len(there) == 1 else f"{len(there)} lanes"
    return [Text(LEFT, y, f"{name}: {lanes}", size=12, weight="bold"), *boxes(y + 8, there, elsewhere)]


def barrier(step: Step) -> list[Shape]:
    """Lanes before a wall."""
    active = lanes_of(step.active)
    wall = 190.0
    return [
        *titled("Lanes at the barrier", active),
        *(
            Line(center(lane), TOP + 42, center(lane), wall - 3, stroke=BLUE, stroke_width=1)
            for lane in active
        ),
        Rect(LEFT, wall, WIDTH, 8, fill=INK),
        Text(LEFT, wall + 28, "No thread of the block goes on until all are here;", size=12),
        Text(LEFT, wall + 46, "what any of them wrote before, all of them see after.", size=12),
    ]


def others(step: Step) -> list[Shape]:
    """Lanes at work, for a step that is neither an access nor a test."""
    titles = {"shuffle": "Lanes that exchange a value", "vote": "Lanes that vote"}
    return titled(titles.get(step.kind, "Lanes at work"), lanes_of(step.active))
