"""Happens-before by its definition: what every thread knows of every other, written out in full after each event.

The slow truth that the simulator's instruments `ordering` and `shadow` are held against: one dictionary a thread, from
each other thread to the time up to which it is known, and the list of all accesses there ever were.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

READ, WRITE, ATOMIC = range(3)
GRID = "grid"
Knowledge = dict  # thread -> time up to which it is known; (thread, time) -> 1 for a single known atomic


@dataclass(frozen=True)
class Access:
    thread: int
    time: int
    action: int
    unit: int


class HappensBefore:
    """What the threads of a launch know of each other, and what they did to memory."""

    def __init__(self, threads: Iterable[int], threads_per_block: int) -> None:
        self.threads, self.threads_per_block = list(threads), threads_per_block
        self.known = {thread: Knowledge() for thread in self.threads}
        self.published = {
            scope: {thread: Knowledge() for thread in self.threads} for scope in ("block", GRID)
        }
        self.released: dict = defaultdict(Knowledge)
        self.accesses: list[Access] = []

    def ordered(self, me: int, other: int, when: int) -> bool:
        known = self.known[me]
        return me == other or known.get(other, 0) >= when or (other, when) in known

    def access(self, thread: int, time: int, action: int, unit: int) -> list[Access]:
        """The earlier accesses that this one races with."""
        rivals = [
            old
            for old in self.accesses
            if old.unit == unit
            and (WRITE in (old.action, action) or old.action != action)
            and not self.ordered(thread, old.thread, old.time)
        ]
        self.accesses.append(Access(thread, time, action, unit))
        return rivals

    def meet(self, group: list[int], now: int) -> None:
        """A barrier of these threads: each learns what any of them knew, and did, and had published."""
        joined = join([self.known[thread] for thread in group] + [dict.fromkeys(group, now)])
        self.known.update({thread: dict(joined) for thread in group})
        for published in self.published.values():
            joined = join(published[thread] for thread in group)
            published.update({thread: dict(joined) for thread in group})

    def grid_barrier(self, now: int) -> None:
        for thread in self.threads:
            self.known[thread] = join([self.known[thread], dict.fromkeys(self.threads, now)])

    def fence(self, thread: int, now: int, scope: str) -> None:
        self.published[scope][thread] = join([self.known[thread], {thread: now}])

    def atomic(self, thread: int, location: int, now: int) -> None:
        places = {GRID: location, "block": (location, thread // self.threads_per_block)}
        self.known[thread] = join([self.known[thread], *(self.released[place] for place in places.values())])
        for scope, published in self.published.items():
            if published[thread]:
                released = self.released[places[scope]], published[thread], {(thread, now): 1}
                self.released[places[scope]] = join(released)


def join(pieces: Iterable[Knowledge]) -> Knowledge:
    joined = Knowledge()
    for piece in pieces:
        for source, far in piece.items():
            joined[source] = max(far, joined.get(source, 0))
    return joined
