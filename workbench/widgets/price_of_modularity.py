"""The price of modularity: how much of a layer's time is Python, and from which width on the work swamps it.

Modules, containers and hooks cost some microseconds a call, while the work grows with the square of the width. A column
for each width shows a layer's time as shares of 100%: so a price that hardly changes, or even rises, is seen to vanish.
How the parts are told apart is in `price_of_modularity_kit.py`.
"""

from __future__ import annotations

from workbench.drawing.axes import with_unit
from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Circle, Line, Rect, Shape, Text
from workbench.drawing.style import BLUE, EDGE, GREEN, INK, ORANGE, PAPER, QUIET, VERMILLION
from workbench.widgets.controls import Range, Select, Toggle
from workbench.widgets.explorer import Explorer, State
from workbench.widgets.price_of_modularity_kit import DEEPEST, NEGLIGIBLE, ROWS, Parts, Prices

WIDE, HEIGHT = 900.0, 436.0
LEFT, NEST, NEST_TOP, NEST_HEIGHT, LIST = 8.0, 330.0, 66.0, 190.0, 300.0
START, END, TOP, BOTTOM = 420.0, 892.0, 84.0, 316.0  # the chart
COLORS = {"Python": VERMILLION, "dispatch": QUIET, "work": BLUE}
SHADES = {"Python": 0.85, "dispatch": 0.4, "work": 0.6}


def price_of_modularity(prices: Prices) -> Explorer:
    """Explorer: choose a width, wrap each layer in containers and hooks, and see what share of its time is Python.

    prices: what `measure_prices` found on this machine.
    """
    widths = {str(width): f"{width:,}" for width in prices.widths}
    return Explorer(
        title="The price of modularity",
        question="From which tensor size on is modularity free?",
        controls=[
            Select("width", "Width", widths, value=list(widths)[len(widths) // 2]),
            Range("depth", "Containers", 0, DEEPEST, 1, value=2),
            Toggle("hooks", "A hook on each module"),
        ],
        frame=lambda state: frame(state, prices),
    )


def frame(state: State, prices: Prices) -> Scene:
    """One layer in its wrapping and where its time goes; beside it the shares at every width."""
    width, depth, hooks = int(state["width"]), int(state["depth"]), state["hooks"]
    parts, ratio = prices.parts(width, depth, hooks), prices.ratio(width, depth, hooks)
    headline = f"A layer on {ROWS} × {width:,} numbers: {rounded(ratio)}× its bare function's time"
    verdict, color = judge(prices.free_from(depth, hooks), depth, hooks)
    trust = "" if prices.trusted else "Untrusted: the machine was busy, or times vary."
    shapes = [
        Text(LEFT, 22, headline, size=15, weight="bold"),
        Text(LEFT, 44, trust, fill=VERMILLION),
        *nest(depth, hooks),
        *listed(parts),
        *chart(width, depth, hooks, prices),
        Text(LEFT, HEIGHT - 14, verdict, size=14, fill=color, weight="bold"),
    ]
    times = ", ".join(f"{name} {time(part)}" for name, part in zip(COLORS, parts, strict=True))
    alt = f"{headline}: {times}. {verdict} {trust}".strip()
    return Scene(WIDE, HEIGHT, tuple(shapes), alt)


def judge(free_from: int | None, depth: int, hooks: bool) -> tuple[str, str]:
    """From which width on this wrapping is free, and the color to say it in."""
    containers = f"{depth} containers" if depth > 1 else "1 container" if depth else "no container"
    module = f"A module in {containers}, {'with' if hooks else 'without'} hooks"
    less = f"less than {NEGLIGIBLE:.0%} longer than the bare function"
    if free_from is None:
        return f"{module}: at none of these widths {less}.", VERMILLION
    return f"{module}: {less} from width {free_from:,} on.", GREEN


def rounded(ratio: float) -> str:
    """A ratio to hundredths, as the 5% that count here ask for."""
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"


def time(seconds: float) -> str:
    """A time; what is less than a nanosecond is rounding."""
    return with_unit(round(seconds, 9), "s")


def nest(depth: int, hooks: bool) -> list[Shape]:
    """The layer inside its containers, a circle on the rim of each module that is watched."""
    shapes: list[Shape] = []
    for level in range(depth + 1):
        inward = DEEPEST - depth + level  # the layer keeps its place, containers grow around it
        left, top = LEFT + 15.0 * inward, NEST_TOP + 26.0 * inward
        wide, high = NEST - 30.0 * inward, NEST_HEIGHT - 36.0 * inward
        inmost = level == depth
        shapes += [
            Rect(left, top, wide, high, fill=BLUE if inmost else PAPER, opacity=0.18 if inmost else 1.0,
                 stroke=BLUE if inmost else QUIET, stroke_width=1.5, radius=8),
            Text(left + 12, top + 18, "Linear" if inmost else "Sequential", size=12,
                 fill=BLUE if inmost else QUIET, weight="bold" if inmost else "normal"),
        ]  # fmt: skip
        if hooks:
            shapes.append(Text(left + wide - 24, top + 18, "hook", size=12, anchor="end"))
            shapes.append(Circle(left + wide - 14, top + 14, 5, fill=ORANGE, stroke=INK))
    return shapes


def listed(parts: Parts) -> list[Shape]:
    """The parts of a layer's time."""
    meanings = {
        "Python": "calls of modules and hooks",
        "dispatch": "torch finds its kernel",
        "work": "arithmetic, memory traffic",
    }
    shapes: list[Shape] = [
        Text(LEFT, LIST - 10, "Time of a layer", weight="bold"),
        Text(LEFT + NEST, LIST - 10, time(sum(parts)), anchor="end", weight="bold"),
        Line(LEFT, LIST, LEFT + NEST, LIST, stroke=EDGE, stroke_width=0.8),
    ]
    for i, (name, part) in enumerate(zip(COLORS, parts, strict=True)):
        y = LIST + 22 + 22 * i
        shapes += [
            Rect(LEFT, y - 11, 13, 13, fill=COLORS[name], opacity=SHADES[name]),
            Text(LEFT + 24, y, name, weight="bold"),
            Text(LEFT + 100, y, meanings[name], size=12, fill=QUIET),
            Text(LEFT + NEST, y, time(part), anchor="end"),
        ]
    return shapes


def chart(chosen: int, depth: int, hooks: bool, prices: Prices) -> list[Shape]:
    """A column of shares for each width, with how many times as long as a bare function under it."""
    step = (END - START) / len(prices.widths)
    free = prices.free_from(depth, hooks)
    shapes = [
        Text(START, TOP - 40, "Share of a layer's time", weight="bold"),
        *(line for share in (0, 50, 100) for line in level(share)),
        Text(START - 8, BOTTOM + 20, "width", size=12, fill=QUIET, anchor="end"),
        Text(START - 8, BOTTOM + 44, "× bare", size=12, fill=QUIET, anchor="end"),
    ]
    for i, width in enumerate(prices.widths):
        left, middle = START + i * step + 4, START + (i + 0.5) * step
        shapes += column(prices.parts(width, depth, hooks), left, step - 8)
        weight = "bold" if width == chosen else "normal"
        ratio = rounded(prices.ratio(width, depth, hooks))
        shapes += [
            Text(middle, BOTTOM + 20, f"{width:,}", size=12, anchor="middle", weight=weight),
            Text(middle, BOTTOM + 44, ratio, size=12, anchor="middle", weight=weight),
        ]
        if width == chosen:
            shapes.append(Rect(left - 3, TOP - 3, step - 2, BOTTOM - TOP + 6, stroke=INK, stroke_width=2))
        if width == free:
            shapes += [
                Line(left, TOP - 12, END - 4, TOP - 12, stroke=GREEN, stroke_width=3),
                Text(
                    END - 4,
                    TOP - 20,
                    f"less than {NEGLIGIBLE:.0%} more",
                    size=12,
                    fill=GREEN,
                    anchor="end",
                    weight="bold",
                ),
            ]
    return shapes


def column(parts: Parts, left: float, wide: float) -> list[Shape]:
    """The parts as shares of their sum, work at the bottom and Python on top."""
    shapes: list[Shape] = []
    foot = BOTTOM
    for name, part in reversed(list(zip(COLORS, parts, strict=True))):
        high = (BOTTOM - TOP) * part / sum(parts)
        foot -= high
        shapes.append(Rect(left, foot, wide, high, fill=COLORS[name], opacity=SHADES[name]))
    return shapes


def level(percent: int) -> list[Shape]:
    """A line across the chart at a share."""
    y = BOTTOM - (BOTTOM - TOP) * percent / 100
    return [
        Line(START, y, END, y, stroke=EDGE, stroke_width=0.6),
        Text(START - 8, y + 4, f"{percent}%", size=12, fill=QUIET, anchor="end"),
    ]
