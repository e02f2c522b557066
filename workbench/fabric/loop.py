"""A loop over time: one body, run once for every step, handing its state to the next.

    body    letter = batch: int, state = batch 64, memory = batch time 64 -> scores = batch 9, state = batch 64
    loop    letter = batch steps: int, state = batch 64, memory = batch time 64 -> scores = batch steps 9, state = …

The inputs named in `over` are cut along their second axis, the outputs named in `carry` come back as inputs, all other
inputs stay the same at every step, and what the body gives besides its state is stacked along the second axis again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from workbench.fabric.axis import Axis, ContractError
from workbench.fabric.contract import Contract
from workbench.fabric.flow import Edge, Flow, arrive, meet
from workbench.fabric.part import Part
from workbench.fabric.port import Port


class Loop(Part):
    """Runs `body` along the axis `axis`, the second of every input named in `over`.

    `carry` maps outputs of the body to the inputs that get them at the next step. Gives the body's outputs in its
    order: those that carry are the last step's, the others have the axis `axis` second. Raises ValueError naming the
    argument that does not fit the body's contract.
    """

    def __init__(
        self, body: Part, over: Sequence[str] | str, carry: Mapping[str, str], axis: str = "steps"
    ) -> None:
        over = (over,) if isinstance(over, str) else tuple(over)
        _check(body.contract, over, carry, axis)
        inputs = [_along(port, axis) if port.name in over else port for port in body.contract.inputs]
        outputs = [port if port.name in carry else _along(port, axis) for port in body.contract.outputs]
        super().__init__(Contract.of(inputs, outputs))
        self.body = body
        self.over = over
        self.carry = dict(carry)

    def run(self, *inputs: Tensor | None) -> Any:
        names = [port.name for port in self.body.contract.inputs]
        values = dict(zip(names, [*inputs, *[None] * (len(names) - len(inputs))], strict=True))
        cut = {name: values[name].unbind(1) for name in self.over}  # type: ignore[union-attr]
        if not all(cut.values()):
            raise ContractError(f"{', '.join(self.over)}: expected at least one step, got none")
        stacks: list[list[Tensor]] = [[] for _ in self.contract.outputs]
        for step in range(len(next(iter(cut.values())))):
            values.update((name, pieces[step]) for name, pieces in cut.items())
            outputs = self.body(*values.values())
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            for port, stack, output in zip(self.body.contract.outputs, stacks, outputs, strict=True):
                stack.append(output)
                if port.name in self.carry:
                    values[self.carry[port.name]] = output
        results = tuple(
            stack[-1] if port.name in self.carry else torch.stack(stack, dim=1)
            for port, stack in zip(self.body.contract.outputs, stacks, strict=True)
        )
        return results[0] if len(results) == 1 else results

    def trace(self, flows: Sequence[Flow], path: str, edges: list[Edge]) -> list[Flow]:
        """One step stands for all: what comes back must fit where it goes in."""
        sizes, _ = arrive(self.contract, flows, path, edges)
        entering = [
            replace(flow, tensor=flow.tensor[:, 0], names=(flow.names[0], *flow.names[2:]))
            if port.name in self.over and flow.tensor is not None
            else flow
            for port, flow in zip(self.contract.inputs, flows, strict=False)
        ]
        inside: list[Edge] = []
        leaving = self.body.trace(entering, path, inside)
        edges += [edge for edge in inside if edge.target != path]  # those that arrive were recorded above
        steps = sizes[self._axis]
        assert isinstance(steps, int)
        results = []
        for port, flow in zip(self.contract.outputs, leaving, strict=True):
            if port.name in self.carry:
                target = next(p for p in self.contract.inputs if p.name == self.carry[port.name])
                meet(target, flow, dict(sizes), {}, path, edges)
            elif flow.tensor is not None:
                tensor = flow.tensor.unsqueeze(1).expand(-1, steps, *flow.tensor.shape[1:])
                flow = replace(flow, tensor=tensor, names=(flow.names[0], self._axis, *flow.names[1:]))
            results.append(replace(flow, source=path if len(leaving) == 1 else f"{path}.{port.name}"))
        return results

    @property
    def _axis(self) -> str:
        port = next(port for port in self.contract.inputs if port.name in self.over)
        return port.axes[1].text


def _along(port: Port, axis: str) -> Port:
    """The port with one more axis, second."""
    return replace(port, axes=(port.axes[0], Axis(axis), *port.axes[1:]))


def _check(contract: Contract, over: Sequence[str], carry: Mapping[str, str], axis: str) -> None:
    inputs = {port.name: port for port in contract.inputs}
    outputs = {port.name: port for port in contract.outputs}
    if not over or not set(over) <= inputs.keys():
        raise ValueError(f"over: expected one or more of the body's inputs {list(inputs)}, got {list(over)}")
    if not (carry.keys() <= outputs.keys() and set(carry.values()) <= inputs.keys() - set(over)):
        raise ValueError(
            f"carry: expected outputs of {list(outputs)} for inputs of {list(inputs)}, got {dict(carry)}"
        )
    stacked = [port for port in contract.outputs if port.name not in carry]
    for port in [inputs[name] for name in over] + stacked:
        if not port.axes or port.axes[0].name is None or inputs[over[0]].optional:
            raise ValueError(
                f"over: {port.name} needs a named first axis, which the steps come behind, got {port}"
            )
    if any(axis in a.names for port in (*contract.inputs, *contract.outputs) for a in port.axes):
        raise ValueError(f"axis: the body has an axis {axis!r} already; name the loop's another way")
