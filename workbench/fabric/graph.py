"""A graph of named parts: each reads the graph's inputs or parts named before it, so it can have no circle.

Running it is a loop over the parts in the order in which they were named. Branching is two parts that read one source;
merging is a part with several sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from workbench.fabric.axis import ContractError
from workbench.fabric.block import as_part
from workbench.fabric.contract import Contract
from workbench.fabric.flow import Edge, Flow, arrive, meet
from workbench.fabric.part import Part
from workbench.fabric.wiring import Source, Wiring


@dataclass(frozen=True)
class Node:
    """A part under its name, and what it reads: one source for each input of its contract."""

    name: str
    part: Part
    sources: tuple[Source, ...]


class Graph(Part):
    """`nodes` maps each name to a part, or to its sources and the part; a part alone reads the node before it.

    `returns` names the sources that are given back, by default the last node. Raises ValueError for a name or a source
    that cannot be, TypeError for what is no module.
    """

    def __init__(
        self, contract: Contract | str, nodes: Mapping[str, Any], returns: str | Sequence[str] | None = None
    ) -> None:
        super().__init__(contract)
        if not nodes:
            raise ValueError("nodes: expected at least one")
        previous = self.contract.inputs[0].name
        made = []
        for name, given in nodes.items():
            *sources, module = given if isinstance(given, tuple) else (previous, given)
            made.append(Node(name, as_part(module), tuple(sources)))
            previous = name
        self.rewire(made, self._returned(made[-1], returns))
        if unread := self._wiring.unread():
            raise ValueError(f"nodes: nobody reads {unread}; give it to another node or to returns")

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes in the order in which they run."""
        return {name: Node(name, self.part(name), reads) for name, reads in self._wiring.reads.items()}

    @property
    def returns(self) -> tuple[str, ...]:
        """The sources that are given back."""
        return self._wiring.returned

    def part(self, name: str) -> Part:
        """The part under this name. Raises KeyError naming those there are."""
        part = self._modules.get(name)
        if not isinstance(part, Part):
            raise KeyError(f"no block {name!r}; there are {', '.join(self._modules)}")
        return part

    def rewire(self, nodes: Iterable[Node], returns: tuple[str, ...]) -> None:
        """Makes these the graph's nodes, without comparing shapes; parts that stay keep their weights.

        Raises ValueError, before anything is changed, when a name or source cannot be.
        """
        nodes = tuple(nodes)
        inputs = tuple(port.name for port in self.contract.inputs)
        for node in nodes:
            self._check(node, inputs)
        wiring = Wiring(
            inputs,
            {node.name: node.sources for node in nodes},
            {node.name: tuple(port.name for port in node.part.contract.outputs) for node in nodes},
            returns,
        )
        self._modules.clear()
        self._modules.update({node.name: node.part for node in nodes})
        self._wiring, self._plan, self._results = wiring, wiring.plan(), wiring.results()

    def run(self, *inputs: Tensor | None) -> Any:
        names = self._wiring.inputs
        values: dict[Source, Any] = {
            None: None,
            **dict.fromkeys(names),
            **dict(zip(names, inputs, strict=False)),
        }
        name = ""
        try:
            for name, reads, writes, last_used in self._plan:
                result = self._modules[name](*[values[read] for read in reads])  # type: ignore[misc]
                if len(writes) == 1:
                    values[writes[0]] = result
                else:
                    values.update(zip(writes, result, strict=True))
                for key in last_used:  # or every activation would live to the end
                    del values[key]
        except ContractError as error:
            raise ContractError(f"{name}.{error}") from None
        given = tuple([values[key] for key in self._results])
        return given[0] if len(given) == 1 else given

    def trace(self, flows: Sequence[Flow], path: str, edges: list[Edge]) -> list[Flow]:
        sizes, known = arrive(self.contract, flows, path, edges if path else [])
        within = f"{path}." if path else ""
        values: dict[Source, Flow] = {None: Flow(None, (), "nothing")}
        for number, port in enumerate(self.contract.inputs):
            flow = flows[number] if number < len(flows) else values[None]
            names = () if flow.tensor is None else port.named(sizes, known)
            values[port.name] = Flow(flow.tensor, names, within + port.name)
        for name, reads, writes, _ in self._plan:
            given = self.part(name).trace([values[read] for read in reads], within + name, edges)
            values.update(zip(writes, given, strict=True))
        results = []
        for port, key in zip(self.contract.outputs, self._results, strict=True):
            flow = values[key]
            called = meet(port, flow, sizes, known, f"{within}output", edges)
            source = path if len(self._results) == 1 else f"{path}.{port.name}"
            results.append(Flow(flow.tensor, port.named(sizes, {**called, **known}), source))
        return results

    def _check(self, node: Node, inputs: tuple[str, ...]) -> None:
        name, ports = node.name, node.part.contract.inputs
        used = hasattr(type(self), name) or name in self.__dict__ or name == "output"
        if used or not name.isidentifier():
            reason = f"Fabric uses it itself; try {name + '_block'!r}" if used else "expected a word"
            raise ValueError(f"nodes: {name!r} cannot name a block: {reason}")
        if name in inputs:
            raise ValueError(f"nodes: {name!r} names an input already")
        needed = sum(not port.optional for port in ports)
        if not needed <= len(node.sources) <= len(ports):
            raise ValueError(
                f"nodes: {name!r} takes {node.part.contract}; expected a source for each, got {node.sources}"
            )

    def _returned(self, last: Node, returns: str | Sequence[str] | None) -> tuple[str, ...]:
        promised = self.contract.outputs
        if returns is None:
            outputs = last.part.contract.outputs
            chosen = tuple(f"{last.name}.{port.name}" for port in outputs[: len(promised)])
        else:
            chosen = (returns,) if isinstance(returns, str) else tuple(returns)
        if len(chosen) != len(promised):
            raise ValueError(f"returns: the contract promises {len(promised)} outputs, got {list(chosen)}")
        return chosen
