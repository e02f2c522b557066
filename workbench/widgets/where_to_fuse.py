"""Where to fuse: join two towers low, high or both, spoil one input, and see which joint bears it.

On the left the towers as blocks, on the right how often each way of fusing was right, over the share of noise in one
input. The accuracies are measured ones, from models really trained; this file only draws them.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.drawing.axes import Scale, spread_out
from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Circle, Line, Polyline, Shape, Text
from workbench.drawing.style import EDGE, INK, PAPER, QUIET, VERMILLION
from workbench.widgets.controls import Range, Select
from workbench.widgets.explorer import Explorer, State
from workbench.widgets.towers import towers

WIDTH, HEIGHT = 900.0, 384.0
LEFT, RIGHT, TOP, BOTTOM = 478.0, 788.0, 66.0, 326.0  # the chart
FUSIONS = {"early": "early", "late": "late", "hybrid": "hybrid (both)"}
MARKERS = {"early": "s", "late": "^", "hybrid": "D"}
MEANING = {
    "early": "Features meet low; one trunk decides.",
    "late": "Each tower decides; decisions meet.",
    "hybrid": "Features meet low, and each tower votes.",
}

Results = dict[tuple[str, str, float], tuple[float, float]]
Curve = list[tuple[float, float, float]]  # amount, accuracy, spread; all as shares of 1


@dataclass(frozen=True)
class Curves:
    """The results sorted into curves: (fusion or baseline, corrupted) -> points from no noise to most."""

    of: dict[tuple[str, str], Curve]
    baselines: tuple[str, ...]
    amounts: tuple[float, ...]


def where_to_fuse(results: Results) -> Explorer:
    """Explorer: choose where to fuse, which input is noisy and how much, and see the accuracy of all three ways.

    results: (fusion, corrupted, amount) -> (mean accuracy, spread), all from 0 to 1. fusion is "early", "late",
        "hybrid", or any other name for a baseline, such as "picture only" or "largest class"; corrupted is "picture"
        or "name", or "none" for what holds of both without noise. A baseline may have a single entry: a level line.

    Raises ValueError when a fusion lacks an amount, amounts are not evenly spaced from 0, or an accuracy is not 0..1.
    """
    curves = sort(results)
    percent = [100 * amount for amount in curves.amounts]
    return Explorer(
        title="Where to fuse",
        question="One input turns to noise. Which joint loses least, and which was best without noise?",
        controls=[
            Select("fusion", "Fuse", FUSIONS),
            Select("corrupted", "Noise in the", ("picture", "name")),
            Range("amount", "How much", 0, percent[-1], percent[1], unit="%"),
        ],
        frame=lambda state: frame(state, curves),
    )


def sort(results: Results) -> Curves:
    """The results as curves, checked."""
    for key, (accuracy, spread) in results.items():
        if not (0 <= accuracy <= 1 and spread >= 0):
            raise ValueError(
                f"results[{key}]: expected an accuracy from 0 to 1 and a spread, got {accuracy}, {spread}"
            )
    amounts = tuple(sorted({amount for _, _, amount in results}))
    step = amounts[1] if len(amounts) > 1 else 0.0
    if not step or any(abs(amount - i * step) > 1e-6 for i, amount in enumerate(amounts)):
        raise ValueError(f"results: amounts must be evenly spaced from 0, got {amounts}")
    names = tuple(dict.fromkeys(fusion for fusion, _, _ in results))
    curves: dict[tuple[str, str], Curve] = {}
    for fusion in (*FUSIONS, *(name for name in names if name not in FUSIONS)):
        for corrupted in ("picture", "name"):
            found = {
                a: results.get((fusion, corrupted, a), results.get((fusion, "none", a))) for a in amounts
            }
            missing = [amount for amount, pair in found.items() if pair is None]
            if missing and fusion in FUSIONS:
                raise ValueError(
                    f"results: no accuracy of {fusion} fusion with {corrupted} noise of {missing}"
                )
            known = [pair for pair in found.values() if pair is not None]
            curves[fusion, corrupted] = [(a, *(found[a] or known[0])) for a in amounts]
    return Curves(curves, tuple(name for name in names if name not in FUSIONS), amounts)


def frame(state: State, curves: Curves) -> Scene:
    """The towers on the left, the curves on the right, the chosen fusion in color."""
    chosen, corrupted, percent = state["fusion"], state["corrupted"], state["amount"]
    amount = min(curves.amounts, key=lambda a: abs(100 * a - percent))
    now = {
        name: next((accuracy, spread) for a, accuracy, spread in curves.of[name, corrupted] if a == amount)
        for name in (*FUSIONS, *curves.baselines)
    }
    told = {name: f"{100 * accuracy:.1f} %" for name, (accuracy, _) in now.items()}
    noise = f"{100 * amount:g} % noise in the {corrupted}" if amount else "no noise"
    headline = f"{chosen} {told[chosen]} ± {100 * now[chosen][1]:.1f}"
    others = " · ".join(f"{name} {told[name]}" for name in FUSIONS if name != chosen)
    shapes = [
        Text(8, 22, f"{chosen.capitalize()} fusion", size=15, weight="bold"),
        Text(8, 43, MEANING[chosen], fill=QUIET),
        *towers(chosen, corrupted, amount),
        Text(LEFT, 22, f"Right answers, {noise}", size=15, weight="bold"),
        Text(LEFT, 43, headline, fill=VERMILLION, weight="bold"),
        Text(RIGHT + 104, 43, others, fill=QUIET, anchor="end"),
        *chart(chosen, corrupted, amount, curves),
    ]
    alt = (
        f"{chosen.capitalize()} fusion: {MEANING[chosen]} Right answers with {noise}: "
        + ", ".join(f"{name} {value}" for name, value in told.items())
        + "."
    )
    return Scene(WIDTH, HEIGHT, tuple(shapes), alt)


def chart(chosen: str, corrupted: str, amount: float, curves: Curves) -> list[Shape]:
    """Accuracy over noise for every fusion and baseline, each named at its end."""
    best = max(accuracy + spread for curve in curves.of.values() for _, accuracy, spread in curve)
    x = Scale(0, curves.amounts[-1], LEFT, RIGHT)
    y = Scale(0, min(1.0, 0.1 * int(10 * best + 1)), BOTTOM, TOP)
    shapes = grid(x, y, corrupted)
    order = [
        *curves.baselines,
        *(name for name in FUSIONS if name != chosen),
        chosen,
    ]  # the chosen one on top
    ends = [y.place(curves.of[name, corrupted][-1][1]) for name in order]
    for name, place in zip(order, spread_out(ends, 15, TOP, BOTTOM - 2), strict=True):
        points = tuple((x.place(a), y.place(accuracy)) for a, accuracy, _ in curves.of[name, corrupted])
        color = VERMILLION if name == chosen else QUIET
        if name in FUSIONS:
            wide = 3.0 if name == chosen else 1.5
            shapes.append(Polyline(points, stroke=color, stroke_width=wide, marker=MARKERS[name]))
        else:
            shapes.append(Polyline(points, stroke=color, stroke_width=1.2, dash=(2, 4)))
        weight = "bold" if name == chosen else "normal"
        shapes.append(Text(RIGHT + 12, place + 4, name, size=12, fill=color, weight=weight))
    return shapes + cursor(x, y, amount, curves.of[chosen, corrupted])


def cursor(x: Scale, y: Scale, amount: float, curve: Curve) -> list[Shape]:
    """A line at the present amount, and the chosen curve's point there with its spread."""
    accuracy, spread = next((accuracy, spread) for a, accuracy, spread in curve if a == amount)
    at, low, high = (
        x.place(amount),
        y.place(max(0, accuracy - spread)),
        y.place(min(y.high, accuracy + spread)),
    )
    return [
        Line(at, TOP, at, BOTTOM, stroke=INK, stroke_width=1, dash=(3, 4)),
        Line(at, low, at, high, stroke=INK, stroke_width=2),
        *(Line(at - 5, end, at + 5, end, stroke=INK, stroke_width=2) for end in (low, high)),
        Circle(at, y.place(accuracy), 7, fill=VERMILLION, stroke=PAPER, stroke_width=2),
    ]


def grid(x: Scale, y: Scale, corrupted: str) -> list[Shape]:
    """Axes in percent."""
    shapes: list[Shape] = [Line(LEFT, BOTTOM, RIGHT, BOTTOM, stroke=QUIET, stroke_width=1)]
    for tick in y.ticks(4):
        at = y.place(tick)
        shapes.append(Line(LEFT, at, RIGHT, at, stroke=EDGE, stroke_width=0.6))
        shapes.append(Text(LEFT - 8, at + 4, f"{100 * tick:g} %", size=12, fill=QUIET, anchor="end"))
    for tick in x.ticks(4):
        at = x.place(tick)
        shapes.append(Line(at, BOTTOM, at, BOTTOM + 5, stroke=QUIET, stroke_width=1))
        shapes.append(Text(at, BOTTOM + 20, f"{100 * tick:g} %", size=12, fill=QUIET, anchor="middle"))
    middle = (LEFT + RIGHT) / 2
    return [
        *shapes,
        Text(middle, BOTTOM + 42, f"share of noise in the {corrupted}", size=12, anchor="middle"),
    ]
