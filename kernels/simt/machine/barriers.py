"""Waiting: who stands at which barrier, when they may go on, and what it means when they never may.

Threads that have returned do not count. A thread that has run past a barrier to the end of the kernel while others of
its block wait there does: the barrier stands in a branch that not all of them took.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.simt.counters import WARP
from kernels.simt.hazards import Access, BarrierDivergence
from kernels.simt.lanes import Lanes
from kernels.simt.machine.program import Wait
from kernels.simt.machine.shuffles import FULL, active


class Barriers:
    """The barriers of a chunk, and the lanes that wait at each."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.waiting: dict[
            int, tuple[Wait, Lanes, Any]
        ] = {}  # by the segment that follows; what each lane brought
        self.ran_past = np.zeros(
            machine.chunk.blocks, dtype=bool
        )  # blocks with a thread that came to the end

    def arrive(self, end: Wait, lanes: Lanes, value: Any) -> None:
        """Lanes come to a barrier, each with a value; all go on whom nobody is missing to."""
        machine = self.machine
        if end.scope != "warp":
            machine.counter(end.line).barriers += lanes.warps
            machine.watch("barrier", lanes, end.line)
        brought = None if value is None else lanes.spread(value)
        if end.target in self.waiting:
            _, others, theirs = self.waiting.pop(end.target)
            index = np.concatenate((others.index, lanes.index))
            order = np.argsort(index)
            lanes = machine.lanes(index[order])
            brought = None if brought is None else np.concatenate((theirs, brought))[order]
        self.waiting[end.target] = (end, lanes, brought)
        self.release()

    def release(self) -> None:
        """Let all go on whom nobody is missing to."""
        for target in list(self.waiting):
            end, lanes, brought = self.waiting[target]
            ready = self._complete(end, lanes, brought)
            if ready.any():
                self._pass(target, ready)

    def settle(self) -> None:
        """Nobody runs, some wait: those who wait for each other at different barriers have diverged; let them pass."""
        waiting = [lanes.index for _, lanes, _ in self.waiting.values()]
        stuck = np.sort(np.concatenate(waiting))
        for target in list(self.waiting):
            end, lanes, _ = self.waiting[target]
            if end.scope == "warp" and self._together(stuck, lanes):
                continue  # two `syncwarp` in two branches do meet
            away = [(other, one) for other, (_, one, _) in self.waiting.items() if other != target]
            self._report(end, lanes, away[0] if away else None)
        for target in list(self.waiting):
            _, lanes, _ = self.waiting[target]
            self._pass(target, np.ones(lanes.count, dtype=bool))

    def _complete(self, end: Wait, lanes: Lanes, brought: Any) -> np.ndarray:
        """Which of the waiting lanes have everybody they wait for beside them: bool (count,)."""
        machine = self.machine
        if end.scope == "warp":
            needed = (brought.astype(np.int64) & FULL) & machine.alive_bits()[lanes.index // WARP]
            return active(lanes) & needed == needed
        if lanes.count == machine.live.count:
            return np.ones(lanes.count, dtype=bool)
        if end.scope == "grid":
            return np.zeros(lanes.count, dtype=bool)
        here = np.bincount(lanes.blocks, minlength=machine.chunk.blocks)
        alive = np.bincount(machine.live.blocks, minlength=machine.chunk.blocks)
        return (here == alive)[lanes.blocks]

    def _pass(self, target: int, ready: np.ndarray) -> None:
        machine = self.machine
        end, lanes, brought = self.waiting.pop(target)
        going = lanes if ready.all() else lanes.only(ready)
        values: Any = None if brought is None else brought[ready]
        if not ready.all():
            self.waiting[target] = (end, lanes.only(~ready), None if brought is None else brought[~ready])
        if end.scope == "warp":
            machine.ordering.warp_barrier(going.index, values.astype(np.int64) & FULL, machine.now)
        elif end.scope == "grid":
            machine.ordering.grid_barrier(machine.now)
        else:
            blocks = np.unique(going.blocks)
            if self.ran_past[blocks].any():
                self._report(end, going.only(self.ran_past[going.blocks]), None)
            machine.ordering.barrier(blocks, machine.now)
        if end.result:
            machine.keep(end.result, self._combined(end.combine, going, values), going)
        machine.scheduler.changed()
        machine.scheduler.arrive(target, going)

    def _combined(self, combine: str, lanes: Lanes, values: np.ndarray) -> np.ndarray:
        """What each lane learns of its block's predicates, int32 (count,)."""
        true = np.bincount(lanes.blocks, weights=values != 0, minlength=self.machine.chunk.blocks)[
            lanes.blocks
        ]
        if combine == "count":
            return true.astype(np.int32)
        here = np.bincount(lanes.blocks, minlength=self.machine.chunk.blocks)[lanes.blocks]
        return (true == here if combine == "and" else true > 0).astype(np.int32)

    @staticmethod
    def _together(stuck: np.ndarray, lanes: Lanes) -> bool:
        return bool(np.isin(lanes.index // WARP, stuck // WARP).all()) and len(stuck) > lanes.count

    def _report(self, end: Wait, lanes: Lanes, away: Any) -> None:
        """Say who waits here, and where one who should is instead."""
        machine = self.machine
        first = int(lanes.threads[0])
        waits = machine.reports.access("waits", end.line, first)
        sides: tuple[Access, ...] = (waits,)
        if away is not None:
            target, others = away
            other = machine.reports.access("waits", self.waiting[target][0].line, int(others.threads[0]))
            where = f"thread {other.thread} waits in line {other.line}"
            sides = (other, waits)
        else:
            missing = machine.who_ran_past(int(lanes.blocks[0]))
            where = "others of its block went past it to the end of the kernel"
            if missing is not None:
                other = machine.reports.access("ends", end.line, missing)
                where = f"thread {other.thread} went past it to the end of the kernel"
                sides = (other, waits)
        what = {"block": "syncthreads", "grid": "grid sync", "warp": "syncwarp"}[end.scope]
        text = (
            f"thread {waits.thread} of block {waits.block} waits at {what}, but {where}; "
            f"move the barrier out of the branch, so that every thread comes to it"
        )
        machine.reports.hazard(BarrierDivergence(text, accesses=sides), (BarrierDivergence, end.line))
