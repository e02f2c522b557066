"""A fabric as a picture: blocks from top to bottom, below each the shape it gives, on the arrows that carry it on.

Fabrics and loops within are frames around what is in them; round a loop, a dashed arrow leads back to the input that
gets the output at the next step. An edge that does not fit is red, and its message stands below.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.drawing.ink_png import text_width
from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Line, Point, Polyline, Rect, Shape, Text
from workbench.drawing.style import BLUE, EDGE, GREEN, PAPER, QUIET, SKY, VERMILLION
from workbench.fabric.graph import Graph
from workbench.fabric.loop import Loop
from workbench.fabric.view.diagram import (
    BACK,
    BLOCK,
    NAME_SIZE,
    PAD,
    PORT,
    SMALL,
    SPACE,
    Diagram,
    Item,
    heading,
    measure,
)
from workbench.fabric.view.survey import Survey, came_back, inside, survey, works_out

MARGIN, LINE, LEAST = 16.0, 17.0, 360.0


def picture(graph: Graph, **sizes: int) -> Scene:
    """The fabric's blocks, what each reads, and the shapes on the way.

    Open axes of a size that matters can be given, as for `check`. Draws a fabric that does not fit as well.
    """
    seen = survey(graph, **sizes)
    diagram = measure(graph, graph, "", seen, [])
    notes = [(f"Numbers for {seen.sizes}", QUIET)] if seen.sizes and works_out(graph) else []
    notes += [(seen.message, VERMILLION)] if seen.message else []
    width = max(diagram.layout.width, LEAST if notes else 0.0) + 2 * MARGIN
    left = (width - diagram.layout.width) / 2
    shapes = [*_diagram(diagram, left, MARGIN, seen)]
    y = MARGIN + diagram.layout.height
    for note, color in notes:
        for line in _wrapped(note, width - 2 * MARGIN):
            y += LINE
            shapes.append(Text(MARGIN, y, line, size=SMALL, fill=color))
    return Scene(width, y + MARGIN, tuple(shapes), words(graph, seen))


def words(graph: Graph, seen: Survey) -> str:
    """The picture in words: each block, what it reads and gives, and what does not fit."""
    told = "; ".join(_told(graph, "", seen))
    return f"A fabric, {graph.contract}: {told}." + (
        f" It does not fit: {seen.message}" if seen.message else ""
    )


def _told(graph: Graph, path: str, seen: Survey) -> Iterator[str]:
    within = f"{path}." if path else ""
    for name, node in graph.nodes.items():
        reads = " and ".join(source for source in node.sources if source) or "nothing"
        yield f"{within}{name} ({node.part.described()}) reads {reads}"
        inner = inside(node.part)
        if isinstance(inner, Graph):
            yield from _told(inner, within + name, seen)


def _diagram(diagram: Diagram, x: float, y: float, seen: Survey) -> Iterator[Shape]:
    for arrow, route in diagram.layout.routes.items():
        bad = seen.bad is not None and diagram.ends[arrow] == (
            seen.bad.source,
            seen.bad.target,
            seen.bad.port,
        )
        yield from _arrow([(px + x, py + y) for px, py in route], bad)
    for item in diagram.items.values():
        left, top = x + item.box.x, y + item.box.y
        if item.kind in ("input", "output"):
            yield from _port(item, left, top)
        elif item.inner:
            yield from _frame(item, item.inner, left, top, seen)
        else:
            yield from _block(item, left, top, item.path == seen.stopped)
        base = top + item.box.height - 5
        yield from (
            Text(left + place, base, tag, size=SMALL, fill=QUIET, anchor="middle")
            for place, tag in zip(item.box.leaves, item.tags, strict=False)
            if tag
        )


def _arrow(
    points: list[Point], bad: bool, dash: tuple[float, ...] = (), color: str = QUIET
) -> Iterator[Shape]:
    *way, before, tip = points
    color, width = (VERMILLION, 3.0) if bad else (color, 1.5)
    if way:
        yield Polyline((*way, before), stroke=color, stroke_width=width, dash=dash)
    yield Line(*before, *tip, stroke=color, stroke_width=width, marker="arrow")


def _port(item: Item, x: float, y: float) -> Iterator[Shape]:
    width = text_width(item.name, SMALL) + PAD
    middle = x + item.box.width / 2
    yield Rect(middle - width / 2, y, width, PORT, fill=SKY, opacity=0.35, stroke=QUIET, radius=PORT / 2)
    yield Text(middle, y + 15, item.name, size=SMALL, anchor="middle")


def _block(item: Item, x: float, y: float, bad: bool) -> Iterator[Shape]:
    color, width = (VERMILLION, 3.0) if bad else (BLUE, 1.5)
    yield Rect(x, y, item.box.width, BLOCK, fill=PAPER, stroke=color, stroke_width=width, radius=6)
    yield from _heading(item, x + (item.box.width - heading(item.name, item.kind)) / 2 + PAD, y)


def _heading(item: Item, x: float, y: float) -> Iterator[Shape]:
    yield Text(x, y + 17.5, item.name, size=NAME_SIZE, weight="bold")
    after = x + text_width(item.name, NAME_SIZE, "bold") + SPACE
    yield Text(after, y + 17.5, item.kind, size=SMALL, fill=QUIET)


def _frame(item: Item, inner: Diagram, x: float, y: float, seen: Survey) -> Iterator[Shape]:
    color = VERMILLION if item.path == seen.stopped else QUIET
    yield Rect(x, y, item.box.width, inner.layout.height, stroke=color, stroke_width=1.5, radius=6)
    yield Rect(x, y, item.box.width, BLOCK, fill=EDGE, opacity=0.5, stroke=color, radius=6)
    yield from _heading(item, x + PAD, y)
    if isinstance(inner.part, Loop):
        yield from _back(inner, inner.part, x, y, seen)
    yield from _diagram(inner, x, y, seen)


def _back(inner: Diagram, loop: Loop, x: float, y: float, seen: Survey) -> Iterator[Shape]:
    """Round the right side of a loop's inside: from each output it carries to the input that gets it."""
    for number, (output, given) in enumerate(loop.carry.items()):
        start, end = inner.items[f"out {output}"].box, inner.items[f"in {given}"].box
        lane = x + inner.layout.width - BACK * (number + 1)
        bottom, top = y + start.y + PORT, y + end.y
        low, high = bottom + BACK * (number + 0.5), top - BACK * (number + 0.9)
        # beside the arrows that come straight from above
        leaves = x + start.x + start.width / 2 + text_width(output, SMALL) / 4
        enters = x + end.x + end.width / 2 + text_width(given, SMALL) / 4
        way = [(leaves, bottom), (leaves, low), (lane, low), (lane, high), (enters, high), (enters, top)]
        bad = (
            seen.bad is not None
            and (seen.bad.target, seen.bad.port) == (inner.path, given)
            and came_back(seen.bad)
        )
        yield from _arrow(way, bad, dash=(5.0, 3.0), color=GREEN)


def _wrapped(message: str, width: float) -> list[str]:
    lines = [""] if message else []
    for word in message.split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, SMALL) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
