"""Hazards as they are met: named, described, counted once for each place in the source, raised or recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.simt.hazards import Access, Hazard, Index, Line
from kernels.simt.lanes import padded, unravel
from kernels.simt.machine.memory import View
from kernels.simt.run import Run


class Reports:
    """Writes a run's hazards and notes.

    grid, block: as the launch gave them, with one to three axes; threads are named by as many numbers.
    """

    def __init__(self, run: Run, raises: bool) -> None:
        self.run, self.raises = run, raises
        self.seen: set[Any] = set()  # what was reported: a loop must not report one mistake a thousand times

    def thread(self, number: int) -> tuple[Index, Index]:
        """The block and the thread of a thread number."""
        lanes = padded(int(np.prod(self.run.block)))
        return _named(number // lanes, self.run.grid), _named(number % lanes, self.run.block)

    def access(self, action: str, line: Line, number: int) -> Access:
        """One side of a hazard."""
        block, thread = self.thread(number)
        return Access(action, line, block, thread)

    def fault(
        self, kind: type[Hazard], lanes: Any, guilty: np.ndarray, action: str, line: Line, view: View | None,
        message: Callable[[int], str], *, addresses: np.ndarray | None = None, note: bool = False,
    ) -> None:  # fmt: skip
        """Report what a lane does wrong by itself.

        guilty: bool (count,) among the active lanes, the first of whom is named; message: what it did, by its place.
        """
        name = view.name if view is not None else None
        if (kind, line, name) in self.seen:
            return
        lane = int(np.flatnonzero(guilty)[0])
        side = self.access(action, line, int(lanes.threads[lane]))
        text = f"thread {side.thread} of block {side.block} {message(lane)}"
        address = None if addresses is None or view is None else from_start(view, lanes, int(addresses[lane]))
        self.hazard(kind(text, accesses=(side,), array=name, address=address), (kind, line, name), note=note)

    def hazard(self, hazard: Hazard, key: Any, note: bool = False) -> None:
        """Record a hazard, or raise it; a note is never raised."""
        if key in self.seen:
            return
        self.seen.add(key)
        hazard.run = self.run
        if note:
            self.run.notes.append(hazard)
            return
        self.run.hazards.append(hazard)
        if self.raises:
            raise hazard


def from_start(view: View, lanes: Any, address: int) -> int:
    """An address counted from the array's start: shared memory's from the start of the block's."""
    return address % lanes.chunk.shared_stride if view.storage.space == "shared" else address


def _named(number: int, shape: tuple[int, ...]) -> Index:
    if len(shape) == 1:
        return int(number)
    x, y, z = (*shape, 1, 1)[:3]
    along = unravel(np.asarray([number]), (x, y, z))
    return tuple(int(axis[0]) for axis in along[: len(shape)])
