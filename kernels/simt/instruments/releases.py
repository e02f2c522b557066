"""What atomics have released to a location, so kept that acquiring it takes one step however much there is.

A location has a *log* of releases, which only grows. To have acquired it is to know the log up to some length, one
number: a grid's ten-thousandth block learns of all the others without copying a word. What a log of that length says
of one thread is found when somebody asks, by binary search.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Known = Mapping[Any, int]  # how far sources are known: a thread or block up to a time, a log up to a length


class Clock(NamedTuple):
    """What somebody knows, sparsely. `times`: thread -> time, and ~block -> time; `logs`: location -> length."""

    times: Known
    logs: Known


class History:
    """How far each source was known after each release: two ascending lists for a source, so one search finds it."""

    def __init__(self) -> None:
        self.steps: dict[Any, tuple[list[int], list[int]]] = {}

    def add(self, length: int, known: Known) -> None:
        """What release number `length` says; nothing is kept of what was known already."""
        for source, far in known.items():
            lengths, fars = self.steps.setdefault(source, ([], []))
            if not fars or far > fars[-1]:
                lengths.append(length)
                fars.append(far)

    def known(self, source: Any, length: int) -> int:
        """How far `source` was known after `length` releases; 0 where it was not."""
        lengths, fars = self.steps.get(source, ([], []))
        place = bisect_right(lengths, length)
        return fars[place - 1] if place else 0


class Log:
    """The releases to one location."""

    def __init__(self) -> None:
        self.length = 0
        self.times, self.logs = History(), History()
        self.atomics: dict[tuple[int, int], int] = {}  # (thread, time) of a release -> its number

    def release(self, clock: Clock, thread: int, now: int) -> None:
        """An atomic of `thread` at time `now` adds what `clock` says, and itself."""
        self.length += 1
        self.atomics[thread, now] = self.length
        self.times.add(self.length, clock.times)
        self.logs.add(self.length, clock.logs)

    def says(self, length: int, sources: Iterable[int], thread: int, when: int) -> bool:
        """Whether what `thread`, one of two sources to look for, did at `when` is in the first `length` releases."""
        if self.atomics.get((thread, when), length + 1) <= length:
            return True
        return any(self.times.known(source, length) >= when for source in sources)


def furthest(known: Iterable[Known]) -> Known:
    """Several pieces of knowledge as one."""
    joined: dict[Any, int] = {}
    for piece in known:
        for source, far in piece.items():
            joined[source] = max(far, joined.get(source, 0))
    return joined
