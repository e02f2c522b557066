"""Still pictures for models that are set on the same task: what they see, and how often each was right.

A slope from one condition to the next shows at a glance who minded the change and who did not; a table of the same
numbers hides it. Every accuracy is the mean over seeds, with a bar of one standard deviation to each side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

from workbench.drawing import style
from workbench.drawing.axes import spread_out

CLEAR = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1.0}  # behind a label that lies on a line
Scores = Sequence[float]  # accuracies, 0 to 1, one for each seed
COLORS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE)


def summary(scores: Scores) -> tuple[float, float]:
    """Mean and standard deviation over the seeds, in percent; no spread with one seed."""
    percent = [100 * score for score in scores]
    return mean(percent), stdev(percent) if len(percent) > 1 else 0.0


def show_signals(rows: Mapping[str, Tensor]) -> None:
    """Each row of signals (n, length) as curves side by side, its name before it."""
    count = _check(rows)
    style.use()
    figure, axes = plt.subplots(
        len(rows), count, figsize=(1.4 * count, 1.1 * len(rows)), sharey=True, squeeze=False
    )
    for row, (title, signals) in zip(axes, rows.items(), strict=True):
        for place, signal in zip(row, signals.tolist(), strict=True):
            place.plot(signal, color=style.BLUE, marker="", linewidth=1.4)
        _plain(row, title)
    style.show(figure, f"{count} signals of each row, drawn as curves: {', '.join(rows)}.")


def show_pictures(rows: Mapping[str, Tensor], names: Sequence[str]) -> None:
    """Each row of gray pictures (n, height, width) side by side, its name before it, `names` above the columns."""
    count = _check(rows)
    if len(names) != count:
        raise ValueError(f"names: expected one for each of {count} pictures, got {len(names)}")
    style.use()
    figure, axes = plt.subplots(len(rows), count, figsize=(1.25 * count, 1.3 * len(rows)), squeeze=False)
    for row, (title, pictures) in zip(axes, rows.items(), strict=True):
        for place, picture in zip(row, pictures.tolist(), strict=True):
            place.imshow(picture, cmap="gray_r", interpolation="nearest")
        _plain(row, title)
    for place, name in zip(axes[0], names, strict=True):
        place.set_title(name, fontsize=10, loc="center", fontweight="normal")
    style.show(figure, f"Pictures of {', '.join(names)}: {', '.join(rows)}.")


def show_slopes(panels: Mapping[str, Mapping[str, Mapping[str, Scores]]]) -> None:
    """Accuracy of each model under the conditions of each panel: {title: {model: {condition: scores}}}.

    A model keeps its color and marker from panel to panel, by the order in which it first appears.
    """
    models = list(dict.fromkeys(model for lines in panels.values() for model in lines))
    style.use()
    figure, axes = plt.subplots(1, len(panels), figsize=(4.4 * len(panels), 3.6), sharey=True, squeeze=False)
    for place, (title, lines) in zip(axes[0], panels.items(), strict=True):
        conditions = list(next(iter(lines.values())))
        for model, scores in lines.items():
            values, spreads = zip(*(summary(scores[condition]) for condition in conditions), strict=True)
            number = models.index(model)
            place.errorbar(range(len(values)), values, spreads, color=COLORS[number],
                           marker=style.MARKERS[number], capsize=4)  # fmt: skip
        ends = {model: summary(scores[conditions[-1]])[0] for model, scores in lines.items()}
        for (model, end), at in zip(ends.items(), spread_out(list(ends.values()), 6.5, 5, 98), strict=True):
            color = COLORS[models.index(model)]
            style.direct_label(place, len(conditions) - 1, at, f"{model} {end:.0f} %", color)
        place.set(title=title, xticks=range(len(conditions)), xticklabels=conditions)
        place.set(xlim=(-0.25, len(conditions) - 0.85))
        _percent(place)
        place.text(-0.2, 12, "guessing", fontsize=9, color=style.QUIET)
    axes[0][0].set_ylabel("right answers (%)")
    style.show(figure, "Right answers. " + " ".join(_told(title, lines) for title, lines in panels.items()))


def show_depth(curves: Mapping[str, Mapping[int, Scores]], widths: Mapping[int, int]) -> None:
    """Accuracy over the number of layers, one curve for each wiring; `widths` are the layers' widths."""
    style.use()
    figure, place = plt.subplots(figsize=(7.5, 3.8))
    for number, (wiring, points) in enumerate(curves.items()):
        values, spreads = zip(*(summary(scores) for scores in points.values()), strict=True)
        place.errorbar(list(points), values, spreads, color=COLORS[number],
                       marker=style.MARKERS[number], capsize=4)  # fmt: skip
        label = f"{wiring} {values[-1]:.0f} %"
        style.direct_label(place, list(points)[-1], values[-1], label, COLORS[number], bbox=CLEAR)
    place.set_xscale("log", base=2)
    place.set_xticks(list(widths), [f"{depth}\n({width})" for depth, width in widths.items()])
    place.minorticks_off()
    place.set(xlabel="layers between the first and the last (width of each)", ylabel="right answers (%)")
    _percent(place)
    place.text(min(widths), 12, "guessing", fontsize=9, color=style.QUIET)
    told = "; ".join(
        f"{wiring}: "
        + ", ".join(f"{depth} layers {summary(scores)[0]:.0f} %" for depth, scores in points.items())
        for wiring, points in curves.items()
    )
    style.show(figure, f"Right answers over depth at one parameter budget. {told}.")


def _told(title: str, lines: Mapping[str, Mapping[str, Scores]]) -> str:
    models = (
        f"{model} " + ", ".join(f"{summary(scores)[0]:.0f} % {condition}" for condition, scores in of.items())
        for model, of in lines.items()
    )
    return f"{title}: {'; '.join(models)}.".replace("\n", " ")


def _check(rows: Mapping[str, Tensor]) -> int:
    """How many there are in a row. Raises ValueError when there are none, or not equally many in each."""
    counts = {len(row) for row in rows.values()}
    if len(counts) != 1 or counts == {0}:
        raise ValueError(f"rows: expected equally many in each, at least one, got {sorted(counts)}")
    return counts.pop()


def _plain(row: Sequence[Axes], title: str) -> None:
    for place in row:
        place.set(xticks=[], yticks=[])
        place.grid(False)
        for side in place.spines.values():
            side.set_visible(False)
    row[0].set_ylabel(title, rotation=0, ha="right", va="center", labelpad=10, fontsize=10)


def _percent(place: Axes) -> None:
    place.set_ylim(0, 100)
    place.axhline(10, color=style.QUIET, linewidth=1, linestyle=(0, (3, 4)), marker="")
