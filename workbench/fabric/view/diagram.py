"""A graph measured for drawing: which boxes it has, how large their texts make them, where they stand.

Inputs and outputs are small boxes at the top and at the bottom, named as in the contract. A fabric within is a frame
around a diagram of its own, and its size follows from that one's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.drawing.ink_png import text_width
from workbench.fabric.graph import Graph
from workbench.fabric.loop import Loop
from workbench.fabric.part import Part
from workbench.fabric.view.across import Box
from workbench.fabric.view.layout import Arrow, Layout, place
from workbench.fabric.view.survey import Survey, inside, value

NAME_SIZE, SMALL = 13.0, 11.0  # text sizes
PAD, TAG, PORT, BLOCK = 12.0, 16.0, 22.0, 26.0  # heights but for the first; TAG is the shape below a box
SPACE = 8.0  # between a name and its kind
BACK = 12.0  # room for an arrow that leads back round a loop


@dataclass
class Item:
    """A box with what is written in it; `tags` are the shapes that it gives, written below it."""

    name: str
    kind: str  # "input", "output", or the class of a block's module
    path: str
    box: Box
    tags: list[str] = field(default_factory=list)
    inner: Diagram | None = None


@dataclass
class Diagram:
    """The items of one graph, the layout of their boxes, and each arrow's ends as edges name them."""

    path: str
    items: dict[str, Item]
    layout: Layout
    ends: dict[Arrow, tuple[str, str, str]]  # source, target, port
    part: Part


def measure(part: Part, graph: Graph, path: str, seen: Survey, room: list[str]) -> Diagram:
    """The diagram of `graph`, which is `part` itself or the body of that loop; `room` are texts below its outputs."""
    within = f"{path}." if path else ""
    items: dict[str, Item] = {}
    for port in graph.contract.inputs:
        shape = seen.shape(path, within + port.name)
        items[f"in {port.name}"] = _port(port.name, "input", within, [shape])
    for name, node in graph.nodes.items():
        items[name] = _block(name, node.part, within + name, path, seen)
    outputs = graph.contract.outputs
    for number, port in enumerate(outputs):
        items[f"out {port.name}"] = _port(port.name, "output", within, room[number : number + 1])
        items[f"out {port.name}"].tags = []
    ends = dict(_arrows(graph, within))
    boxes = {name: item.box for name, item in items.items()}
    layout = place(boxes, ends, last=[f"out {port.name}" for port in outputs])
    return Diagram(path, items, layout, ends, part)


def _port(name: str, kind: str, within: str, tags: list[str]) -> Item:
    words = [text_width(name, SMALL) + PAD, *(text_width(tag, SMALL) for tag in tags)]
    width = max(words)
    height = PORT + (TAG if kind == "input" and any(tags) else 0)
    return Item(name, kind, within + name, Box(width, height, (width / 2,), (width / 2,)), tags)


def _block(name: str, part: Part, path: str, graph: str, seen: Survey) -> Item:
    outputs = part.contract.outputs
    shapes = [seen.shape(graph, value(path, part, port.name)) for port in outputs]
    tags = [
        f"{port.name}: {shape}" if shape and len(outputs) > 1 else shape
        for port, shape in zip(outputs, shapes, strict=True)
    ]
    kind = part.described() if not isinstance(part, Loop) else f"for each {', '.join(part.over)}"
    inner = inside(part)
    if isinstance(inner, Graph):
        return _frame(name, kind, part, inner, path, seen, tags)
    widths = [text_width(tag, SMALL) + PAD for tag in tags]
    width = max(heading(name, kind), sum(widths))
    spare = (width - sum(widths)) / len(widths)
    leaves = [sum(widths[:n]) + widths[n] / 2 + spare * (n + 0.5) for n in range(len(widths))]
    count = len(part.contract.inputs)
    enters = [width * (n + 1) / (count + 1) for n in range(count)]
    return Item(name, kind, path, Box(width, BLOCK + TAG * any(tags), enters, leaves), tags)


def _frame(name: str, kind: str, part: Part, graph: Graph, path: str, seen: Survey, tags: list[str]) -> Item:
    """A nested fabric or loop: its diagram, a title above, and room on the right for arrows that lead back."""
    diagram = measure(part, graph, path, seen, tags)
    back = BACK * (len(part.carry) + 1) if isinstance(part, Loop) else 0.0
    width = max(diagram.layout.width + 2 * PAD + back, heading(name, kind))
    left = (width - back - diagram.layout.width) / 2
    height = BLOCK + 2 * (PAD + back / 2) + diagram.layout.height
    for item in diagram.items.values():
        item.box.x += left
        item.box.y += BLOCK + PAD + back / 2
    shifted = {
        arrow: [(x + left, y + BLOCK + PAD + back / 2) for x, y in route]
        for arrow, route in diagram.layout.routes.items()
    }
    diagram.layout = Layout(width, height, shifted)

    def middles(prefix: str) -> list[float]:
        boxes = [item.box for key, item in diagram.items.items() if key.startswith(prefix)]
        return [box.x + box.width / 2 for box in boxes]

    box = Box(width, height + TAG * any(tags), middles("in "), middles("out "), fixed=True)
    return Item(name, kind, path, box, tags, diagram)


def heading(name: str, kind: str) -> float:
    """The width that a box needs for its name and kind."""
    return text_width(name, NAME_SIZE, "bold") + SPACE + text_width(kind, SMALL) + 2 * PAD


def _arrows(graph: Graph, within: str) -> list[tuple[Arrow, tuple[str, str, str]]]:
    inputs = [port.name for port in graph.contract.inputs]

    def arrow(
        source: str, target: str, enters: int, end: str, port: str
    ) -> tuple[Arrow, tuple[str, str, str]]:
        if source in inputs:
            return Arrow(f"in {source}", 0, target, enters), (within + source, end, port)
        name, _, output = source.partition(".")
        part = graph.part(name)
        names = [port.name for port in part.contract.outputs]
        leaves = names.index(output) if output else 0
        return Arrow(name, leaves, target, enters), (value(within + name, part, output), end, port)

    return [
        arrow(source, name, number, within + name, port.name)
        for name, node in graph.nodes.items()
        for number, (source, port) in enumerate(zip(node.sources, node.part.contract.inputs, strict=False))
        if source is not None
    ] + [
        arrow(source, f"out {port.name}", 0, f"{within}output", port.name)
        for source, port in zip(graph.returns, graph.contract.outputs, strict=True)
    ]
