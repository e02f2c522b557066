"""A fabric as text: a table with a line for each block, those inside of others set in.

letters = batch time: int -> batch time 40                                   7,208 parameters
block       module     reads    gives              parameters
├─ embed    Embedding  letters  batch × time × 64       1,856
├─ mix      Linear     embed    batch × time × 64       4,160
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from workbench.fabric.graph import Graph
from workbench.fabric.loop import Loop
from workbench.fabric.part import Part
from workbench.fabric.view.survey import Survey, came_back, inside, parent, survey, value, works_out

HEAD = ("block", "module", "reads", "gives", "parameters")


class Row(NamedTuple):
    """One line, and the path of its block."""

    block: str
    module: str
    reads: str
    gives: str
    parameters: str
    path: str


def tree(graph: Graph, **sizes: int) -> str:
    """The fabric's blocks with what each reads, the shape it gives and its parameters.

    One that does not fit is shown up to the block whose edge is bad, with the message. Open axes of a size that
    matters can be given, as for `check`.
    """
    seen = survey(graph, **sizes)
    rows = [*_rows(graph, "", "", seen)]
    if seen.message:
        rows = rows[: _end(rows, seen)]
    lines = [HEAD, *(row[: len(HEAD)] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    text = [f"{graph.contract}    {_count(graph)} parameters", *(_line(line, widths) for line in lines)]
    if seen.sizes and works_out(graph):
        text.append(f"numbers for {seen.sizes}")
    if seen.message:
        text.append(f"✗ {seen.message}")
    return "\n".join(text)


def _rows(graph: Graph, path: str, stem: str, seen: Survey) -> Iterator[Row]:
    within = f"{path}." if path else ""
    nodes = list(graph.nodes.values())
    for node in nodes:
        part, here, last = node.part, within + node.name, node is nodes[-1]
        gives = [
            f"{port.name}: {shape}" if len(part.contract.outputs) > 1 else shape
            for port in part.contract.outputs
            if (shape := seen.shape(path, value(here, part, port.name)))
        ]
        yield Row(
            f"{stem}{'└─' if last else '├─'} {node.name}",
            f"{part.described()} over {', '.join(part.over)}" if isinstance(part, Loop) else part.described(),
            ", ".join(source or "nothing" for source in node.sources),
            ", ".join(gives),
            _count(part),
            here,
        )
        inner = inside(part)
        if isinstance(inner, Graph):
            yield from _rows(inner, here, f"{stem}{'   ' if last else '│  '}", seen)


def _end(rows: list[Row], seen: Survey) -> int:
    """How many rows to show: up to the block that the walk did not get past."""
    stop = seen.stopped
    returning = seen.bad is not None and came_back(seen.bad)
    shown = [number for number, row in enumerate(rows) if row.path == stop and not returning]
    if not shown:  # behind all blocks of a fabric, or of a loop's body
        owner = stop if returning else parent(stop)
        shown = [number for number, row in enumerate(rows) if not owner or row.path.startswith(f"{owner}.")]
    return max(shown, default=-1) + 1


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    *left, right = cells
    padded = [f"{cell:{width}}" for cell, width in zip(left, widths, strict=False)]
    return "  ".join([*padded, f"{right:>{widths[-1]}}"]).rstrip()


def _count(part: Part) -> str:
    return f"{sum(parameter.numel() for parameter in part.parameters()):,}"
