"""Where the boxes of a graph stand, and which way its arrows run: from top to bottom, in rows.

The steps are those of Sugiyama, Tagawa and Toda (IEEE Transactions on Systems, Man, and Cybernetics 11, 1981):

1. a box stands one row below the lowest that it reads (the longest path to it);
2. an arrow that passes rows gets a bend in each, which takes part in all that follows like a narrow box;
3. within a row, boxes stand in the order of the middle of what they read, and of what reads them, a few times over;
4. each is pulled towards its neighbors above and below, as far as the order and the gaps let it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from workbench.fabric.view.across import LANE, Box, End, ordered, set_across

ROW_GAP = 26.0
Point = tuple[float, float]


@dataclass(frozen=True)
class Arrow:
    """From one place at the bottom of the box `source` to one at the top of the box `target`."""

    source: str
    leaves: int
    target: str
    enters: int


@dataclass
class Layout:
    """The size of the whole, and for each arrow the points it runs through."""

    width: float
    height: float
    routes: dict[Arrow, list[Point]] = field(default_factory=dict)


def place(boxes: dict[str, Box], arrows: Iterable[Arrow], last: Iterable[str] = ()) -> Layout:
    """Sets every box's x and y; boxes are given in an order in which none reads a later one, those of `last` lowest."""
    arrows = list(dict.fromkeys(arrows))
    rows = _rows(boxes, arrows, set(last))
    all_boxes = dict(boxes)
    chains = {arrow: _bend(arrow, rows, all_boxes) for arrow in arrows}
    links = list(dict.fromkeys(link for chain in chains.values() for link in pairwise(chain)))
    order = ordered(rows, links)
    set_across(order, all_boxes, links)
    bottoms = _set_down(order, all_boxes)
    left = min(box.x for box in all_boxes.values())
    for box in all_boxes.values():
        box.x -= left
    width = max(box.x + box.width for box in all_boxes.values())
    _uncross(chains, all_boxes)
    routes = {arrow: _route(chain, all_boxes, rows, bottoms) for arrow, chain in chains.items()}
    return Layout(width, bottoms[-1], routes)


def _rows(boxes: dict[str, Box], arrows: list[Arrow], last: set[str]) -> dict[str, int]:
    """The row of each box: the longest path from a box that reads nothing."""
    rows = dict.fromkeys(boxes, 0)
    for name in boxes:
        rows[name] = max((rows[arrow.source] + 1 for arrow in arrows if arrow.target == name), default=0)
    lowest = max(rows.values())
    return {name: lowest if name in last else row for name, row in rows.items()}


def _bend(arrow: Arrow, rows: dict[str, int], boxes: dict[str, Box]) -> list[End]:
    """The ends an arrow runs through, with a bend in each row it passes; arrows of one origin share theirs."""
    chain = [(arrow.source, arrow.leaves)]
    for row in range(rows[arrow.source] + 1, rows[arrow.target]):
        name = f"{arrow.source} {arrow.leaves} in {row}"
        boxes.setdefault(name, Box(LANE, 0.0, (LANE / 2,), (LANE / 2,)))
        rows[name] = row
        chain.append((name, 0))
    return [*chain, (arrow.target, arrow.enters)]


def _uncross(chains: dict[Arrow, list[End]], boxes: dict[str, Box]) -> None:
    """Gives the places at the top of each box to its arrows in the order in which these come."""
    arriving: dict[str, list[tuple[float, Arrow]]] = defaultdict(list)
    for arrow, chain in chains.items():
        before, leaves = chain[-2]
        arriving[arrow.target].append((boxes[before].x + boxes[before].leaves[leaves], arrow))
    for target, found in arriving.items():
        if not boxes[target].fixed and len(found) == len(boxes[target].enters):
            for enters, (_, arrow) in enumerate(sorted(found, key=lambda item: item[0])):
                chains[arrow][-1] = (target, enters)


def _set_down(order: list[list[str]], boxes: dict[str, Box]) -> list[float]:
    """Rows one below the other; returns where each ends."""
    y, bottoms = 0.0, []
    for row in order:
        for name in row:
            boxes[name].y = y
        bottoms.append(y + max(boxes[name].height for name in row))
        y = bottoms[-1] + ROW_GAP
    return bottoms


def _route(
    chain: list[End], boxes: dict[str, Box], rows: dict[str, int], bottoms: list[float]
) -> list[Point]:
    """From the bottom of the first box straight down to the end of its row, then slanting from row to row."""
    (name, leaves), *bends, (target, enters) = chain
    start, end = boxes[name], boxes[target]
    points = [(start.x + start.leaves[leaves], start.y + start.height)]
    points.append((points[0][0], bottoms[rows[name]]))
    for bend, _ in bends:
        x = boxes[bend].x + LANE / 2
        points += [(x, boxes[bend].y), (x, bottoms[rows[bend]])]
    return [*dict.fromkeys(points), (end.x + end.enters[enters], end.y)]
