"""Gradient flow: how loudly each layer of a deep network hears the error, and how large its activations are.

A layer can learn when both reach it: the error on its way back, the activations on their way forward. Deep networks
lose either, or blow it up, by a factor a layer. `gradient_flow_kit.py` runs the networks; here the sizes are drawn on
one logarithmic scale that no knob changes, so that a flat line is a healthy one. What float32 cannot hold is a zero.
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench.drawing.axes import Scale
from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Circle, Line, Polyline, Rect, Shape, Text
from workbench.drawing.style import BLUE, EDGE, GREEN, PAPER, QUIET, VERMILLION
from workbench.widgets.controls import Range, Select
from workbench.widgets.explorer import Explorer, State
from workbench.widgets.gradient_flow_kit import INITIALIZATIONS, WIRINGS, Flow, flow

EARSHOT = 1000.0  # a layer is in earshot when its error is within this factor of the last layer's
WIDTH, HEIGHT, TOP, BOTTOM, FLOOR = 900.0, 436.0, 88.0, 366.0, 384.0
LEFT, PANEL, SECOND = 58.0, 290.0, 506.0  # left edge and width of the first panel, left edge of the second
# the same at every turn of a knob; what is less lies on the floor
SIZES = Scale(1e-30, 1e11, BOTTOM, TOP, log=True)


def gradient_flow() -> Explorer:
    """Explorer: choose depth, start and wiring of a network, and see which of its layers the error reaches."""
    return Explorer(
        title="Gradient flow",
        question="How deep may a network be before its first layer hears less than a thousandth of the error?",
        controls=[
            Range("depth", "Layers", 2, 64, 2, value=32),
            Select("initialization", "Initialization", INITIALIZATIONS),
            Select("wiring", "Wiring", tuple(WIRINGS)),
        ],
        frame=frame,
    )


def frame(state: State) -> Scene:
    """The error at every layer on the left, the activations on the right, and what the first layer hears."""
    depth, initialization, wiring = int(state["depth"]), state["initialization"], state["wiring"]
    now = flow(depth, initialization, wiring)
    told, (verdict, color) = hearing(now.heard), judge(now)
    shapes = [
        Text(8, 22, told, size=15, weight="bold"),
        Text(8, 44, verdict, fill=color, weight="bold"),
        *axes(LEFT, "← The error on its way back", depth),
        *earshot(now.errors[-1]),
        *curve(LEFT, now.errors, VERMILLION),
        *axes(SECOND, "→ The activations on their way forward", depth),
        *curve(SECOND, now.activations, BLUE),
    ]
    alt = (
        f"{depth} layers, {wiring}, initialization {INITIALIZATIONS[initialization]}. {told} {verdict} "
        f"The error is {worded(now.errors[-1])} at the last layer and {worded(now.errors[0])} at the first; "
        f"the activations go from {worded(now.activations[0])} to {worded(now.activations[-1])}."
    )
    return Scene(WIDTH, HEIGHT, tuple(shapes), alt)


def judge(now: Flow) -> tuple[str, str]:
    """What that means for training, and its color."""
    if 0.0 in now.activations:
        where = f"From layer {1 + now.activations.index(0.0)} on"
        return f"{where} all activations are 0 in float32; a ReLU at 0 hands nothing back.", VERMILLION
    if now.heard < 1 / EARSHOT:
        return "Out of earshot: with one step size for all, the first layers hardly learn.", VERMILLION
    if now.heard > EARSHOT:
        return "Too loud: a step that suits the last layer throws the first ones far off.", VERMILLION
    return "Within earshot: the first layer can learn.", GREEN


def hearing(heard: float) -> str:
    """The first layer's share in a sentence."""
    if heard == 0:
        return "The first layer hears nothing of the error."
    if 0.95 < heard < 1.05:
        return "The first layer hears as much as the last does."
    if heard > 1:
        return f"The first layer hears {number(heard)} times what the last does."
    return f"The first layer hears {number(heard)} of what the last does."


def number(value: float) -> str:
    """Two digits, as a reader writes them: "0.41", "3.2·10⁻⁹"."""
    if value == 0 or 0.01 <= value < 9950:
        return f"{value:.2g}" if value < 99.5 else f"{value:.0f}"
    digits, power = f"{value:.1e}".split("e")
    raised = ten_to(int(power))
    return raised if digits == "1.0" else f"{digits.removesuffix('.0')}·{raised}"


def ten_to(power: int) -> str:
    """A power of ten with its exponent raised."""
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def axes(left: float, title: str, depth: int) -> list[Shape]:
    """Title, decades, and the layers' numbers, of a panel."""
    right = left + PANEL
    shapes: list[Shape] = [
        Text(left, TOP - 14, title, weight="bold"),
        Text(left, FLOOR + 40, "layer 1", size=12, fill=QUIET),
        Text(right, FLOOR + 40, f"layer {depth}", size=12, fill=QUIET, anchor="end"),
    ]
    for power in range(-30, 11, 10):
        y = SIZES.place(10.0**power)
        shapes.append(Line(left, y, right, y, stroke=EDGE, stroke_width=0.6))
        shapes.append(
            Text(left - 8, y + 4, "1" if power == 0 else ten_to(power), size=12, fill=QUIET, anchor="end")
        )
    shapes.append(Line(left, FLOOR, right, FLOOR, stroke=QUIET, stroke_width=1))
    shapes.append(Text(left - 8, FLOOR + 4, "less", size=12, fill=QUIET, anchor="end"))
    return shapes


def earshot(last: float) -> list[Shape]:
    """The band around the last layer's error in which a layer hears from a thousandth to a thousand times of it."""
    high, low = (SIZES.place(size) for size in (last * EARSHOT, last / EARSHOT))
    right = LEFT + PANEL
    return [
        Rect(LEFT, high, PANEL, low - high, fill=GREEN, opacity=0.13),
        *(Line(LEFT, y, right, y, stroke=GREEN, stroke_width=1.2, dash=(5, 4)) for y in (high, low)),
        Text(right + 10, high + 4, "1000 times", size=12, fill=GREEN),
        Text(right + 10, low + 4, "a thousandth", size=12, fill=GREEN),
    ]


def curve(left: float, values: Sequence[float], color: str) -> list[Shape]:
    """A dot for each layer, hollow on the floor, and the numbers at both ends."""
    step = (PANEL - 24) / (len(values) - 1)
    points = [(left + 12 + i * step, height(value)) for i, value in enumerate(values)]
    radius = min(5.0, max(2.0, 0.42 * step))
    (x1, y1), (_, y2) = points[0], points[-1]
    below = y1 > y2 + 20  # a rising curve would run through a number above its foot
    return [
        Polyline(tuple(points), stroke=color, stroke_width=1.2),
        *(
            Circle(x, y, radius, fill=PAPER if y == FLOOR else color, stroke=color, stroke_width=1.2)
            for x, y in points
        ),
        Text(x1 - 6, y1 + (20 if below else -10), worded(values[0]), fill=color, weight="bold"),
        Text(left + PANEL + 10, y2 + 4, worded(values[-1]), fill=color, weight="bold"),
    ]


def height(value: float) -> float:
    """Where a value stands: on the floor when it is too small for the scale."""
    return SIZES.place(value) if value >= SIZES.low else FLOOR


def worded(value: float) -> str:
    """A size; a zero says that it may be one of float32 only."""
    return number(value) if value else "0 in float32"
