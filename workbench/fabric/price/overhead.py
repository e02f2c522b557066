"""What modularity costs in a call: how much of the time is Python, how much dispatch, and how much is work.

Time has no labels, so it is found by taking things away, all rivals timed in turns (`profiling.timing`):

    work       what goes away when every open axis has size 1: arithmetic and memory traffic
    dispatch   what is left then of the flattened fabric (`flatten.py`): torch's operations, called one behind the
               other, each of which takes its arguments apart, finds its kernel, allocates, and notes the gradient
    Python     the rest: module calls, hooks, contracts, the routing between blocks

Which axes can have size 1 is found out by `smallest.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html import escape
from statistics import median
from typing import Any, NamedTuple

from torch import Tensor

from workbench.drawing.axes import with_unit
from workbench.fabric.axis import Sizes
from workbench.fabric.flat.capture import FlattenError
from workbench.fabric.flat.flatten import Flat, device_of, flatten
from workbench.fabric.graph import Graph
from workbench.fabric.price.conversions import Conversion, conversions
from workbench.fabric.price.smallest import Inputs, smallest
from workbench.profiling import Timing, compare

WHOLE, FLAT, SMALLEST = "fabric", "flat", ", smallest"


class Cost(NamedTuple):
    """Seconds of one call: those that stay at the smallest sizes (Python and dispatch), and the work on top."""

    fixed: float
    work: float


@dataclass(frozen=True, repr=False)
class Overhead:
    """Seconds of one call and where they go; `python`, `dispatch` and `gain` are None where it cannot be flattened."""

    total: float
    python: float | None
    dispatch: float | None
    work: float
    by_node: dict[str, Cost]
    conversions: tuple[Conversion, ...]
    sizes: Sizes  # the smallest, as measured
    refused: str  # why it cannot be flattened, or ""
    timing: Timing

    @property
    def gain(self) -> float | None:
        """How many times as fast the flattened fabric is on these inputs."""
        return self.timing.ratio(WHOLE, FLAT) if FLAT in self.timing.samples else None

    @property
    def trusted(self) -> bool:
        """Whether the machine gave us the time to measure it."""
        return self.timing.trusted

    def table(self) -> str:
        """Plain text: where the time goes, block by block, which edges convert, and the state of the machine."""
        return "\n".join([*self._shares(), *self._nodes(), *self._edges(), self.timing.state])

    __repr__ = table

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.table())}</pre>"

    def _shares(self) -> list[str]:
        kept = ", ".join(f"{name}={size}" for name, size in self.sizes.items() if size is not None)
        lines = [f"{'one call':10} {_time(self.total):>8}"]
        rows = [("Python", self.python), ("dispatch", self.dispatch), ("work", self.work)]
        if self.refused:
            rows = [("Python and dispatch", self.total - self.work), ("work", self.work)]
        for name, seconds in rows:
            if seconds is not None:
                lines.append(f"{name:10} {_time(seconds):>8}  {seconds / self.total:>4.0%}")
        if self.gain is not None:
            spread = self.timing.ratio_spread(WHOLE, FLAT) / 2
            lines.append(
                f"{FLAT:10} {_time(self.timing.median(FLAT)):>8}  {self.gain:.2f}× as fast ±{spread:.0%}"
            )
        return [*lines, f"(smallest: {kept or 'the same'})", *([self.refused] if self.refused else [])]

    def _nodes(self) -> list[str]:
        width = max(len("block"), *map(len, self.by_node))
        lines = ["", f"{'block':{width}}  Python and dispatch      work"]
        for name, cost in self.by_node.items():
            lines.append(f"{name:{width}}  {_time(cost.fixed):>19}  {_time(cost.work):>8}")
        return lines

    def _edges(self) -> list[str]:
        lines = ["", "edges that convert" if self.conversions else "no edge converts"]
        for edge, what, calls, moved in self.conversions:
            lines.append(f"  {edge}: {what}, {calls}×, {with_unit(moved, 'B')}")
        return [*lines, ""]


def overhead(graph: Graph, *inputs: Tensor | None, repeats: int = 20) -> Overhead:
    """Where the time of `graph(*inputs)` goes, measured on a copy: the fabric stays as it is.

    With gradients enabled, dispatch includes noting them; under `torch.no_grad()` it does not. Raises ContractError
    when the inputs do not fit.
    """
    given: Inputs = tuple(inputs)
    twin = copy.deepcopy(graph)
    small, sizes = smallest(twin, given)
    calls: dict[str, Callable[[], Any]] = {
        WHOLE: partial(twin, *given),
        WHOLE + SMALLEST: partial(twin, *small),
    }
    refused = ""
    try:
        flat = flatten(twin, *small)
        calls |= {FLAT: _flat_call(flat, given), FLAT + SMALLEST: partial(flat, *small)}
    except FlattenError as error:
        refused = str(error)
    for suffix, values in (("", given), (SMALLEST, small)):
        calls |= {f"block {name}{suffix}": call for name, call in _node_calls(twin, values).items()}
    timing = compare(calls, repeats, device=device_of(given))
    return Overhead(
        total=timing.median(WHOLE),
        python=None if refused else _difference(timing, WHOLE + SMALLEST, FLAT + SMALLEST),
        dispatch=None if refused else timing.median(FLAT + SMALLEST),
        work=_difference(timing, WHOLE, WHOLE + SMALLEST),
        by_node={
            name: Cost(
                timing.median(f"block {name}{SMALLEST}"),
                _difference(timing, f"block {name}", f"block {name}{SMALLEST}"),
            )
            for name in graph.nodes
        },
        conversions=conversions(twin, *given),
        sizes=sizes,
        refused=refused,
        timing=timing,
    )


def _flat_call(flat: Flat, inputs: Inputs) -> Callable[[], Any]:
    """The flat fabric on the whole inputs: the same function if it takes them, else one captured for them."""
    try:
        flat(*inputs)
    except FlattenError:
        flat = flatten(flat.fabric, *inputs)
    return partial(flat, *inputs)


def _node_calls(graph: Graph, inputs: Inputs) -> dict[str, Callable[[], Any]]:
    """Each block alone, on what it gets in a call of the whole."""
    calls: dict[str, Callable[[], Any]] = {}
    parts = {node.part: name for name, node in graph.nodes.items()}
    hooks = [
        part.register_forward_pre_hook(
            lambda part, given: calls.update({parts[part]: partial(part, *_cut_off(given))})
        )
        for part in parts
    ]
    graph(*inputs)
    for hook in hooks:
        hook.remove()
    return calls


def _cut_off(inputs: Inputs) -> Inputs:
    """The same numbers without what they were made from, as leaves that need a gradient where those do."""
    return tuple(
        value.detach().requires_grad_(value.requires_grad) if isinstance(value, Tensor) else value
        for value in inputs
    )


def _difference(timing: Timing, a: str, b: str) -> float:
    """Seconds by which `a` takes longer than `b`, median of paired rounds."""
    return median(x - y for x, y in zip(timing.samples[a], timing.samples[b], strict=True))


def _time(seconds: float) -> str:
    return with_unit(seconds, "s")
