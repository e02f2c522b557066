"""The shadow of memory: for each byte who has read it, written it, updated it atomically, and when.

An access races with an earlier one by another thread if one of them writes, not both are atomic, and nothing orders
them (`ordering.py`). To find that, the shadow keeps for each unit of memory and each kind of access **two** of those
that there were: the last, and of the others the most distant that no barrier puts before it, where another block is
further than another warp, and that further than another lane.

Two are enough. Say a later access races with one that was dropped. If that was dropped because it happens before
another of its kind, then the later access races with this one, too. If it was dropped as the nearer one, it left two
behind that belong to different blocks, or warps, or lanes; the later thread cannot be of both, and the barrier that
would order it after the one that is further off would have ordered it after the dropped one as well. Only hand-overs,
and `syncwarp` with a part of the warp, are finer than that: where they tell three accesses of one kind apart, a race
may be missed. What is reported is always one.

Sources: C. Flanagan, S. Freund, FastTrack: Efficient and Precise Dynamic Race Detection, PLDI 2009 (few accesses stand
for all); NVIDIA, Compute Sanitizer, "Racecheck Tool" (the same for shared memory on a GPU).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from kernels.simt.counters import WARP
from kernels.simt.instrument import instrument
from kernels.simt.instruments.glance import THREAD_BITS, THREAD_MASK, glance
from kernels.simt.instruments.ordering import Ordering, reach, settled


class Action(IntEnum):
    """The kinds of access."""

    READ = 0
    WRITE = 1
    ATOMIC = 2


# a unit's entries: two for each action; an entry is the time and, in its low 32 bits, the thread; 0 is nobody
ENTRIES = 2 * len(Action)
# which entries an action may race with: neither reads among themselves nor atomics do
RIVALS = {Action.READ: (2, 6), Action.WRITE: (0, 6), Action.ATOMIC: (0, 4)}
POSITION, UNIT, ENTRY, ACTION = range(4)  # the columns of what is found
ROOM = 64  # rows for that at first


@dataclass(frozen=True)
class Conflicts:
    """Pairs of accesses that race, one of them in the statement at hand; all arrays are int64 (n,)."""

    positions: np.ndarray  # of my lane among the active ones, ascending
    addresses: np.ndarray  # of the unit, in bytes from the start of the storage
    others: np.ndarray  # the thread of the earlier access
    times: np.ndarray  # when that was; now, if in the same statement
    actions: np.ndarray  # what it was: an `Action`

    def __len__(self) -> int:
        return len(self.positions)


NONE = Conflicts(*(np.empty(0, dtype=np.int64) for _ in range(5)))


class Shadow:
    """The shadow of some bytes that arrays share, in units of 1, 2, 4, ... bytes.

    An access to a part of a unit counts as one to all of it: the unit is the smallest element of any of the arrays. A
    unit takes 32 bytes, 48 once there are atomics; memory that nobody touches takes none.
    """

    def __init__(self, bytes: int, unit: int) -> None:
        """Raises ValueError for a negative size, and for a unit that is no power of two."""
        if bytes < 0:
            raise ValueError(f"bytes: expected 0 or more, got {bytes}")
        if unit < 1 or unit & (unit - 1):
            raise ValueError(f"unit: expected a power of two, got {unit}")
        self.unit = unit
        self.unset = False  # whether the last read met a unit that nobody has written
        self._fetched = 0  # units
        self._shift = unit.bit_length() - 1
        self._units = -(-bytes // unit)
        self.forget()

    def forget(self) -> None:
        """Begin again: nobody has touched anything."""
        self._fetched = 0
        self._slots = np.zeros((self._units, 2 * Action.ATOMIC), dtype=np.int64)  # (units, entries)

    def read(
        self, addresses: np.ndarray, size: int, threads: np.ndarray, now: int, ordering: Ordering
    ) -> Conflicts:
        """Lanes read `size` bytes each at time `now`, which is 1 or later.

        addresses: int64 (n,), within the storage; threads: int64 (n,), ascending, of the present chunk. Returns the
        earlier accesses that these race with, then remembers these.
        """
        return self._touch(Action.READ, addresses, size, threads, now, ordering)

    def write(
        self, addresses: np.ndarray, size: int, threads: np.ndarray, now: int, ordering: Ordering
    ) -> Conflicts:
        """The same for lanes that write; two that write one unit in this very statement race, too."""
        return self._touch(Action.WRITE, addresses, size, threads, now, ordering)

    def atomic(
        self, addresses: np.ndarray, size: int, threads: np.ndarray, now: int, ordering: Ordering
    ) -> Conflicts:
        """The same for lanes that update atomically, which race with reads and writes, not with their like."""
        if self._slots.shape[1] < ENTRIES:
            more = ENTRIES - self._slots.shape[1]
            self._slots = np.pad(self._slots, ((0, 0), (0, more)))
        return self._touch(Action.ATOMIC, addresses, size, threads, now, ordering)

    def uninitialised(self, addresses: np.ndarray, size: int) -> np.ndarray:
        """Which of these accesses, int64 (n,), touch a unit that nobody has written: bool (n,).

        Worth asking only if `unset` says that the last read met one.
        """
        return unwritten(self._slots, addresses, size, self._shift)

    @property
    def read_bytes(self) -> int:
        """Distinct bytes that were read before anybody wrote them, in whole units: what had to come from elsewhere."""
        return self.unit * self._fetched

    @property
    def written_bytes(self) -> int:
        """Distinct bytes that were written or updated atomically, in whole units."""
        return self.unit * int(np.count_nonzero(self._slots[:, 2 * Action.WRITE :: 2].any(axis=1)))

    def touched(self) -> tuple[np.ndarray, np.ndarray]:
        """Which units were read, and which were written; an atomic update does both: bool (units,) each."""
        touched = self._slots != 0
        return np.any(touched[:, ::4], axis=1), np.any(touched[:, 2 * Action.WRITE :: 2], axis=1)

    def _touch(
        self,
        action: Action,
        addresses: np.ndarray,
        size: int,
        threads: np.ndarray,
        now: int,
        ordering: Ordering,
    ) -> Conflicts:
        found = np.empty((ROOM, 4), dtype=np.int64)
        first, end = RIVALS[action]
        rivals = first, min(end, self._slots.shape[1])
        barriers, done, count = ordering.barriers, 0, 0
        self.unset = False
        plain = size == self.unit and self._slots.shape[1] < ENTRIES
        if action is Action.READ and plain and ordering.only_barriers:
            done, unset, fresh = glance(self._slots, addresses, self._shift, threads, now, barriers)
            self.unset = unset > 0
            self._fetched += fresh
        while done < len(threads):
            done, count, unset, fresh = touch(
                self._slots, rivals, 2 * action, addresses, size, self._shift, threads, now, barriers,
                found, done, count,
            )  # fmt: skip
            self.unset |= unset > 0
            self._fetched += fresh if action is Action.READ else 0
            if done == len(threads):
                break
            found = np.concatenate((found, np.empty_like(found)))
        return self._unordered(found[:count], threads, ordering) if count else NONE

    def _unordered(self, found: np.ndarray, threads: np.ndarray, ordering: Ordering) -> Conflicts:
        """What was found, but for what hand-overs order."""
        others, times = found[:, ENTRY] & THREAD_MASK, found[:, ENTRY] >> THREAD_BITS
        if ordering.hands_over:
            left = ~ordering.ordered(threads[found[:, POSITION]], others, times)
            found, others, times = found[left], others[left], times[left]
        return Conflicts(found[:, POSITION], found[:, UNIT] * self.unit, others, times, found[:, ACTION])


@instrument
def touch(
    slots: Any, rivals: Any, own: Any, addresses: Any, size: Any, shift: Any, threads: Any, now: Any, barriers: Any,
    found: Any, start: Any, count: Any,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Find what barriers leave unordered among a unit's rivals, then remember the access in its own two entries.

    Goes through the lanes from `start` on, and stops where `found` may get too full. Returns the lane it has come to,
    the number of rows found so far, how many units none of the rivals had ever touched, and how many of those were
    new to this kind of access as well.
    """
    unset = fresh = 0
    warps, seen = barriers.warps, reach(barriers.first_thread, barriers)
    for position in range(start, threads.size):
        me, first = threads[position], addresses[position] >> shift
        last = (addresses[position] + size - 1) >> shift
        if count + (last + 1 - first) * ENTRIES > len(found):
            return position, count, unset, fresh
        if not seen[0] <= me < seen[1]:
            seen = reach(me, barriers)
        for unit in range(first, last + 1):
            touched = 0
            for at in range(rivals[0], rivals[1]):
                entry = slots[unit, at]
                touched |= entry
                if not settled(me, entry & THREAD_MASK, entry >> THREAD_BITS, seen, warps):
                    found[count, POSITION], found[count, UNIT] = position, unit
                    found[count, ENTRY], found[count, ACTION] = entry, at // 2
                    count += 1
            recent, distant = slots[unit, own], slots[unit, own + 1]
            unset += touched == 0
            fresh += touched | recent == 0
            if recent & THREAD_MASK != me and not keeps(me, distant, recent, seen, warps):
                slots[unit, own + 1] = recent
            slots[unit, own] = now << THREAD_BITS | me
    return threads.size, count, unset, fresh


@instrument
def keeps(me: Any, distant: Any, recent: Any, seen: Any, warps: Any) -> bool:
    """Whether, beside my access, the distant entry has more to tell than the recent one."""
    one, other = distant & THREAD_MASK, recent & THREAD_MASK
    if settled(me, other, recent >> THREAD_BITS, seen, warps):
        return True
    if settled(me, one, distant >> THREAD_BITS, seen, warps):
        return False
    return distance(me, one, seen) > distance(me, other, seen)


@instrument
def distance(me: Any, other: Any, seen: Any) -> int:
    """How far another thread is: in lanes within the warp, a warp's width beyond it, two beyond the block."""
    if not seen[0] <= other < seen[1]:
        return 2 * WARP
    return WARP if other // WARP != me // WARP else abs(other - me)


@instrument
def unwritten(slots: Any, addresses: Any, size: Any, shift: Any) -> Any:
    """Which accesses touch a unit that was neither written nor updated atomically."""
    found = np.zeros(addresses.size, np.bool_)
    for position in range(addresses.size):
        last = (addresses[position] + size - 1) >> shift
        for unit in range(addresses[position] >> shift, last + 1):
            written = False
            for at in range(2, slots.shape[1], 2):
                written |= slots[unit, at] != 0
            found[position] |= not written
    return found
