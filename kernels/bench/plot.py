"""A run as a picture: a row for each case, and on a logarithmic axis how many times as fast as torch eager it is.

On that axis twice as fast lies as far to the right of 1 as half as fast lies to the left. A bar through a point spans
the middle half of the rounds. The form is W. Cleveland's dot plot (The Elements of Graphing Data, 1985, chapter 3).
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from kernels.bench.result import Result
from kernels.bench.rivals import COMPILED, EAGER, LIGER, OURS

# the house style: the program's second look upwards, after the timer
from workbench.drawing import style

# color, marker, and how far from the middle of its row, so that equals do not hide each other
SHOWN = {
    OURS: (style.BLUE, "o", 0.12),
    COMPILED: (style.VERMILLION, "s", -0.16),
    LIGER: (style.GREEN, "^", -0.02),
}
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
ROW_INCHES, PANEL_INCHES, LABEL_INCHES, EDGE_INCHES = 0.27, 3.0, 1.9, 0.75


def plot(results: Sequence[Result], file: Path) -> None:
    """Draw a panel for each size and kind of pass, and save them as a PNG that carries its description.

    Raises ValueError if torch eager took no part in any of the results.
    """
    comparable = [result for result in results if result.took_part(EAGER)]
    if not comparable:
        raise ValueError("results must hold at least one that torch eager took part in")
    with mpl.rc_context():
        style.use()
        figure = draw(comparable)
        figure.savefig(file, metadata={"Description": describe(comparable), "Software": None})


def draw(results: Sequence[Result]) -> Figure:
    """The figure: sizes side by side, forward above forward and backward."""
    sizes = sorted({result.size for result in results})
    by_passes: dict[str, list[Result]] = {}
    for result in results:
        by_passes.setdefault(result.passes, []).append(result)
    names = [list(dict.fromkeys(result.case.name for result in chosen)) for chosen in by_passes.values()]
    heights = [len(own) for own in names]
    width = LABEL_INCHES + PANEL_INCHES * len(sizes)
    height = ROW_INCHES * sum(heights) + EDGE_INCHES * (len(heights) + 1)
    figure = Figure(figsize=(width, height))
    panels = figure.subplots(
        len(heights), len(sizes), squeeze=False, sharex=True, sharey="row", height_ratios=heights
    )
    for row, own, (passes, chosen) in zip(panels, names, by_passes.items(), strict=True):
        for axes, size in zip(row, sizes, strict=True):
            _panel(axes, [result for result in chosen if result.size == size], own)
            axes.set_title(f"size {size}, {passes}" if len(sizes) < 3 else f"{size}, {passes}")
    _log_axis(panels[0][0])
    for axes in panels[-1]:
        axes.set_xlabel("times as fast as torch eager")
    _head(figure, results)
    return figure


def describe(results: Sequence[Result]) -> str:
    """The picture in words: its alternative text."""
    lines = [f"How many times as fast as torch eager, in {results[0].dtype_name}:"]
    for result in results:
        speeds = [f"{rival} {_speed(result, rival):.2f}" for rival in SHOWN if result.took_part(rival)]
        lines.append(f"{result.case.name}, size {result.size}, {result.passes}: {', '.join(speeds)}.")
    return "\n".join(lines)


def _panel(axes: Axes, results: Sequence[Result], names: Sequence[str]) -> None:
    axes.axvline(1, color=style.QUIET, linewidth=1.2)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)  # the first on top
    axes.tick_params(axis="y", length=0)
    for rival, (color, marker, aside) in SHOWN.items():
        for result in results:
            if result.took_part(rival):
                speed, place = _speed(result, rival), names.index(result.case.name) - aside
                half = speed * min(result.timing.ratio_spread(EAGER, rival) / 2, 0.9)
                axes.errorbar(speed, place, xerr=half, fmt="none", ecolor=color, elinewidth=1.6)
                axes.plot(speed, place, marker, color=color, markeredgecolor=style.PAPER, markeredgewidth=0.6)


def _log_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.45), max(high, 2.2))
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))


def _head(figure: Figure, results: Sequence[Result]) -> None:
    """Above the panels: what was measured where, and what the markers stand for."""
    timing = results[0].timing
    if timing.device == "cpu":
        where = f"CPU, {timing.threads} thread{'s' if timing.threads > 1 else ''}"
    else:
        where = torch.cuda.get_device_name(timing.device)
    figure.suptitle(f"{results[0].dtype_name}, {where}", x=0.01, ha="left", fontsize=11, color=style.QUIET)
    handles = [
        Line2D([], [], color=color, marker=marker, linestyle="", label=rival)
        for rival, (color, marker, _) in SHOWN.items()
        if any(result.took_part(rival) for result in results)
    ]
    figure.legend(
        handles=handles, loc="outside upper right", ncols=len(handles), frameon=False, handletextpad=0.2
    )


def _speed(result: Result, rival: str) -> float:
    return result.timing.ratio(EAGER, rival)
