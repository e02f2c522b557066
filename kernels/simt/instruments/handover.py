"""Hand-overs: how a fence and an atomic let one block read what another has written, with no barrier between them.

The writer writes, executes a *fence*, then an atomic on some location (a counter, a flag, a lock). Whoever later
executes an atomic on that location may rely on all that came before the fence. Step by step:

1. a fence **publishes** what its thread has done, and whatever was known to happen before that: what its block did up
   to its last barrier, what it has itself been handed;
2. an atomic **releases** to its location all that is published, and itself; what others released there before stays;
3. any atomic **acquires** all that its location holds by then;
4. a barrier of the block or the warp passes on what was acquired, and also what was published: where all fence, then
   meet, one thread's atomic speaks for them all. PTX is stricter there; programs rely on it all the same.

A fence of the block, `threadfence_block`, hands over within the block alone.

What is acquired is not copied: a location keeps a log of its releases (`releases.py`).

Sources: PTX ISA, "Memory Consistency Model", "Release and Acquire Patterns" and "Causality order"; CUDA C++
Programming Guide, "Memory Fence Functions" (its sum over all blocks is the first of the tests).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import numpy as np

from kernels.simt.counters import WARP
from kernels.simt.instruments.releases import Clock, Known, Log, furthest
from kernels.simt.instruments.warps import meet, strangers

Location = Hashable  # the address of an atomic, or (address, block) for what only that block may see
BLOCK = WARP  # the column of a published row that holds the time of the block's last barrier


class Published:
    """What the threads of a chunk have published by fences of one scope.

    rows: int32 (lanes, 33), as in `warps.py`, the last column for the thread's block. logs: lane -> what it had
    acquired. spread: block -> what all its threads had published when they last met.
    """

    def __init__(self, threads_per_block: int, first_block: int, blocks: int) -> None:
        self.threads_per_block, self.first_block = threads_per_block, first_block
        self.rows = strangers(blocks * threads_per_block, WARP + 1)
        self.logs: dict[int, Known] = {}
        self.spread: dict[int, Clock] = {}
        self.fenced = np.zeros(blocks, dtype=bool)  # since their threads last met

    def barrier(self, blocks: np.ndarray) -> None:
        """The threads of these blocks meet."""
        for block in blocks[self.fenced[blocks]].tolist():
            first = block * self.threads_per_block
            rows = self.rows[first : first + self.threads_per_block]
            times = rows[:, :BLOCK].reshape(-1, WARP, WARP).max(axis=1).ravel()  # (threads of the block,)
            whole = max(int(times.min()), int(rows[:, BLOCK].max()))  # the block as one goes that far
            lanes = range(first, first + self.threads_per_block) if self.logs else ()
            logs = furthest(self.logs.get(lane, {}) for lane in lanes)
            self.spread[block] = Clock(self._named(times.tolist(), whole, first, block), logs)
        self.fenced[blocks] = False

    def of(self, lane: int) -> Clock | None:
        """What an atomic of this lane releases; None where nothing was published."""
        block = lane // self.threads_per_block
        *times, whole = self.rows[lane].tolist()
        spread = self.spread.get(block)
        if not any(times):
            return spread
        own = Clock(self._named(times, whole, lane - lane % WARP, block), self.logs.get(lane, {}))
        return own if spread is None else Clock(*map(furthest, zip(own, spread, strict=True)))

    def _named(self, times: list[int], whole: int, first: int, block: int) -> Known:
        """Times of neighboring lanes by thread number, leaving out what the whole block's time says already."""
        first += self.first_block * self.threads_per_block
        named = {thread: time for thread, time in enumerate(times, start=first) if time > whole}
        return {~(block + self.first_block): whole, **named} if whole else named


class HandOvers:
    """All hand-overs of a launch; what its logs hold outlives the chunk of blocks that released it."""

    def __init__(self, threads_per_block: int, first_block: int, blocks: int) -> None:
        self.threads_per_block = threads_per_block
        self.logs: dict[Location, Log] = {}
        self.next_chunk(first_block, blocks)

    def next_chunk(self, first_block: int, blocks: int) -> None:
        """Go on with other blocks, whose threads have neither published nor acquired anything."""
        self.first_block, self.blocks = first_block, blocks
        self.published: dict[str, Published] = {}  # scope -> ...
        self.acquired: dict[int, Known] = {}  # lane -> log -> length; replaced, never changed
        self.acquired_by_block: dict[int, Known] = {}

    def fence(
        self, lanes: np.ndarray, now: int, scope: str, barrier_time: np.ndarray, warps: np.ndarray | None
    ) -> None:
        """Lanes publish; barrier_time: (blocks,); warps: their rows (lanes of the chunk, 32), or None."""
        if scope not in self.published:
            self.published[scope] = Published(self.threads_per_block, self.first_block, self.blocks)
        published, blocks = self.published[scope], lanes // self.threads_per_block
        if warps is not None:
            published.rows[lanes, :BLOCK] = warps[lanes]
        published.rows[lanes, BLOCK] = barrier_time[blocks]
        published.rows[lanes, lanes % WARP] = now
        published.fenced[blocks] = True
        for lane in lanes.tolist() if self.acquired or self.acquired_by_block else ():
            published.logs[lane] = self._acquired(lane)

    def atomic(self, lanes: np.ndarray, locations: np.ndarray, now: int) -> None:
        """Atomics take effect one after another: each acquires, then releases."""
        if not self.logs and not self.published:
            return
        first_thread = self.first_block * self.threads_per_block
        for lane, location in zip(lanes.tolist(), locations.tolist(), strict=True):
            places = {
                "grid": location,
                "block": (location, lane // self.threads_per_block + self.first_block),
            }
            held = {place: self.logs[place].length for place in places.values() if place in self.logs}
            if held:
                self.acquired[lane] = furthest((self.acquired.get(lane, {}), held))
            for scope, published in self.published.items():
                clock = published.of(lane)
                if clock is not None:
                    self.logs.setdefault(places[scope], Log()).release(clock, lane + first_thread, now)

    def barrier(self, blocks: np.ndarray) -> None:
        """The threads of these blocks meet, and pass on what they acquired and published."""
        for published in self.published.values():
            published.barrier(blocks)
        meeting = set(blocks.tolist()) if self.acquired else set()
        for lane in [lane for lane in self.acquired if lane // self.threads_per_block in meeting]:
            block = lane // self.threads_per_block
            known = self.acquired_by_block.get(block, {}), self.acquired.pop(lane)
            self.acquired_by_block[block] = furthest(known)

    def warp_barrier(self, lanes: np.ndarray, masks: np.ndarray) -> None:
        """Lanes of warps meet, those of one mask each, and pass on the same."""
        for published in self.published.values():
            meet(published.rows, lanes, masks, 0)
        for logs in (self.acquired, *(published.logs for published in self.published.values())):
            for group in _groups(lanes, masks) if logs else ():
                known = furthest(logs.get(lane, {}) for lane in group)
                logs.update(dict.fromkeys(group, known) if known else {})

    def ordered(self, lane: int, other: int, when: int) -> bool:
        """Whether what thread `other` did at `when` was handed to this lane, through however many hands."""
        sources = other, ~(other // self.threads_per_block)
        reached = dict(self._acquired(lane))
        waiting = list(reached)
        while waiting:
            location = waiting.pop()
            log, length = self.logs[location], reached[location]
            if log.says(length, sources, other, when):
                return True
            for further in log.logs.steps:
                far = log.logs.known(further, length)
                if far > reached.get(further, 0):
                    reached[further] = far
                    waiting.append(further)
        return False

    def _acquired(self, lane: int) -> Known:
        known = self.acquired.get(lane, {}), self.acquired_by_block.get(lane // self.threads_per_block, {})
        return furthest(known)


def _groups(lanes: np.ndarray, masks: np.ndarray) -> Iterator[list[int]]:
    """The lanes that meet: those of one warp that name the same mask and are in it."""
    groups: dict[tuple[int, int], list[int]] = {}
    for lane, mask in zip(lanes.tolist(), masks.tolist(), strict=True):
        if mask >> lane % WARP & 1:
            groups.setdefault((lane // WARP, mask), []).append(lane)
    return iter(groups.values())
