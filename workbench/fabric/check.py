"""Checking a fabric without running it: shapes flow through it on the meta device, where tensors have no numbers.

Where the contract leaves a size open, the check takes a prime, another one for each axis: two axes that are mixed up
cannot then fit by accident.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.fabric.axis import ELLIPSIS, Sizes
from workbench.fabric.contract import Contract
from workbench.fabric.flow import Edge, Flow
from workbench.fabric.part import Part
from workbench.fabric.port import Port

PRIMES = (11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)


@dataclass(frozen=True, repr=False)
class Checked:
    """A fabric that fits: every edge with its shape, and the sizes that were tried."""

    edges: tuple[Edge, ...]
    outputs: tuple[Flow, ...]
    sizes: Sizes

    def __repr__(self) -> str:
        tried = ", ".join(f"{name}={size}" for name, size in self.sizes.items())
        lines = [f"{len(self.edges)} edges fit, tried with {tried}"]
        width = max((len(str(edge)) for edge in self.edges), default=0)
        lines += [f"  {edge!s:{width}}  {Flow(_empty(edge), edge.axes, '')}" for edge in self.edges]
        return "\n".join(lines)


def check(part: Part, inputs: Sequence[Tensor | None], sizes: Mapping[str, int]) -> Checked:
    """Sends shapes through `part`: those of `inputs`, or without any, of a sample with these sizes.

    Raises EdgeError for the first edge that does not fit; ContractError when a block fails on what fits its contract,
    or when inputs do not fit.
    """
    flows, tried = entering(part, inputs, sizes)
    edges: list[Edge] = []
    outputs = walk(part, flows, edges)
    return Checked(tuple(edges), tuple(outputs), tried)


def entering(
    part: Part, inputs: Sequence[Tensor | None], sizes: Mapping[str, int], dots: str | None = None
) -> tuple[list[Flow], Sizes]:
    """What goes into `part`, as flows, and the sizes of its axes; `dots` names those that "..." stands for."""
    given = list(inputs) if inputs else sample(part.contract, sizes, floating(part))
    values = [value if value is None else value.to("meta") for value in given]
    tried = part.contract.bind(values)
    covered = tried.get(ELLIPSIS)
    names = {ELLIPSIS: (dots,) * len(covered)} if isinstance(covered, tuple) else {}
    flows = [
        Flow(value, () if value is None else port.named(tried, names), port.name)
        for port, value in zip(part.contract.inputs, values, strict=False)
    ]
    return flows, tried


def walk(part: Part, flows: Sequence[Flow], edges: list[Edge]) -> list[Flow]:
    """What comes out of a copy of `part` without numbers; the edges passed are added to `edges`. Raises as `check`."""
    with torch.no_grad():
        return on_meta(part).trace(flows, "", edges)


def sample(contract: Contract, sizes: Mapping[str, int], dtype: torch.dtype) -> list[Tensor | None]:
    """Inputs without numbers for a contract; open sizes are primes that differ.

    Raises ValueError when a size is given for an axis that the inputs do not have.
    """
    names = [
        axis.text for port in contract.inputs for axis in port.axes if axis.name or axis.text == ELLIPSIS
    ]
    if unknown := sizes.keys() - set(names):
        raise ValueError(f"sizes: expected some of {sorted(set(names))}, got {sorted(unknown)}")
    free = [name for name in dict.fromkeys(names) if name not in sizes]
    if len(free) > len(PRIMES):
        raise ValueError(f"sizes: more than {len(PRIMES)} axes are open; give some of {free}")
    primes = dict(zip(free, PRIMES, strict=False))
    known: Sizes = {**sizes, **{name: (p,) if name == ELLIPSIS else p for name, p in primes.items()}}
    return [
        torch.empty(port.shape(known), dtype=_dtype(port, dtype), device="meta") for port in contract.inputs
    ]


def on_meta(module: Part) -> Part:
    """A copy of a part whose parameters and buffers have shapes and no numbers."""
    # told beforehand what becomes of each tensor, deepcopy copies the modules around them and no weight
    memo: dict[int, object] = {}
    for parameter in module.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)
    for buffer in module.buffers():
        memo[id(buffer)] = buffer.to("meta")
    return copy.deepcopy(module, memo)


def floating(module: nn.Module) -> torch.dtype:
    """The type of a module's first floating-point parameter, or torch's default."""
    types = (parameter.dtype for parameter in module.parameters() if parameter.is_floating_point())
    return next(types, torch.get_default_dtype())


def _dtype(port: Port, floating: torch.dtype) -> torch.dtype:
    if port.dtype == "int":
        return torch.int64
    return floating if port.dtype in ("float", "any") else getattr(torch, port.dtype)


def _empty(edge: Edge) -> Tensor:
    return torch.empty(edge.shape, dtype=edge.dtype, device="meta")
