"""What flows along every edge of a part, as far as it fits: what `tree` and `picture` show.

The same walk of shapes as `check` (`check.py`), but a part that does not fit is not an error here: the edges found up
to there are kept, with the one that is bad and its message.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.fabric.axis import ELLIPSIS, ContractError
from workbench.fabric.check import entering, walk
from workbench.fabric.flow import Edge, EdgeError
from workbench.fabric.loop import Loop
from workbench.fabric.part import Part

DOTS = "…"


@dataclass(frozen=True)
class Survey:
    """The edges passed, and with a `message` the one that is `bad`, if it is an edge and not a block that fails."""

    edges: tuple[Edge, ...]
    sizes: str  # those tried, in words
    bad: Edge | None = None
    message: str = ""

    def shape(self, graph: str, source: str) -> str:
        """What flows from `source` to blocks of the fabric at the path `graph`, in words, or ""."""
        edges = [*self.edges, *([self.bad] if self.bad else [])]
        return next((in_words(e) for e in edges if e.source == source and parent(e.target) == graph), "")

    @property
    def stopped(self) -> str:
        """The path of the block that the walk did not get past, "" if it got through."""
        if not self.message:
            return ""
        return self.bad.target if self.bad else self.edges[-1].target if self.edges else ""


def survey(part: Part, **sizes: int) -> Survey:
    """Sends shapes through `part` until one does not fit; open axes have the size given, or a prime."""
    flows, found = entering(part, (), sizes, DOTS)
    tried = ", ".join(f"{name}={size}" for name, size in found.items() if isinstance(size, int))
    edges: list[Edge] = []
    try:
        walk(part, flows, edges)
    except ContractError as error:
        bad = error.edge if isinstance(error, EdgeError) else None
        return Survey(tuple(edges), tried, bad, str(error))
    return Survey(tuple(edges), tried)


def inside(part: Part) -> Part | None:
    """What a part is made of, if it is a loop; otherwise itself."""
    return part.body if isinstance(part, Loop) else part


def works_out(part: Part) -> bool:
    """Whether some size in it follows from others, as behind a convolution; it is a number then and has no name."""
    ports = (port for m in part.modules() if isinstance(m, Part) for port in m.contract.outputs)
    return any(
        not (axis.name or axis.text.isdigit() or axis.text == ELLIPSIS)
        for port in ports
        for axis in port.axes
    )


def value(path: str, part: Part, output: str) -> str:
    """How edges name one output of the part at `path`."""
    outputs = part.contract.outputs
    return path if len(outputs) == 1 else f"{path}.{output or outputs[0].name}"


def in_words(edge: Edge) -> str:
    """The shape on an edge: "batch × time × 64", with the type where it is not floating point."""
    words = [name or str(size) for name, size in zip(edge.axes, edge.shape, strict=True)]
    kind = "" if edge.dtype.is_floating_point else f" {str(edge.dtype).removeprefix('torch.')}"
    return (" × ".join(words) or "one number") + kind


def came_back(edge: Edge) -> bool:
    """Whether it leads round a loop: from the loop's own output to its input."""
    return f"{edge.source}.".startswith(f"{edge.target}.")


def parent(path: str) -> str:
    """The path of the fabric that holds the block at `path`."""
    return path.rpartition(".")[0]
