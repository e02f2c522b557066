"""A graph in few words, for a picture: its steps, which of them belong to one rewrite, and which are left out.

Steps of the original that a rewrite names in its `where` share a number, and so do the nodes that stand for them in the
rewritten graph: a node carries in `meta["origin"]` the name of the one whose value it gives, and one without an origin
prepares such a value. Rewrites that share a step are one: a convolution that took in a normalization, then a scale.

A long graph is shortened alike on both sides: behind the first of many equal parts, or in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import getitem

from torch.fx import GraphModule, Node

from workbench.fusion.rewrite import Rewrite

MOST, FIRST, LAST = (
    24,
    14,
    5,
)  # steps shown; of a longer graph without equal parts, at its beginning and at its end
REPEATS, PERIOD = 3, 16  # how often equal parts must follow one another, and how many steps they may have
LEFT_OUT = "left out"
ENDS = ("placeholder", "output")


@dataclass(frozen=True)
class Step:
    """One box: `title` says where in the model, `kind` what it does, `number` which rewrite it is part of (0: none)."""

    name: str
    title: str
    kind: str
    reads: tuple[str, ...]
    origin: str  # the step of the original whose value this one gives
    number: int = 0
    end: bool = False  # an input, or the output


def outline(
    before: GraphModule, after: GraphModule, rewrites: Iterable[Rewrite]
) -> tuple[list[Step], list[Step]]:
    """The steps of both graphs in the order in which they run, shortened, and the rewrites shown numbered from 1."""
    first = _numbered(steps(before), rewrites)
    second = _followed({step.name: step for step in first}, steps(after))
    hidden, words = too_many(first)
    shown = dict.fromkeys(step.number for step in first if step.name not in hidden and step.number)
    anew = {0: 0} | {number: place for place, number in enumerate(shown, start=1)}
    also = {step.name for step in second if step.origin in hidden or step.number not in anew}
    first, second = _without(first, hidden, words), _without(second, also, words)
    return _renumbered(first, anew), _renumbered(second, anew)


def _renumbered(found: list[Step], anew: dict[int, int]) -> list[Step]:
    return [replace(step, number=anew[step.number]) for step in found]


def steps(graph: GraphModule) -> list[Step]:
    """What a graph does; weights, and picking one of several results, are no steps of their own."""
    return [
        Step(
            node.name,
            *_words(graph, node),
            tuple(dict.fromkeys(_sources(node))),
            _origin(node),
            end=node.op in ENDS,
        )
        for node in graph.graph.nodes
        if node.op != "get_attr" and node.target is not getitem
    ]


def _words(graph: GraphModule, node: Node) -> tuple[str, str]:
    """Where in the model, and what."""
    if node.op == "call_module":
        return str(node.target), type(graph.get_submodule(str(node.target))).__name__
    if node.op in ENDS:
        return "", str(node.target)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path = stack[-1][0].partition("@")[0] if stack else ""  # "norm@1" is the second call of "norm"
    return path, name.partition(".")[0].strip("_")  # "conv2d.default" of aten


def _origin(node: Node) -> str:
    """The step of the original whose value a node gives, or one of those that are picked from its value."""
    picked = [user for user in node.users if user.target is getitem]
    return next((one.meta["origin"] for one in (node, *picked) if "origin" in one.meta), node.name)


def _sources(node: Node) -> Iterator[str]:
    for given in node.all_input_nodes:
        while given.target is getitem:
            given = given.all_input_nodes[0]
        if given.op != "get_attr":
            yield given.name


def _numbered(before: list[Step], rewrites: Iterable[Rewrite]) -> list[Step]:
    """Each step with the number of its rewrite, from the top."""
    groups: list[set[str]] = []
    for rewrite in rewrites:
        group = {step.name for step in members(rewrite, before)}
        groups = [other for other in groups if not other & group] + [
            group.union(*(other for other in groups if other & group))
        ]
    numbers: dict[int, int] = {}
    found = []
    for step in before:
        place = next((place for place, group in enumerate(groups) if step.name in group), None)
        number = 0 if place is None else numbers.setdefault(place, len(numbers) + 1)
        found.append(replace(step, number=number))
    return found


def members(rewrite: Rewrite, before: Iterable[Step]) -> list[Step]:
    """The steps of the original that a rewrite names, by module or by node."""
    words = set(re.findall(r"[\w.]+", rewrite.where))
    return [step for step in before if step.name in words or step.title in words]


def _followed(before: dict[str, Step], after: list[Step]) -> list[Step]:
    """The rewritten graph's steps with the numbers of what they stand for, or of what reads them if they are new."""
    numbers: dict[str, int] = {}
    for step in reversed(after):
        readers = [reader for reader in after if step.name in reader.reads]
        if step.origin in before:
            numbers[step.name] = before[step.origin].number
        else:
            numbers[step.name] = max((numbers[reader.name] for reader in readers), default=0)
    return [replace(step, number=numbers[step.name]) for step in after]


def too_many(found: Sequence[Step]) -> tuple[set[str], str]:
    """The names of the steps to leave out, and what to say in their place."""
    if len(found) <= MOST:
        return set(), ""
    start, stop, times = max(_repeats(found), key=lambda span: span[1] - span[0], default=(0, 0, 0))
    words = f"{times} more like these"
    if len(found) - (stop - start) > MOST:
        start, stop, words = FIRST, len(found) - LAST, ""
        while start < stop and found[start].number and found[start].number == found[start - 1].number:
            start += 1  # no rewrite is cut in two
        while start < stop and found[stop].number and found[stop].number == found[stop - 1].number:
            stop -= 1
    return {step.name for step in found[start:stop]}, words


def _repeats(found: Sequence[Step]) -> Iterator[tuple[int, int, int]]:
    """Where the second to last of equal parts begin and end, and how many they are."""
    kinds = [(step.kind, step.number > 0) for step in found]
    for period in range(1, PERIOD + 1):
        for start in range(len(kinds) - REPEATS * period + 1):
            stop = start + period
            while kinds[stop : stop + period] == kinds[start : start + period]:
                stop += period
            inside = {step.number for step in found[start + period : stop]} - {0}
            outside = {step.number for step in (*found[: start + period], *found[stop:])}
            if stop - start >= REPEATS * period and not inside & outside:
                yield start + period, stop, (stop - start) // period - 1


def _without(found: list[Step], hidden: set[str], words: str) -> list[Step]:
    """One step in place of all that are hidden."""
    kept: list[Step] = []
    within = [step for step in found if step.name in hidden]
    for step in found:
        reads = tuple(dict.fromkeys(LEFT_OUT if name in hidden else name for name in step.reads))
        if step.name not in hidden:
            kept.append(replace(step, reads=reads))
        elif step is within[0]:
            outside = dict.fromkeys(name for one in within for name in one.reads if name not in hidden)
            text = words or f"{len(within)} more steps"
            kept.append(Step(LEFT_OUT, "", f"… {text}", tuple(outside), ""))
    return kept
