"""The steps of the first block's warps, for the x-ray.

While the kernel runs they are only noted, a statement at a time; they become a step a warp when somebody looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from kernels.simt.counters import WARP
from kernels.simt.hazards import Line
from kernels.simt.instruments.traffic import global_traffic, shared_traffic
from kernels.simt.lanes import Lanes
from kernels.simt.machine.memory import View
from kernels.simt.record import Step

MOST_LANES = 1 << 20  # noted in all: a bound on what a long kernel's trace takes


class Note(NamedTuple):
    """One statement of the first block's lanes; arrays are (active lanes,)."""

    kind: str
    line: Line
    lanes: np.ndarray
    view: View | None
    address: np.ndarray | None
    taken: np.ndarray | None  # of a branch: whose test was true


class Trace(Sequence[Step]):
    """A run's steps, in the order in which they were executed."""

    def __init__(self, lanes_per_block: int) -> None:
        self.lanes_per_block = lanes_per_block
        self.left_out = 0  # statements not noted
        self.notes: list[Note] = []
        self.room = MOST_LANES
        self.steps: list[Step] | None = None

    def watch(
        self, kind: str, lanes: Lanes, line: Line, view: View | None = None, address: np.ndarray | None = None,
        taken: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Note what the first block's lanes do."""
        if lanes.index[0] >= self.lanes_per_block:
            return
        count = int(np.searchsorted(lanes.index, self.lanes_per_block))
        self.room -= count
        if self.room < 0:
            self.left_out += 1
            return
        arrays = (None if array is None else array[:count].copy() for array in (address, taken))
        self.notes.append(Note(kind, line, lanes.index[:count], view, *arrays))

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, place: int) -> Step: ...
    @overload
    def __getitem__(self, place: slice) -> list[Step]: ...
    def __getitem__(self, place: int | slice) -> Step | list[Step]:
        return self._all()[place]

    def _all(self) -> list[Step]:
        if self.steps is None:
            self.steps = [step for note in self.notes for step in _steps(note)]
            self.notes = []
        return self.steps


def _steps(note: Note) -> list[Step]:
    """One for each warp."""
    warps = note.lanes // WARP
    found = []
    for warp in np.unique(warps).tolist():
        here = slice(*np.searchsorted(warps, (warp, warp + 1)).tolist())
        more: dict[str, Any] = {}
        if note.taken is not None:
            more["taken"] = _bits(note.lanes[here][note.taken[here]])
        if note.view is not None and note.address is not None:
            more = _memory(note.view, note.address[here], note.lanes[here])
        found.append(Step(warp, note.line, note.kind, _bits(note.lanes[here]), **more))
    return found


def _memory(view: View, address: np.ndarray, index: np.ndarray) -> dict[str, Any]:
    """What a step that touches memory has beside: addresses in the first block, and the cost."""
    count = global_traffic if view.storage.space == "global" else shared_traffic
    _, cost, _ = count(address, index, view.dtype.itemsize)
    return {
        "space": view.storage.space,
        "array": view.name,
        "size": view.dtype.itemsize,
        "addresses": tuple(address.tolist()),
        "cost": int(cost),
    }


def _bits(index: np.ndarray) -> int:
    return int(np.bitwise_or.reduce(np.left_shift(np.int64(1), index % WARP), initial=0))
