"""Whom to trust: every way to join two modalities, trained with and without noise, tested with and without.

A row is a design, a place × a way of joining. Its open mark is the design trained on clean data, its filled one the
same design trained on data in which one modality was noise now and then. The scores are measured, from models really
trained; this file only draws them.
"""

from __future__ import annotations

from collections.abc import Mapping

from workbench.drawing.axes import Scale
from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Circle, Line, Shape, Text
from workbench.drawing.style import BLUE, EDGE, INK, PAPER, QUIET, VERMILLION
from workbench.mixing.scores import Scores
from workbench.widgets.controls import Select
from workbench.widgets.explorer import Explorer, State

CONDITIONS = {
    "clean": "nothing",
    "picture": "every picture",
    "name": "every name",
    "either": "one of the two, in turns",
}
ALONE = {
    "clean": "the better one alone",
    "picture": "the name alone",
    "name": "the picture alone",
    "either": "the intact one alone, if one knew which",
}
WAYS = {"gate": "gate", "attend": "attend", "add": "add", "concat": "concatenate"}
NOISE = " + noise"
WIDTH, LEFT, RIGHT, TOP, ROW = 900.0, 196.0, 862.0, 92.0, 25.0


def whom_to_trust(scores: Scores, alone: Mapping[str, float]) -> Explorer:
    """Explorer: choose what is noise at the test and a way of joining, and see what training with noise is worth.

    scores: of the methods "place way" and "place way + noise" under each of `CONDITIONS`; alone: for each condition the
    share that the modality which is intact gets right by itself, the better one if both are. Raises ValueError where
    one is missing.
    """
    missing = sorted(set(CONDITIONS) - set(alone))
    if missing:
        raise ValueError(f"alone: expected an accuracy under {', '.join(missing)}")
    for design in designs(scores):
        for condition in CONDITIONS:
            for training in ("", NOISE):
                scores.mean(design + training, condition)
    return Explorer(
        title="Whom to trust",
        question="What must a design have seen in training to bear a modality that turns to noise?",
        controls=[
            Select("condition", "Noise at the test", CONDITIONS),
            Select("way", "Show in color", WAYS),
        ],
        frame=lambda state: frame(state, scores, alone),
    )


def designs(scores: Scores) -> list[str]:
    """The designs, "place way", that were trained both ways, in the order of the scores."""
    return [method for method in scores.methods if method + NOISE in scores.methods]


def frame(state: State, scores: Scores, alone: Mapping[str, float]) -> Scene:
    """A row for each design: trained clean and with noise, with the spread over seeds."""
    condition, way = state["condition"], state["way"]
    rows = designs(scores)
    bottom = TOP + ROW * len(rows)
    x = Scale(0, 80, LEFT, RIGHT)
    gains = [100 * scores.difference(row + NOISE, row, condition)[0] for row in rows]
    told = f"Training with noise changes the designs by {min(gains):+.1f} to {max(gains):+.1f} points"
    single = 100 * alone[condition]
    shapes = [
        Text(8, 22, f"Right answers, noise in: {CONDITIONS[condition]}", size=15, weight="bold"),
        Text(8, 44, told, fill=VERMILLION, weight="bold"),
        *key(),
        *grid(x, bottom),
        Line(x.place(single), TOP - 8, x.place(single), bottom, stroke=BLUE, dash=(5, 4)),
        Text(x.place(single), TOP - 14, f"{ALONE[condition]}: {single:.0f} %", size=12, fill=BLUE, anchor="middle"),
    ]  # fmt: skip
    for number, row in enumerate(rows):
        y = TOP + ROW * (number + 0.5)
        shapes += design(row, y, x, scores, condition, VERMILLION if row.endswith(" " + way) else QUIET)
    trained = [row + training for row in rows for training in ("", NOISE)]
    best = max(trained, key=lambda method: scores.mean(method, condition))
    alt = (
        f"Right answers of {len(rows)} designs with noise in {CONDITIONS[condition]}. {told}. The highest mean is that "
        f"of {best}, {100 * scores.mean(best, condition):.1f} %; {ALONE[condition]} gets {single:.1f} %."
    )
    return Scene(WIDTH, bottom + 48, tuple(shapes), alt)


def design(name: str, y: float, x: Scale, scores: Scores, condition: str, color: str) -> list[Shape]:
    """One row: from the open mark, trained clean, to the filled one, trained with noise."""
    place, way = name.split()
    shapes: list[Shape] = [
        Text(LEFT - 12, y + 4, f"{place}, {WAYS[way]}", size=12, anchor="end", fill=INK if color != QUIET else QUIET,
             weight="bold" if color != QUIET else "normal"),
    ]  # fmt: skip
    places = {}
    for training in ("", NOISE):
        mean, spread = (100 * value(name + training, condition) for value in (scores.mean, scores.spread))
        low, high = x.place(max(0.0, mean - spread)), x.place(min(x.high, mean + spread))
        shapes.append(Line(low, y, high, y, stroke=color, stroke_width=2 if training else 1))
        places[training] = x.place(mean)
    shapes.append(Circle(places[""], y, 5, fill=PAPER, stroke=color, stroke_width=2))
    shapes.append(Circle(places[NOISE], y, 5.5, fill=color, stroke=PAPER))
    return shapes


def key() -> list[Shape]:
    """What the two marks mean."""
    return [
        Circle(584, 40, 5, fill=PAPER, stroke=INK, stroke_width=2),
        Text(596, 44, "trained clean", size=12),
        Circle(704, 40, 5.5, fill=INK, stroke=PAPER),
        Text(716, 44, "trained with noise", size=12),
    ]


def grid(x: Scale, bottom: float) -> list[Shape]:
    """The axis in percent."""
    shapes: list[Shape] = [Line(LEFT, bottom, RIGHT, bottom, stroke=QUIET, stroke_width=1)]
    for tick in x.ticks(8):
        at = x.place(tick)
        shapes.append(Line(at, TOP, at, bottom, stroke=EDGE, stroke_width=0.6))
        shapes.append(Text(at, bottom + 18, f"{tick:g} %", size=12, fill=QUIET, anchor="middle"))
    middle = (LEFT + RIGHT) / 2
    return [
        *shapes,
        Text(middle, bottom + 38, "right answers, mean and spread over seeds", size=12, anchor="middle"),
    ]
