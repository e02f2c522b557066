"""Changing a fabric's blocks: one for another (`swap`), or one beside another (`parallel`).

The new block is checked first where it will stand; a fabric that would no longer fit stays as it was. No other block
is touched: its weights, and their names in the state dict, are the same objects as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import nn

from workbench.blocks.merge import Add, Concat, Gate, Mean
from workbench.fabric.axis import ContractError
from workbench.fabric.block import as_part
from workbench.fabric.check import check, floating, on_meta, sample
from workbench.fabric.graph import Graph, Node
from workbench.fabric.part import Part
from workbench.fabric.wiring import Source
from workbench.profiling import meter

COMBINE = ("add", "mean", "concat", "gate")
Pair = tuple[int | None, int]  # before (None: it did not fit, so nothing could be counted) and after


class Weighed(NamedTuple):
    """A fabric's parameters, the FLOPs and bytes of one forward pass (None: it does not fit), and what is uncounted."""

    parameters: int
    flops: int | None
    bytes: int | None
    uncounted: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Change:
    """What a change did to the whole fabric, each before and after: parameters, FLOPs and bytes of one forward pass.

    FLOPs and bytes are counted at the sizes of the check; operations without a formula are `uncounted`.
    """

    what: str
    parameters: Pair
    flops: Pair
    bytes: Pair
    uncounted: tuple[str, ...]

    def __repr__(self) -> str:
        pairs = {"parameters": self.parameters, "FLOP": self.flops, "bytes": self.bytes}
        told = ", ".join(
            f"{name} {'?' if before is None else f'{before:,}'} → {after:,}"
            for name, (before, after) in pairs.items()
        )
        more = f" (FLOP uncounted: {', '.join(self.uncounted)})" if self.uncounted else ""
        return f"{self.what}: {told}{more}"


def swap(root: Graph, path: str, module: nn.Module, sources: Sequence[Source] | None = None) -> Change:
    """Puts `module` in the place of the block at `path`, such as "decoder.attention".

    It reads what the old block read, or `sources`. A module without a contract of its own gets the old one's. Raises
    KeyError for a path that leads nowhere, ContractError when the new block does not fit; nothing is changed then.
    """
    graph, name = find(root, path)
    nodes = graph.nodes
    new = _placed(as_part(module, nodes[name].part.contract), nodes[name].part, root)
    reads = nodes[name].sources if sources is None else tuple(sources)
    return _changed(f"swap {path}", root, graph, nodes | {name: Node(name, new, reads)}, graph.returns)


def parallel(root: Graph, path: str, module: nn.Module, combine: str | nn.Module = "add") -> Change:
    """Sets `module` beside the block at `path`; both read the same, and `combine` joins what they give.

    The new nodes are `<name>_beside` and `<name>_joined` (with a number from the second on); who read the old block
    reads the join. Of several outputs the first is joined, the others stay the old block's. `combine` is "add", "mean",
    "concat", "gate" or a module with two inputs. Raises as `swap` does, and ValueError for another `combine`.
    """
    graph, name = find(root, path)
    node = graph.nodes[name]
    number = 1 + sum(other.startswith(f"{name}_beside") for other in graph.nodes)
    beside, joined = (f"{name}_{word}{number if number > 1 else ''}" for word in ("beside", "joined"))
    new = _placed(as_part(module, node.part.contract), node.part, root)
    join = _placed(as_part(_joiner(combine, root, path)), node.part, root)

    first = (name, f"{name}.{node.part.contract.outputs[0].name}")
    nodes: dict[str, Node] = {}
    for other in graph.nodes.values():
        reads = tuple(joined if read in first else read for read in other.sources)
        nodes[other.name] = replace(other, sources=reads)
        if other.name == name:
            nodes[beside] = Node(beside, new, node.sources)
            nodes[joined] = Node(joined, join, (name, beside))
    returns = tuple(joined if read in first else read for read in graph.returns)
    return _changed(f"{type(module).__name__} beside {path}", root, graph, nodes, returns)


def find(root: Graph, path: str) -> tuple[Graph, str]:
    """The graph that holds the block at `path`, and its name there. Raises KeyError."""
    *outer, name = path.split(".")
    graph: Any = root
    for step in outer:
        inner = graph.part(step) if isinstance(graph, Graph) else None
        graph = getattr(inner, "body", inner)  # a loop's body is meant when the loop is named
    if not isinstance(graph, Graph):
        raise KeyError(f"{path!r}: {'.'.join(outer)} is a single block, there is nothing inside to change")
    graph.part(name)
    return graph, name


def _placed(new: Part, like: Part, root: Graph) -> Part:
    """The new part on the fabric's device and in the old one's mode."""
    parameter = next(iter([*like.parameters(), *root.parameters()]), torch.empty(0))
    return new.to(parameter.device).train(like.training)


def _joiner(combine: str | nn.Module, root: Graph, path: str) -> nn.Module:
    if isinstance(combine, nn.Module):
        return combine
    if combine not in COMBINE:
        raise ValueError(f"combine: expected one of {', '.join(COMBINE)} or a module, got {combine!r}")
    if combine == "gate":
        graph, name = find(root, path)
        sources = {path, f"{path}.{graph.part(name).contract.outputs[0].name}"}
        width = next(edge.shape[-1] for edge in check(root, (), {}).edges if edge.source in sources)
        return Gate(width)
    return {"add": Add, "mean": Mean, "concat": Concat}[combine]()


def _weighed(root: Graph) -> Weighed:
    """Checks the fabric, then counts a forward pass on the meta device. Raises as `check` does."""
    check(root, (), {})
    count = meter(on_meta(root), *sample(root.contract, {}, floating(root)))
    return Weighed(_parameters(root), count.flops, count.bytes, tuple(count.uncounted))


def _before(root: Graph) -> Weighed:
    """The same for a fabric that may not fit yet: a swap may be what mends it."""
    try:
        return _weighed(root)
    except ContractError:
        return Weighed(_parameters(root), None, None, ())


def _parameters(root: Graph) -> int:
    return sum(parameter.numel() for parameter in root.parameters())


def _changed(
    what: str, root: Graph, graph: Graph, nodes: Mapping[str, Node], returns: tuple[str, ...]
) -> Change:
    """Gives `graph`, somewhere in `root`, new nodes, and weighs the whole; if it does not fit, all is as it was."""
    before, saved = _before(root), (graph.nodes.values(), graph.returns)
    graph.rewire(nodes.values(), returns)
    try:
        after = _weighed(root)
    except Exception:
        graph.rewire(*saved)
        raise
    assert after.flops is not None
    assert after.bytes is not None
    return Change(
        what,
        (before.parameters, after.parameters),
        (before.flops, after.flops),
        (before.bytes, after.bytes),
        tuple(sorted({*before.uncounted, *after.uncounted})),
    )
