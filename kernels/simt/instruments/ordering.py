"""What orders two threads: barriers, and hand-overs by fence and atomic. Running in lockstep does not.

One access *happens before* another if the same thread does both, in that order, or if something between them makes
the second wait for the first: a barrier of the block, `syncwarp` with both in its mask, a barrier of the grid, or a
hand-over (`handover.py`). It is transitive. Two accesses to one byte that neither way happen before each other, one of
them a write and not both atomic, are a data race.

A simulated launch has one clock: `now` grows with every statement executed. So "everything that u did up to time s
happens before what t does next" is one number for each t and u, and for most it is the same number:

    known(t, u) = max(last barrier of the grid,
                      last barrier of t's block,               if u is of that block
                      row of t, column of u (`warps.py`),      if u is of t's warp
                      what t was handed (`handover.py`))

Sources: L. Lamport, Time, Clocks, and the Ordering of Events in a Distributed System, 1978; PTX ISA, "Memory
Consistency Model", "Causality order"; CUDA C++ Programming Guide, "Synchronization Functions" and "Memory Fence
Functions".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kernels.simt.counters import WARP
from kernels.simt.instrument import instrument
from kernels.simt.instruments.handover import HandOvers
from kernels.simt.instruments.warps import meet, strangers

MOST_THREADS = np.iinfo(np.int32).max  # the shadow of memory keeps thread numbers in 32 bits


class Barriers(NamedTuple):
    """What barriers alone say, as plain arrays for compiled loops."""

    threads_per_block: int
    first_thread: int  # of the chunk
    grid_time: int
    block_times: np.ndarray  # int64 (blocks,)
    warps: np.ndarray  # int32 (lanes, 32), or (0, 32) before the first `syncwarp`


class Ordering:
    """Who happens before whom in a chunk of blocks.

    Threads are numbered through the launch, each block padded to whole warps; lanes and blocks through the chunk. Every
    `now` is the time of the last access before the event, 0 before the first.
    """

    def __init__(
        self, threads_per_block: int, first_block: int = 0, blocks: int = 1, only_barriers: bool = False
    ) -> None:
        """only_barriers: a promise that there will be no fence and no `syncwarp`.

        Raises ValueError when threads_per_block is no whole number of warps.
        """
        if threads_per_block <= 0 or threads_per_block % WARP:
            raise ValueError(
                f"threads_per_block: expected a multiple of {WARP} (blocks are padded), got {threads_per_block}"
            )
        self.threads_per_block = threads_per_block
        self.only_barriers = only_barriers
        self.grid_time = 0
        self._handovers: HandOvers | None = None
        self.next_chunk(first_block, blocks)

    def next_chunk(self, first_block: int, blocks: int) -> None:
        """Go on with other blocks: only hand-overs order them after those before.

        Raises ValueError for thread numbers that do not fit 32 bits.
        """
        if blocks < 1 or first_block < 0 or (first_block + blocks) * self.threads_per_block > MOST_THREADS:
            raise ValueError(
                f"blocks: expected at least one from block 0 on, and at most {MOST_THREADS} threads in all, got"
                f" {blocks} of {self.threads_per_block} from block {first_block} on"
            )
        self.first_block, self.blocks = first_block, blocks
        self.first_thread = first_block * self.threads_per_block
        self.block_times = np.zeros(blocks, dtype=np.int64)
        self._warps: np.ndarray | None = None
        if self._handovers is not None:
            self._handovers.next_chunk(first_block, blocks)

    @property
    def hands_over(self) -> bool:
        """Whether a fence has been executed: until then `barriers` says all there is."""
        return self._handovers is not None

    @property
    def barriers(self) -> Barriers:
        """What barriers have ordered so far."""
        warps = _NO_WARPS if self._warps is None else self._warps
        return Barriers(self.threads_per_block, self.first_thread, self.grid_time, self.block_times, warps)

    def barrier(self, blocks: np.ndarray, now: int) -> None:
        """All threads of these blocks of the chunk, int64 (n,), have passed a barrier."""
        self.block_times[blocks] = now
        if self._handovers is not None:
            self._handovers.barrier(blocks)

    def grid_barrier(self, now: int) -> None:
        """All threads of the grid have passed a barrier."""
        self.grid_time = now

    def warp_barrier(self, lanes: np.ndarray, masks: np.ndarray, now: int) -> None:
        """Lanes of one or more warps, int64 (n,) ascending, have executed `syncwarp` with their masks, int64 (n,)."""
        if self._warps is None:
            self._warps = strangers(self.blocks * self.threads_per_block)
        meet(self._warps, lanes, masks, now)
        if self._handovers is not None:
            self._handovers.warp_barrier(lanes, masks)

    def fence(self, threads: np.ndarray, now: int, scope: str = "grid") -> None:
        """Threads, int64 (n,), have executed a fence; scope: "block" for `threadfence_block`, else "grid"."""
        if scope not in ("block", "grid"):
            raise ValueError(f"scope: expected 'block' or 'grid', got {scope!r}")
        if self._handovers is None:
            self._handovers = HandOvers(self.threads_per_block, self.first_block, self.blocks)
        self._handovers.fence(threads - self.first_thread, now, scope, self.block_times, self._warps)

    def atomic(self, threads: np.ndarray, locations: np.ndarray, now: int) -> None:
        """Threads, int64 (n,), have executed an atomic at time `now`, given in the order in which they took effect.

        locations: int64 (n,), a number for each address of the launch: shared memory has others in every chunk.
        """
        if self._handovers is not None:
            self._handovers.atomic(threads - self.first_thread, locations, now)

    def ordered(self, me: np.ndarray, other: np.ndarray, when: np.ndarray) -> np.ndarray:
        """Whether what `other` did at `when` happens before what `me`, a thread of the chunk, does now: bool (n,).

        All are int64 (n,); `other` may be a thread of an earlier chunk.
        """
        known = ordered_by_barriers(me, other, when, self.barriers)
        if self._handovers is not None:
            for place in np.flatnonzero(~known).tolist():
                lane = int(me[place]) - self.first_thread
                known[place] = self._handovers.ordered(lane, int(other[place]), int(when[place]))
        return known


_NO_WARPS = strangers(0)


@instrument
def ordered_by_barriers(me: Any, other: Any, when: Any, barriers: Any) -> Any:
    """`Ordering.ordered` as far as barriers go."""
    known = np.empty(me.size, np.bool_)
    for at in range(me.size):
        known[at] = settled(me[at], other[at], when[at], reach(me[at], barriers), barriers.warps)
    return known


@instrument
def reach(me: Any, barriers: Any) -> tuple[int, int, int, int, int]:
    """What barriers say to all threads of a block alike.

    Its first thread, the one after its last, the time of its last barrier, of the grid's, and the chunk's first thread.
    """
    place = (me - barriers.first_thread) // barriers.threads_per_block
    first = barriers.first_thread + place * barriers.threads_per_block
    end = first + barriers.threads_per_block
    return first, end, barriers.block_times[place], barriers.grid_time, barriers.first_thread


@instrument
def settled(me: Any, other: Any, when: Any, reach: Any, warps: Any) -> bool:
    """Whether a barrier, or being one thread, puts what `other` did at `when` before what I do now."""
    first, end, block_time, grid_time, first_thread = reach
    if when <= grid_time or other == me:
        return True
    if not first <= other < end:
        return False
    if when <= block_time:
        return True
    return warps.size > 0 and me // WARP == other // WARP and when <= warps[me - first_thread, other % WARP]
