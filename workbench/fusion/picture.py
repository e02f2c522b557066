"""The graph before and after fusing, side by side: what became one has one letter and one color in both."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn
from torch.fx import GraphModule

from workbench.drawing import Line, Polyline, Rect, Scene, Text
from workbench.drawing.ink_png import text_width
from workbench.drawing.shapes import Shape
from workbench.drawing.style import BLUE, GREEN, INK, PAPER, PURPLE, QUIET, SKY, VERMILLION
from workbench.fabric.view.across import Box
from workbench.fabric.view.layout import Arrow, Layout, place
from workbench.fusion.graph.tracing import openable, trace
from workbench.fusion.outline import LEFT_OUT, Step, members, outline, steps
from workbench.fusion.rewrite import Rewrite

NAME_SIZE, SMALL = 12.0, 11.0
HEIGHT, PAD, SPACE, BADGE = 24.0, 10.0, 7.0, 22.0
MARGIN, BETWEEN, HEAD, LINE = 16.0, 56.0, 44.0, 17.0
COLORS = (BLUE, VERMILLION, GREEN, PURPLE)  # in turn: neighbors differ, and the letter tells the rest apart


def picture(
    original: nn.Module, fused: GraphModule, inputs: tuple[Any, ...], rewrites: Sequence[Rewrite]
) -> Scene:
    """Both graphs, each from top to bottom; long ones are shortened."""
    before = (
        original if isinstance(original, GraphModule) else trace(openable(copy.deepcopy(original)), inputs)
    )
    sides = outline(before, fused, rewrites)
    titles = [
        f"{when}: {sum(not step.end for step in steps(graph))} steps"
        for when, graph in (("before", before), ("after", fused))
    ]
    shapes: list[Shape] = []
    x, lowest = MARGIN, 0.0
    for title, side in zip(titles, sides, strict=True):
        layout, boxes = _laid_out(side)
        wide = max(layout.width, text_width(title, NAME_SIZE, "bold"))
        shapes.append(Text(x + wide / 2, MARGIN + 12, title, size=NAME_SIZE, anchor="middle", weight="bold"))
        shapes += _drawn(side, layout, boxes, x + (wide - layout.width) / 2)
        x, lowest = x + wide + BETWEEN, max(lowest, HEAD + layout.height)
    legend = _legend(sides[0], rewrites)
    for line in legend:
        lowest += LINE
        shapes.append(Text(MARGIN, lowest + SPACE, line, size=SMALL, fill=QUIET))
    width = max(x - BETWEEN, *(MARGIN + text_width(line, SMALL) for line in legend), 0.0) + MARGIN
    return Scene(width, lowest + MARGIN, tuple(shapes), _told(titles, sides, legend))


def _drawn(found: list[Step], layout: Layout, boxes: dict[str, Box], left: float) -> Iterator[Shape]:
    for route in layout.routes.values():
        yield from _arrow([(left + across, HEAD + down) for across, down in route])
    for step in found:
        box = boxes[step.name]
        yield from _box(step, left + box.x, HEAD + box.y, box.width)


def _laid_out(found: list[Step]) -> tuple[Layout, dict[str, Box]]:
    boxes = {}
    for step in found:
        width = _width(step)
        enters = [width * (n + 1) / (len(step.reads) + 1) for n in range(len(step.reads))]
        # all in one column to begin with, so that a chain stays straight
        boxes[step.name] = Box(width, HEIGHT, enters, (width / 2,), x=-width / 2)
    arrows = [
        Arrow(source, 0, step.name, enters) for step in found for enters, source in enumerate(step.reads)
    ]
    return place(boxes, arrows, last=[step.name for step in found if step.name == "output"]), boxes


def _width(step: Step) -> float:
    between = SPACE if step.title else 0.0
    words = text_width(step.title, NAME_SIZE, "bold") + between + text_width(step.kind, SMALL)
    return words + 2 * PAD + (BADGE if step.number else 0)


def _box(step: Step, x: float, y: float, width: float) -> Iterator[Shape]:
    color = COLORS[(step.number - 1) % len(COLORS)]
    if step.name == LEFT_OUT:
        yield Rect(x, y, width, HEIGHT, fill=PAPER, stroke=QUIET, dash=(4.0, 3.0), radius=6)
    elif step.end:
        yield Rect(x, y, width, HEIGHT, fill=SKY, opacity=0.35, stroke=QUIET, radius=HEIGHT / 2)
    elif not step.number:
        yield Rect(x, y, width, HEIGHT, fill=PAPER, stroke=QUIET, radius=6)
    else:
        yield Rect(x, y, width, HEIGHT, fill=PAPER, stroke=color, stroke_width=2.0, radius=6)
        yield Rect(x, y, BADGE, HEIGHT, fill=color, stroke=color, stroke_width=2.0, radius=6)
        yield Text(
            x + BADGE / 2, y + 16.5, letter(step), size=SMALL, fill=PAPER, anchor="middle", weight="bold"
        )
        x += BADGE
    x += PAD
    if step.title:
        yield Text(x, y + 16.5, step.title, size=NAME_SIZE, weight="bold")
        x += text_width(step.title, NAME_SIZE, "bold") + SPACE
    yield Text(x, y + 16.5, step.kind, size=SMALL, fill=QUIET if step.title else INK)


def letter(step: Step) -> str:
    """The number of a rewrite as a letter, for the parts of a model often have numbers: A … Z, A2 …"""
    again, place = divmod(step.number - 1, 26)
    return chr(ord("A") + place) + (str(again + 1) if again else "")


def _arrow(points: list[tuple[float, float]]) -> Iterator[Shape]:
    *way, before, tip = points
    if way:
        yield Polyline((*way, before), stroke=QUIET)
    yield Line(*before, *tip, stroke=QUIET, marker="arrow")


def _legend(before: list[Step], rewrites: Sequence[Rewrite]) -> list[str]:
    """For each kind of rewrite the letters that are shown, and how often it was done."""
    lines = []
    for what in dict.fromkeys(rewrite.what for rewrite in rewrites):
        alike = [rewrite for rewrite in rewrites if rewrite.what == what]
        marked = {step.number: letter(step) for one in alike for step in members(one, before)}
        letters = [marked[number] for number in sorted(marked)] + ["…"] * (len(marked) < len(alike))
        times = f" ×{len(alike)}" if len(alike) > 1 else ""
        lines.append((min(marked, default=len(before)), f"{', '.join(letters)}  {what}{times}"))
    return [line for _, line in sorted(lines)]


def _told(titles: list[str], sides: Sequence[list[Step]], legend: list[str]) -> str:
    """The picture in words."""
    graphs = [
        f"{title}: " + ", ".join(f"{step.title} {step.kind}".strip() for step in found)
        for title, found in zip(titles, sides, strict=True)
    ]
    return f"A model's graph {'; '.join(graphs)}. Marked alike: {'; '.join(legend) or 'nothing'}."
