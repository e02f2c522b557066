"""The roofline of the reader's own machine: which of two limits holds an operation back?

An operation of F floating-point operations that must move B bytes can go no faster than the arithmetic units (π FLOP/s)
and no faster than memory feeds them (β bytes/s):

    attainable FLOP/s = min(π, β · F/B)

With F/B, the arithmetic intensity, on a logarithmic axis this is a slanted roof that meets a flat one at π/β.
Left of the ridge an operation waits for memory, right of it for arithmetic.

Source: Williams, Waterman, Patterson, *Roofline: An Insightful Visual Performance Model for Multicore
Architectures*, Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from workbench.drawing.axes import Scale, with_unit
from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Circle, Line, Polyline, Rect, Shape, Text
from workbench.drawing.style import BLUE, EDGE, INK, PAPER, QUIET, VERMILLION
from workbench.widgets.controls import Select
from workbench.widgets.explorer import Explorer, State

WIDTH, HEIGHT = 900.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 74.0, 610.0, 34.0, 338.0  # the chart
BESIDE = 640.0  # the column of text


class Machine(Protocol):
    """What a machine must say of itself: measured copy bandwidth (bytes/s) and arithmetic (FLOP/s)."""

    name: str
    copy_bandwidth: float
    flops: float


@dataclass(frozen=True)
class Operation:
    """An operation's work: FLOPs, bytes that must move, and seconds where it was measured."""

    name: str
    flops: float
    bytes: float
    seconds: float | None = None

    def __post_init__(self) -> None:
        if not (self.flops > 0 and self.bytes > 0 and (self.seconds is None or self.seconds > 0)):
            raise ValueError(
                f"{self.name}: flops, bytes and seconds must be above 0, got {self.flops}, {self.bytes}, {self.seconds}"
            )

    @property
    def intensity(self) -> float:
        """FLOPs per byte."""
        return self.flops / self.bytes


def machine_roof(machine: Machine, operations: Iterable[tuple[str, float, float, float | None]]) -> Explorer:
    """Explorer: choose an operation, see which roof holds it back and how near to the roof it came.

    machine: anything with `name`, `copy_bandwidth` (bytes/s) and `flops` (FLOP/s).
    operations: (name, FLOPs, bytes, measured seconds or None) of each.

    Raises ValueError without operations, or for figures that are not above 0.
    """
    table = {name: Operation(name, flops, moved, seconds) for name, flops, moved, seconds in operations}
    if not table:
        raise ValueError("operations must not be empty")
    if not (machine.copy_bandwidth > 0 and machine.flops > 0):
        raise ValueError(
            f"machine: bandwidth and flops must be above 0, got {machine.copy_bandwidth} and {machine.flops}"
        )
    return Explorer(
        title=f"The roofs of this machine: {machine.name}",
        question="What would make this operation faster: quicker arithmetic, or fewer bytes?",
        controls=[Select("operation", "Operation", tuple(table))],
        frame=lambda state: frame(state, machine, table),
    )


def roof(machine: Machine, intensity: float) -> float:
    """The FLOP/s no operation of this arithmetic intensity can pass."""
    return min(machine.flops, machine.copy_bandwidth * intensity)


def frame(state: State, machine: Machine, table: dict[str, Operation]) -> Scene:
    """The roofline with the chosen operation's dot, and beside it the same in words."""
    chosen = table[state["operation"]]
    x, y = scales(machine, table)
    shapes = [*background(machine, x, y)]
    for operation in table.values():
        if operation is not chosen:
            shapes.append(
                Circle(
                    x.place(operation.intensity),
                    y.place(rate(machine, operation)),
                    4,
                    fill=EDGE,
                    stroke=QUIET,
                )
            )
    shapes += dot(machine, chosen, x, y)
    facts, verdict = words(machine, chosen)
    shapes.append(Circle(BESIDE - 14, TOP + 13, 6, fill=VERMILLION))
    shapes.append(Text(BESIDE, TOP + 18, chosen.name, size=14, fill=VERMILLION, weight="bold"))
    shapes += [Text(BESIDE, TOP + 46 + 24 * i, fact) for i, fact in enumerate(facts)]
    shapes += [
        Text(BESIDE, TOP + 68 + 24 * (len(facts) + i), line, weight="normal" if i else "bold")
        for i, line in enumerate(verdict)
    ]
    if len(table) > 1:
        shapes.append(Circle(BESIDE - 14, BOTTOM - 4, 4, fill=EDGE, stroke=QUIET))
        shapes.append(Text(BESIDE, BOTTOM, "the other operations", size=12, fill=QUIET))
    alt = f"Roofline of {machine.name}. {'. '.join((chosen.name, *facts, *verdict))}."
    return Scene(WIDTH, HEIGHT, tuple(shapes), alt)


def rate(machine: Machine, operation: Operation) -> float:
    """FLOP/s reached where measured, else the most that can be."""
    if operation.seconds is None:
        return roof(machine, operation.intensity)
    return operation.flops / operation.seconds


def scales(machine: Machine, table: dict[str, Operation]) -> tuple[Scale, Scale]:
    """Logarithmic scales that hold the ridge and every operation, with room to spare."""
    ridge = machine.flops / machine.copy_bandwidth
    intensities = [ridge, *(operation.intensity for operation in table.values())]
    low, high = min(intensities) / 6, max(intensities) * 6
    rates = [machine.flops, *(rate(machine, operation) for operation in table.values())]
    rates.append(roof(machine, low))
    x = Scale(low, high, LEFT, RIGHT, log=True)
    return x, Scale(min(rates) / 1.5, max(rates) * 4, BOTTOM, TOP, log=True)


def background(machine: Machine, x: Scale, y: Scale) -> list[Shape]:
    """Axes, the two roofs, and what each side of the ridge waits for."""
    ridge = x.place(machine.flops / machine.copy_bandwidth)
    flat = y.place(machine.flops)
    foot = y.place(roof(machine, x.low))
    slope = foot + 0.6 * (flat - foot)  # where the slanted roof gets its label
    memory = with_unit(machine.copy_bandwidth, "B/s")
    shapes: list[Shape] = [
        Rect(LEFT, TOP, ridge - LEFT, BOTTOM - TOP, fill=BLUE, opacity=0.07),
        Text(
            (LEFT + ridge) / 2,
            TOP + 18,
            "waits for memory",
            anchor="middle",
            size=12,
            fill=BLUE,
            weight="bold",
        ),
        Text(
            (ridge + RIGHT) / 2,
            TOP + 18,
            "waits for arithmetic",
            anchor="middle",
            size=12,
            fill=INK,
            weight="bold",
        ),
        Line(LEFT, BOTTOM, RIGHT, BOTTOM, stroke=QUIET, stroke_width=1),
    ]
    for tick in x.ticks():
        at = x.place(tick)
        shapes += [
            Line(at, BOTTOM, at, BOTTOM + 5, stroke=QUIET, stroke_width=1),
            Text(at, BOTTOM + 20, f"{tick:g}", anchor="middle", size=12, fill=QUIET),
        ]
    for tick in y.ticks():
        at = y.place(tick)
        shapes += [
            Line(LEFT, at, RIGHT, at, stroke=EDGE, stroke_width=0.6),
            Text(LEFT - 8, at + 4, with_unit(tick, ""), anchor="end", size=12, fill=QUIET),
        ]
    shapes += [
        Text((LEFT + RIGHT) / 2, BOTTOM + 42, "FLOPs done for each byte moved", anchor="middle", size=12),
        Text(LEFT - 8, TOP - 14, "FLOP/s", anchor="end", size=12),
        Line(ridge, flat, ridge, BOTTOM, stroke=QUIET, stroke_width=1, dash=(3, 4)),
        Polyline(((LEFT, foot), (ridge, flat), (RIGHT, flat)), stroke_width=3),
        Text(RIGHT - 4, flat - 9, f"arithmetic: {with_unit(machine.flops, 'FLOP/s')}", anchor="end", size=12),
        Text(LEFT + 0.6 * (ridge - LEFT) - 12, slope, f"memory: {memory}", anchor="end", size=12),
    ]
    return shapes


def dot(machine: Machine, operation: Operation, x: Scale, y: Scale) -> list[Shape]:
    """The operation on, under or (if a roof was measured too low) above the roof, with the gap to it."""
    at, reached = x.place(operation.intensity), y.place(rate(machine, operation))
    ceiling = y.place(roof(machine, operation.intensity))
    filled = VERMILLION if operation.seconds is not None else PAPER
    return [
        Line(at, reached, at, ceiling, stroke=VERMILLION, stroke_width=2, dash=(4, 3)),
        Circle(at, ceiling, 4, fill=PAPER, stroke=VERMILLION, stroke_width=2),
        Circle(at, reached, 7, fill=filled, stroke=VERMILLION, stroke_width=2),
    ]


def words(machine: Machine, operation: Operation) -> tuple[list[str], list[str]]:
    """The picture in sentences: facts, and the verdict."""
    ceiling = roof(machine, operation.intensity)
    memory = operation.intensity < machine.flops / machine.copy_bandwidth
    facts = [
        f"{with_unit(operation.flops, 'FLOP')}, {with_unit(operation.bytes, 'B')} moved",
        f"{operation.intensity:.3g} FLOP for each byte",
        f"Roof there: {with_unit(ceiling, 'FLOP/s')}",
        f"At best {with_unit(operation.flops / ceiling, 's')}",
    ]
    share = 1.0
    if operation.seconds is not None:
        share = operation.flops / operation.seconds / ceiling
        facts.append(f"Measured {with_unit(operation.seconds, 's')}: {share:.0%} of the roof")
    if share > 1.005:
        return facts, ["Above the roof", "The roof was measured too low."]
    if share < 0.25:
        return facts, ["Far below both roofs", "Overhead holds it back, not the work."]
    if memory:
        return facts, ["Held back by memory", "Fewer bytes would help."]
    return facts, ["Held back by arithmetic", "Quicker arithmetic would help."]
