"""What flows along an edge when only shapes flow: a tensor on the meta device, and the names of its axes.

An edge fits when the tensor fits the port at its end, and when no axis changes places under its name: (batch, time,
width) must not arrive where (batch, width, time) is taken, not even if time and width happen to be of one size.
A different name in the same place is no contradiction: what one block calls "features" another may call "width".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench.fabric.axis import ELLIPSIS, ContractError, Sizes
from workbench.fabric.contract import Contract
from workbench.fabric.port import Names, Port

Known = dict[str, Names]  # what an axis of a contract, or its "...", is called where the data comes from


@dataclass(frozen=True)
class Flow:
    """A tensor on its way (None: an optional one that was left out), the names of its axes, and where it comes from."""

    tensor: Tensor | None
    names: Names
    source: str

    def __str__(self) -> str:
        if self.tensor is None:
            return "nothing"
        words = [
            f"{name}={size}" if name else f"{size}"
            for name, size in zip(self.names, self.tensor.shape, strict=True)
        ]
        return f"({', '.join(words)}{',' * (len(words) == 1)}) {str(self.tensor.dtype)[6:]}"


@dataclass(frozen=True)
class Edge:
    """From `source` ("embed", "encoder.last") to `port` of the block `target`; shape and type as found by the check.

    `axes` names the axes as the source does. A fabric's own output is the target "output".
    """

    source: str
    target: str
    port: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    axes: Names

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}.{self.port}"


class EdgeError(ContractError):
    """An edge does not fit; `edge` is the one, the message names it and both shapes."""

    def __init__(self, edge: Edge, message: str) -> None:
        super().__init__(message)
        self.edge = edge


def meet(port: Port, flow: Flow, sizes: Sizes, known: Known, target: str, edges: list[Edge]) -> Known:
    """Fits one flow to one port and records the edge; returns what the flow calls the port's axes.

    `known` holds what they have been called already. Raises EdgeError.
    """
    if flow.tensor is None and port.optional:
        return {}
    before, tensor = dict(sizes), flow.tensor
    shape = () if tensor is None else tuple(tensor.shape)
    dtype = torch.get_default_dtype() if tensor is None else tensor.dtype
    edge = Edge(flow.source, target, port.name, shape, dtype, flow.names)
    reason, called = port.misfit(tensor, sizes), Known()
    if not reason:
        called = port.calls(flow.names, sizes)
        around = {ELLIPSIS: called[ELLIPSIS]} if ELLIPSIS in called else {}
        reason = _moved(flow.names, port.named(sizes, {**known, **around}))
    if reason:
        raise EdgeError(
            edge, f"edge {edge}: {flow.source} gives {flow}, {target} takes {port.shown(before)}: {reason}"
        )
    edges.append(edge)
    return called


def arrive(contract: Contract, flows: Sequence[Flow], path: str, edges: list[Edge]) -> tuple[Sizes, Known]:
    """Fits what arrives at a part to its contract: the sizes of its axes, and what they are called outside."""
    sizes: Sizes = {}
    known: Known = {}
    missing = [Flow(None, (), "nothing")] * (len(contract.inputs) - len(flows))
    for port, flow in zip(contract.inputs, [*flows, *missing], strict=True):
        known = {**meet(port, flow, sizes, {}, path, edges), **known}  # the first to name an axis names it
    return sizes, known


def leave(contract: Contract, outputs: Any, sizes: Sizes, known: Known, path: str) -> list[Flow]:
    """What a part gives, compared with its promise, as flows with named axes. Raises ContractError."""
    given = [outputs] if isinstance(outputs, Tensor) or not isinstance(outputs, tuple | list) else outputs
    if len(given) != len(contract.outputs):
        raise ContractError(
            f"{path} promises {len(contract.outputs)} outputs ({contract}), gives {len(given)}"
        )
    flows = []
    for port, tensor in zip(contract.outputs, given, strict=True):
        try:
            port.match(tensor, sizes)
        except ContractError as error:
            raise ContractError(f"{path} breaks its promise ({contract}): {error}") from None
        source = path if len(given) == 1 else f"{path}.{port.name}"
        flows.append(Flow(tensor, port.named(sizes, known), source))
    return flows


def _moved(given: Names, taken: Names) -> str:
    """In words, the first axis that stands elsewhere under the same name, or ""."""
    for place, (from_here, to_here) in enumerate(zip(given, taken, strict=True)):
        if from_here and from_here != to_here and from_here in taken:
            return f"axis {from_here} is number {place} here and number {taken.index(from_here)} there"
    return ""
