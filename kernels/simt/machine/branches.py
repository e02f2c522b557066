"""Branches: sending lanes to where their tests say, and counting the warps whose lanes part."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.simt.counters import WARP
from kernels.simt.lanes import Lanes
from kernels.simt.machine.program import Branch, Frame


class Branches:
    """The branches of a chunk.

    A test of several parts (`a and b`) makes several branches of the program and is one in the source: a warp parts
    when, all parts done, some of its lanes have left by one way and some by another. ways: for each such test and each
    way out of it, the warps of which a lane has left by it.
    """

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.ways: dict[int, dict[int, np.ndarray]] = {}

    def take(self, end: Branch, frame: Frame, lanes: Lanes, number: int) -> None:
        """Send lanes on by the test in their frame."""
        test = frame[end.test]
        if not isinstance(test, np.ndarray):
            yes = lanes if test else None
        else:
            taken = int(np.count_nonzero(test))
            yes = lanes if taken == lanes.count else lanes.only(test) if taken else None
        no = None if yes is lanes else lanes if yes is None else lanes.only(~test)
        if end.kind == "if":
            self._count(end, lanes, yes, no, number)
        elif end.kind == "for":
            self._count_for(end, frame, lanes, yes, no)
        for target, group in ((end.yes, yes), (end.no, no)):
            if group is not None:
                self.machine.scheduler.arrive(target, group)

    def _count(self, end: Branch, lanes: Lanes, yes: Lanes | None, no: Lanes | None, number: int) -> None:
        counter = self.machine.counter(end.line)
        if end.chain == number:
            counter.branches += lanes.warps
            self.machine.watch("branch", lanes, end.line, taken=_taken(lanes, yes))
        if end.chain == number and end.last:
            counter.divergent_branches += _parted(lanes, yes, no)
            return
        ways = self.ways.setdefault(end.chain, {})
        warps = _warps(lanes)
        if end.chain == number:
            for left in ways.values():
                left[warps] = False
        outside = [target for target in (end.yes, end.no) if target not in self._later_parts(end)]
        for target, group in ((end.yes, yes), (end.no, no)):
            if target in outside and group is not None:
                before = sum(
                    (left[_warps(group)] for left in ways.values()), np.zeros(group.warps, dtype=int)
                )
                left = ways.setdefault(target, np.zeros(self.machine.chunk.lanes // WARP, dtype=bool))
                # the second way to be taken makes the warp one that has parted
                new = ~left[_warps(group)]
                counter.divergent_branches += int(np.count_nonzero(new & (before == 1)))
                left[_warps(group)] = True

    def _later_parts(self, end: Branch) -> set[int]:
        """The segments that hold further parts of the same test."""
        segments = self.machine.program.segments
        return {
            target
            for target in (end.yes, end.no)
            if isinstance(segments[target].end, Branch)
            and segments[target].end.chain == end.chain
            and target != end.chain
        }

    def _count_for(
        self, end: Branch, frame: Frame, lanes: Lanes, yes: Lanes | None, no: Lanes | None
    ) -> None:
        """The test of a `for` is a branch in the warps whose lanes have different bounds."""
        differs = frame[end.pair][2]
        if not isinstance(differs, np.ndarray) or not differs.any():
            return
        counter = self.machine.counter(end.line)
        mine = lanes.only(differs)
        counter.branches += mine.warps
        counter.divergent_branches += _parted(lanes, yes, no)
        self.machine.watch("branch", mine, end.line, taken=_taken(mine, yes))


def _warps(lanes: Lanes) -> np.ndarray:
    """The active warps of the chunk, by number: (warps,)."""
    return lanes.index[lanes.starts] // WARP


def _parted(lanes: Lanes, yes: Lanes | None, no: Lanes | None) -> int:
    """The warps with lanes on both ways."""
    if yes is None or no is None:
        return 0
    return len(np.intersect1d(_warps(yes), _warps(no), assume_unique=True))


def _taken(lanes: Lanes, yes: Lanes | None) -> np.ndarray:
    return np.isin(lanes.index, yes.index) if yes is not None else np.zeros(lanes.count, dtype=bool)
