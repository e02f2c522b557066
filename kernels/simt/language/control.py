"""The order in which blocks of steps run, from which reconvergence follows.

A warp whose lanes went different ways always runs the *earliest* block that any of its lanes has reached. If every
block stands after the blocks that lead to it, and a loop's blocks stand together, before what follows the loop, then
lanes that took the short way wait where the ways meet: they reconverge there by themselves, after `if`, `while`,
`break`, `continue` and early `return` alike, with no stack of masks.

Source: the policy is "Min-PC" scheduling, in S. Collange, Stack-less SIMT reconvergence at low cost, HAL
hal-00622654, 2011; that GPUs since Volta keep a program counter for each thread: NVIDIA, Tesla V100 GPU Architecture,
"Independent Thread Scheduling".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx  # type: ignore[import-untyped]


def order(blocks: Mapping[int, Any], entry: int) -> list[int]:
    """The labels of blocks reachable from `entry`, each after those that lead to it, loops in one piece."""
    graph = networkx.DiGraph()
    graph.add_node(entry)
    waiting = [entry]
    while waiting:
        label = waiting.pop()
        for target in blocks[label].terminator.get_targets():
            if target not in graph:
                waiting.append(target)
            graph.add_edge(label, target)
    return _ordered(graph, entry, {label: place for place, label in enumerate(graph)})


def _ordered(graph: Any, entry: int, place: Mapping[int, int]) -> list[int]:
    """Topological order of the graph with each loop drawn together into one node, and each loop's in its place."""
    inside = graph.copy()
    inside.remove_edges_from(
        [(label, entry) for label in graph.predecessors(entry)]
    )  # this loop's own way back
    pieces = networkx.condensation(inside)
    found = []
    for piece in networkx.lexicographical_topological_sort(
        pieces, key=lambda piece: min(pieces.nodes[piece]["members"])
    ):
        members = pieces.nodes[piece]["members"]
        if len(members) == 1:
            found += members
        else:
            head = next(label for label in sorted(members) if set(inside.predecessors(label)) - members)
            found += _ordered(inside.subgraph(members), head, place)
    return found
