"""Who reads whom in a graph, by names alone, and the order of a run that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

Source = str | None  # "mask", "encoder", "encoder.last"; None leaves an optional input out


class Step(NamedTuple):
    """One node in a run: the values it reads and writes, and those that nobody reads after it."""

    name: str
    reads: tuple[Source, ...]
    writes: tuple[str, ...]
    last_used: tuple[str, ...]


@dataclass(frozen=True)
class Wiring:
    """The graph's `inputs`, for each node what it `reads` and the names of what it `gives`, and what is `returned`.

    Nodes stand in the order in which they run, and read only what stands before them: there can be no circle. Raises
    ValueError for a source that is neither an input nor an earlier node.
    """

    inputs: tuple[str, ...]
    reads: Mapping[str, tuple[Source, ...]]
    gives: Mapping[str, tuple[str, ...]]
    returned: tuple[str, ...]

    def __post_init__(self) -> None:
        self.plan()

    def value(self, source: Source, reader: str = "") -> Source:
        """The name under which a run keeps what `source` stands for, as `reader` (or the graph's end) sees it."""
        if source is None or source in self.inputs:
            return source
        names = list(self.reads)
        earlier = names[: names.index(reader)] if reader else names
        name, _, output = source.partition(".")
        outputs = self.gives[name] if name in earlier else ()
        if not outputs or (output and output not in outputs):
            known = ", ".join([*self.inputs, *earlier])
            raise ValueError(
                f"nodes: {reader or 'returns'} reads {source!r}, expected one of {known}, or .output of one"
            )
        return name if len(outputs) == 1 else f"{name}.{output or outputs[0]}"

    def results(self) -> tuple[str, ...]:
        """The values that a run gives back."""
        return tuple(str(self.value(source)) for source in self.returned)

    def plan(self) -> tuple[Step, ...]:
        """The steps of a run; a value is dropped after the last step that reads it."""
        steps = []
        needed = set(self.results())
        for name in reversed(list(self.reads)):  # from the end: what is needed later is known
            reads = tuple(self.value(source, reader=name) for source in self.reads[name])
            outputs = self.gives[name]
            writes = (name,) if len(outputs) == 1 else tuple(f"{name}.{output}" for output in outputs)
            touched = {read for read in reads if read is not None} | set(writes)
            steps.append(Step(name, reads, writes, tuple(sorted(touched - needed))))
            needed |= touched
        return tuple(reversed(steps))

    def unread(self) -> list[str]:
        """The nodes that nobody reads."""
        sources = [*(source for reads in self.reads.values() for source in reads if source), *self.returned]
        return sorted(self.reads.keys() - {source.partition(".")[0] for source in sources})
