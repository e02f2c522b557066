"""Whose turn it is: the lanes that stand at each segment, and which of them run next.

In lockstep that is the earliest segment at which any lanes stand: those who are behind catch up, and meet the others
(`control.py`). Taken strictly, a lane that spins in a loop until another has released a lock would keep that other from
ever running, as GPUs before Volta did. So after a while those further on get a turn if nobody of their warp is behind
them, which changes nothing that is counted; and once nothing at all has changed for some turns, neither memory nor any
variable, whoever stands anywhere gets one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.simt.counters import WARP
from kernels.simt.lanes import Chunk, Lanes

PATIENCE = 256  # turns of earlier segments before a later one gets its own
STILL = 8  # turns without a change that make a loop a wait for others
CHECK_EVERY, CHECK_FOR = 4096, 512  # turns, for the last of which one looks whether anything changes at all


class Scheduler:
    """The lanes of a chunk that can run, by segment."""

    def __init__(self, chunk: Chunk, rng: np.random.Generator | None) -> None:
        self.chunk, self.rng = chunk, rng
        self.standing: dict[int, list[Lanes]] = {}
        self.turns = self.waited = 0  # in all; and since those furthest on had one
        self.still = 0  # since anything has changed, as far as somebody looked
        self.suspicious = False  # an atomic has changed nothing, as one that waits does
        self.last = 0  # the segment that had the last turn out of order

    @property
    def looking(self) -> bool:
        """Whether it is worth knowing if the next turn changes a variable."""
        return self.suspicious or self.turns % CHECK_EVERY > CHECK_EVERY - CHECK_FOR

    def changed(self) -> None:
        """Memory has changed, a barrier has opened, or a variable has another value."""
        self.still, self.suspicious = 0, False

    def arrive(self, number: int, lanes: Lanes) -> None:
        """Lanes stand at a segment now."""
        if lanes.count:
            self.standing.setdefault(number, []).append(lanes)

    def next(self, live: Lanes) -> tuple[int, Lanes]:
        """A segment, and the lanes that run it now; live: all that have not returned."""
        self.turns += 1
        if self.rng is not None and self.still < STILL:
            return self._at_random(live)
        if len(self.standing) == 1:
            self.waited = 0
            (number,) = self.standing
            return number, self._take(number, live)
        self.waited += 1
        if self.waited > PATIENCE or self.still >= STILL:
            return self._out_of_turn(live)
        number = min(self.standing)
        return number, self._take(number, live)

    def _out_of_turn(self, live: Lanes) -> tuple[int, Lanes]:
        """The next segment in turn for warps that have nobody at an earlier one; for anyone, if nothing changes."""
        self.waited = 0
        earliest = self._earliest()
        for number in sorted(self.standing, key=lambda number: (number < self.last, number), reverse=True):
            lanes = self._take(number, live)
            free = (earliest[lanes.index // WARP] == number) | (self.still >= STILL)
            if free.any():
                self.last = number
                return number, self._part(number, lanes, free)
            self.standing[number] = [lanes]
        raise AssertionError("the earliest segment of all is the earliest of its warps")

    def _at_random(self, live: Lanes) -> tuple[int, Lanes]:
        """About half of the warps whose earliest segment is one drawn at random."""
        assert self.rng is not None
        earliest = self._earliest()
        number = int(self.rng.choice(np.intersect1d(list(self.standing), earliest)))
        lanes = self._take(number, live)
        warps = lanes.index // WARP
        free = earliest[warps] == number
        chosen = free & (self.rng.random(len(earliest)) < 0.5)[warps]
        if not chosen.any():
            chosen = warps == warps[free][0]
        return number, self._part(number, lanes, chosen)

    def _earliest(self) -> np.ndarray:
        """The earliest segment at which each warp stands, -1 for none: (warps,)."""
        earliest = np.full(self.chunk.lanes // WARP, -1)
        for number in sorted(self.standing, reverse=True):
            for lanes in self.standing[number]:
                earliest[lanes.index // WARP] = number
        return earliest

    def _take(self, number: int, live: Lanes) -> Lanes:
        """All lanes that stand at a segment."""
        groups = self.standing.pop(number)
        if len(groups) == 1:
            return groups[0]
        if sum(lanes.count for lanes in groups) == live.count:
            return live
        return Lanes(self.chunk, np.sort(np.concatenate([lanes.index for lanes in groups])))

    def _part(self, number: int, lanes: Lanes, chosen: Any) -> Lanes:
        """Those chosen; the others stay."""
        if chosen.all():
            return lanes
        self.standing[number] = [lanes.only(~chosen)]
        return lanes.only(chosen)
