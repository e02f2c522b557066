"""Exercises whose answer is a graph pass: how one is run, what it may leave in place, and what each asks of a graph.

An answer gets a traced copy of a network and returns it rewritten. Its value is what the rewritten network computes in
float64; what counts besides is how many calls of a kind of module are left in the graph.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, fx, nn

from workbench.exercises import compare
from workbench.exercises.exercise import Budget
from workbench.exercises.fusion.trap_networks import Network


def module_of(traced: fx.GraphModule, node: object) -> nn.Module | None:
    """The module that a node calls, if it is a call of one."""
    if isinstance(node, fx.Node) and node.op == "call_module":
        return traced.get_submodule(str(node.target))
    return None


def is_called_once(traced: fx.GraphModule, module: nn.Module) -> bool:
    return sum(module_of(traced, node) is module for node in traced.graph.nodes) == 1


def run(answer: Callable[..., fx.GraphModule], network: Network, x: Tensor) -> Tensor | None:
    """What the network computes after the pass.

    Raises TypeError where the pass returns something else than a graph module.
    """
    rewritten: object = answer(fx.symbolic_trace(copy.deepcopy(network)))
    if rewritten is None:
        return None
    if not isinstance(rewritten, fx.GraphModule):
        raise TypeError(f"expected the GraphModule, got {compare.kind(rewritten)}")
    return rewritten(x)


def calls_left(kind: type[nn.Module], unit: str) -> Budget:
    """At most as many calls of a kind of module in the graph as the network says may be left."""
    return Budget(_Readers(kind), lambda network, x: network.most_left, unit, len)


def calls_read(kind: type[nn.Module], unit: str) -> Budget:
    """The same, of those calls whose result is read."""
    return Budget(
        _Readers(kind), lambda network, x: network.most_left, unit, lambda readers: sum(map(bool, readers))
    )


@dataclass(frozen=True)  # equal ones share one measurement
class _Readers:
    """Measures how many nodes read the result of each call of a kind of module."""

    kind: type[nn.Module]

    def __call__(self, answer: Callable[..., fx.GraphModule], network: Network, x: Tensor) -> list[int]:
        rewritten = answer(fx.symbolic_trace(copy.deepcopy(network)))
        calls = (node for node in rewritten.graph.nodes if isinstance(module_of(rewritten, node), self.kind))
        return [len(node.users) for node in calls]
