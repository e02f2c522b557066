"""A graph of named parts: each reads the graph's inputs or parts named before it, so it can have no circle.

Running it is a loop over the parts in the order of their names' appearance. Branching is two parts that read one
source; merging is a part with several sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from workbench.fabric.axis import ContractError
from workbench.fabric.block import as_part
from workbench.fabric.contract import Contract
from workbench.fabric.flow import Edge, Flow, arrive, meet
from workbench.fabric.part import Part

Source = str | None  # "mask", "encoder", "encoder.last"; None leaves an optional input out


@dataclass(frozen=True)
class Node:
    """A part under its name, and what it reads: one source for each input of its contract."""

    name: str
    part: Part
    sources: tuple[Source, ...]


class Step(NamedTuple):
    """A node prepared for running: where its results go, and which values nobody reads after it."""

    name: str
    reads: tuple[Source, ...]
    writes: tuple[str, ...]
    last_used: tuple[str, ...]


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
        self._sources: dict[str, tuple[Source, ...]] = {}
        previous = self.contract.inputs[0].name
        for name, given in nodes.items():
            *sources, module = given if isinstance(given, tuple) else (previous, given)
            self.set_node(name, as_part(module), tuple(sources))
            previous = name
        self._returns = self._returned(previous, returns)
        self._plan = self._planned()
        unread = self._sources.keys() - {read.partition(".")[0] for read in self._read()}
        if unread:
            raise ValueError(f"nodes: nobody reads {sorted(unread)}; give it to another node or to returns")

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes in the order in which they run."""
        return {name: Node(name, self.part(name), sources) for name, sources in self._sources.items()}

    @property
    def returns(self) -> tuple[str, ...]:
        """The sources that are given back."""
        return self._returns

    def part(self, name: str) -> Part:
        """The part under this name. Raises KeyError naming those there are."""
        part = self._modules.get(name)
        if not isinstance(part, Part):
            raise KeyError(f"no block {name!r}; there are {', '.join(self._sources)}")
        return part

    def set_node(self, name: str, part: Part, sources: tuple[Source, ...]) -> None:
        """Puts a part under a name, the last place if the name is new, without a check of shapes.

        Raises ValueError when the name or a source cannot be.
        """
        if name not in self._sources:
            if not name.isidentifier() or hasattr(type(self), name) or name in self.__dict__:
                raise ValueError(
                    f"nodes: {name!r} cannot name a block; expected a word that Fabric does not use itself"
                )
            if name in (port.name for port in self.contract.inputs):
                raise ValueError(f"nodes: {name!r} names an input already")
        inputs = part.contract.inputs
        needed = sum(not port.optional for port in inputs)
        if not needed <= len(sources) <= len(inputs):
            raise ValueError(
                f"nodes: {name!r} takes {part.contract}; expected a source for each, got {sources}"
            )
        for source in sources:
            self._key(source, before=name)
        self._modules[name] = part
        self._sources[name] = sources

    def rewire(self, sources: Mapping[str, tuple[Source, ...]], returns: tuple[str, ...]) -> None:
        """New sources for the nodes, in the order to run them; parts that are no longer named are let go."""
        for name in self._sources.keys() - sources.keys():
            del self._modules[name]
        self._sources = dict(sources)
        self._returns = returns
        self._plan = self._planned()

    def run(self, *inputs: Tensor | None) -> Any:
        values: dict[str | None, Any] = {None: None, **dict.fromkeys(self._input_names)}
        values.update(zip(self._input_names, inputs, strict=False))
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
        sizes, around = arrive(self.contract, flows, path, edges if path else [])
        within = f"{path}." if path else ""
        values: dict[Source, Flow] = {None: Flow(None, (), "nothing")}
        for number, port in enumerate(self.contract.inputs):
            flow = flows[number] if number < len(flows) else values[None]
            names = () if flow.tensor is None else port.named(sizes, around)
            values[port.name] = Flow(flow.tensor, names, within + port.name)
        for name, reads, writes, _ in self._plan:
            given = self.part(name).trace([values[read] for read in reads], within + name, edges)
            values.update(zip(writes, given, strict=True))
        results = []
        for port, key in zip(self.contract.outputs, self._results, strict=True):
            flow = values[key]
            behind = meet(port, flow, sizes, f"{within}output", edges) or around
            source = path if len(self._returns) == 1 else f"{path}.{port.name}"
            results.append(Flow(flow.tensor, port.named(sizes, behind), source))
        return results

    @property
    def _input_names(self) -> tuple[str, ...]:
        return tuple(port.name for port in self.contract.inputs)

    def _read(self) -> list[str]:
        """Every source that somebody reads."""
        return [*(s for sources in self._sources.values() for s in sources if s), *self._returns]

    def _key(self, source: Source, before: str = "") -> Source:
        """The name under which a run keeps this source's value. Raises ValueError when there is no such source."""
        if source is None or source in self._input_names:
            return source
        names = list(self._sources)
        earlier = names[: names.index(before)] if before in names else names
        name, _, port = source.partition(".")
        outputs = [port.name for port in self.part(name).contract.outputs] if name in earlier else []
        if not outputs or (port and port not in outputs):
            known = ", ".join([*self._input_names, *earlier])
            raise ValueError(
                f"nodes: {before or 'returns'} reads {source!r}, expected one of {known}, or .output of one"
            )
        return name if len(outputs) == 1 else f"{name}.{port or outputs[0]}"

    def _returned(self, last: str, returns: str | Sequence[str] | None) -> tuple[str, ...]:
        promised = self.contract.outputs
        if returns is None:
            outputs = self.part(last).contract.outputs
            chosen = tuple(f"{last}.{port.name}" for port in outputs[: len(promised)])
        else:
            chosen = (returns,) if isinstance(returns, str) else tuple(returns)
        if len(chosen) != len(promised):
            raise ValueError(f"returns: the contract promises {len(promised)} outputs, got {list(chosen)}")
        return chosen

    def _planned(self) -> list[Step]:
        """The steps of a run; a value is dropped after the last step that reads it."""
        self._results = tuple(str(self._key(source)) for source in self._returns)
        plan: list[Step] = []
        needed = set(self._results)
        for name in reversed(self._sources):
            reads = tuple(self._key(source, before=name) for source in self._sources[name])
            ports = self.part(name).contract.outputs
            writes = (name,) if len(ports) == 1 else tuple(f"{name}.{port.name}" for port in ports)
            last_used = {read for read in reads if read is not None} | set(writes)
            plan.append(Step(name, reads, writes, tuple(sorted(last_used - needed))))
            needed |= last_used
        return plan[::-1]
