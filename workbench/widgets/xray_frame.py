"""One picture of the x-ray: which step or hazard a state points at, drawn beside the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kernels.simt.hazards import Hazard, Line
from kernels.simt.record import Record, Step
from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Shape, Text
from workbench.drawing.style import QUIET, VERMILLION
from workbench.widgets import xray_hazard, xray_lanes, xray_words
from workbench.widgets.explorer import State
from workbench.widgets.xray_banks import card
from workbench.widgets.xray_heat import HEATS, shown
from workbench.widgets.xray_memory import request
from workbench.widgets.xray_source import listing
from workbench.widgets.xray_text import fitted

WIDTH, HEIGHT = 900.0, 452.0
SPOKEN = 8  # bars that are put into words


@dataclass(frozen=True)
class Half:
    """The right half: two sentences over it, the color of the second, its shapes, and more words for the ear."""

    told: str
    verdict: str
    color: str
    panel: Sequence[Shape] = ()
    spoken: str = ""


def frame(state: State, run: Record) -> Scene:
    """The source on the left; the step, or the hazard in its place, on the right."""
    hazard, step = chosen_hazard(state, run), chosen_step(state, run)
    now = of_hazard(hazard) if hazard else of_step(step, run)
    accesses = [access.line for access in hazard.accesses[-2:]] if hazard else []
    wrong = {access.line for found in run.hazards for access in found.accesses}
    current = step.line if step and not hazard else None
    shapes = [
        fitted(4, 22, now.told, 15, WIDTH - 8, weight="bold"),
        fitted(4, 44, now.verdict, 13, WIDTH - 8, fill=now.color, weight="bold"),
        *listing(run, HEATS[state["heat"]], current, accesses, wrong),
        *now.panel,
    ]
    if left_out := getattr(run.steps, "left_out", 0):
        told = f"{left_out:,} later statements were not kept."
        shapes.append(Text(4, HEIGHT - 4, told, size=11, fill=QUIET))
    spoken = " ".join(filter(None, (f"{now.told}.", now.verdict, now.spoken)))
    return Scene(WIDTH, HEIGHT, tuple(shapes), words(run, spoken, state["heat"]))


def of_hazard(hazard: Hazard) -> Half:
    """A hazard, with its two accesses."""
    told, meaning = xray_hazard.heading(hazard), xray_hazard.meaning(hazard)
    return Half(told, meaning, VERMILLION, xray_hazard.meeting(hazard), xray_hazard.message(hazard))


def of_step(step: Step | None, run: Record) -> Half:
    """A step, if there is one."""
    if step is None:
        return Half(f"{run.kernel}: no step was kept", "There is nothing to show.", QUIET)
    return Half(xray_words.told(step), *xray_words.judged(step), picture(step))


def picture(step: Step) -> list[Shape]:
    """What the warp does in a step."""
    if step.addresses:
        return card(step) if step.space == "shared" else request(step)
    by_kind = {"branch": xray_lanes.branch, "barrier": xray_lanes.barrier}
    return by_kind.get(step.kind, xray_lanes.others)(step)


def words(run: Record, told: str, name: str) -> str:
    """The picture in words: the step or hazard, the bars, the warning signs."""
    heat = HEATS[name]
    read = [(line, value) for line, c in run.lines.items() if (value := heat.read(c)) is not None]
    bars = ", ".join(f"line {line}: {shown(value)}" for line, value in read[:SPOKEN])
    bars += f", and {len(read) - SPOKEN} more lines" if len(read) > SPOKEN else ""
    found = ", ".join(names(run).values())
    return (
        f"X-ray of {run.kernel}. {told}"
        + (f" {heat.label[0].upper()}{heat.label[1:]}: {bars}." if bars else "")
        + (f" Hazards: {found}." if found else "")
    )


def warps(run: Record) -> dict[int, list[Step]]:
    """The steps of each warp, in order."""
    by_warp: dict[int, list[Step]] = {}
    for step in run.steps:
        by_warp.setdefault(step.warp, []).append(step)
    return dict(sorted(by_warp.items()))


def findings(run: Record) -> list[Hazard]:
    """Hazards, then notes, numbered from 1 in the state."""
    return [*run.hazards, *run.notes]


def names(run: Record) -> dict[str, str]:
    """Number of a finding -> the text of its button."""
    return {
        str(number): f"{found.kind}, line {found.line}{' (note)' if number > len(run.hazards) else ''}"
        for number, found in enumerate(findings(run), 1)
    }


def chosen_hazard(state: State, run: Record) -> Hazard | None:
    """The hazard or note that the state points at."""
    number = state.get("hazard", "")
    return findings(run)[int(number) - 1] if number else None


def chosen_step(state: State, run: Record) -> Step | None:
    """The step under the slider; the last one of a warp that was done before."""
    by_warp = warps(run)
    steps = by_warp.get(int(state.get("warp", min(by_warp, default=0))), [])
    return steps[min(int(state.get("step", 1)), len(steps)) - 1] if steps else None


def line_of(state: State, run: Record) -> Line | None:
    """The line in question."""
    if (hazard := chosen_hazard(state, run)) is not None:
        return hazard.line
    step = chosen_step(state, run)
    return step.line if step is not None else None
