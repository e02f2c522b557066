"""Steps 3 and 4 of a layout (`layout.py`): the order of the boxes within a row, and how far right each stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

SWEEPS = 40
GAP, LANE = 20.0, 8.0  # between boxes; width of a bend, and between bends
SLACK = 4.0  # a link that is off by less counts as straight
NUDGE = 1e-3  # puts the boxes that read one source in the order in which it gives
End = tuple[str, int]  # a box, and which of its places at the top or bottom
Link = tuple[End, End]


@dataclass
class Box:
    """A box `width` × `height`; arrows arrive at `enters` on its top and go from `leaves` at its bottom.

    Both are distances from its left edge; unless `fixed`, arrows may arrive in another order. `x` and `y`, its upper
    left corner, are found by `place`.
    """

    width: float
    height: float
    enters: Sequence[float] = ()
    leaves: Sequence[float] = ()
    fixed: bool = False
    x: float = 0.0
    y: float = 0.0


def ordered(rows: dict[str, int], links: list[Link]) -> list[list[str]]:
    """The boxes of each row from left to right."""
    order: list[list[str]] = [[] for _ in range(max(rows.values()) + 1)]
    for name, row in rows.items():
        order[row].append(name)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        at = {name: (number + 0.5) / len(row) for row in order for number, name in enumerate(row)}
        for names in order if down else reversed(order):
            middle = {name: at[name] for name in names}
            for name in names:
                above = [at[a] + i * NUDGE for (a, i), (b, _) in links if b == name]
                below = [at[b] + j * NUDGE for (a, _), (b, j) in links if a == name]
                if near := above if down else below:
                    middle[name] = fmean(near)
            names.sort(key=middle.__getitem__)
            at.update({name: (number + 0.5) / len(names) for number, name in enumerate(names)})
    return order


def set_across(order: list[list[str]], boxes: dict[str, Box], links: list[Link]) -> None:
    """Pulls every box towards what it is linked with; the straighter a link, the harder it pulls, so few are bent."""
    pulls: dict[str, list[tuple[str, float]]] = defaultdict(list)  # another box, and how far it is off
    for (a, i), (b, j) in links:
        offset = boxes[a].leaves[i] - boxes[b].enters[j]
        pulls[a].append((b, -offset))
        pulls[b].append((a, offset))
    for sweep in range(SWEEPS):
        for row in order if sweep % 2 == 0 else reversed(order):
            wishes, weights = [], []
            for name in row:
                places = [boxes[other].x + offset for other, offset in pulls[name]] or [boxes[name].x]
                off = [abs(place - boxes[name].x) / SLACK for place in places]
                hard = [1.0 if sweep < SWEEPS // 4 else 1 / (0.01 + x * x) for x in off]
                wishes.append(fmean(places, hard))
                weights.append(sum(hard))
            steps = [boxes[name].width + (GAP if boxes[name].width > LANE else LANE) for name in row]
            for name, x in zip(row, apart(wishes, weights, steps), strict=True):
                boxes[name].x = x


def apart(wishes: Sequence[float], weights: Sequence[float], steps: Sequence[float]) -> list[float]:
    """The places nearest to `wishes` (weighted least squares) with each at least its `steps` before the next.

    Without the steps this is the regression to a rising sequence; neighbors that would fall share their mean (pool
    adjacent violators: Barlow et al., Statistical Inference under Order Restrictions, 1972).
    """
    offsets = [sum(steps[:n]) for n in range(len(wishes))]
    pools: list[list[int]] = []

    def level(pool: list[int]) -> float:
        return fmean([wishes[n] - offsets[n] for n in pool], [weights[n] for n in pool])

    for number in range(len(wishes)):
        pools.append([number])
        while len(pools) > 1 and level(pools[-2]) > level(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    return [level(pool) + offsets[number] for pool in pools for number in pool]
