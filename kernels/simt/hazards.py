"""What is wrong with a kernel, each kind an exception of its own: raised at once, or recorded and passed over.

A hazard says where (the source line, the block), who (two threads where two are at odds), and at what address. It is
raised by `on_hazard="raise"`, with the run up to there as its `run`, and kept in `run.hazards` by `"record"`.

Sources: NVIDIA, Compute Sanitizer (memcheck, initcheck, racecheck, synccheck) for the kinds; CUDA C++ Programming
Guide, "Synchronization Functions" and "Warp Shuffle Functions" for what is undefined; PTX ISA, "Memory Consistency
Model" for what orders two accesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Line = (
    int | str
)  # a line of the kernel's file; "file.py:12" for a line of another one (an inlined device function)
Index = int | tuple[int, ...]  # of a block or a thread: as many numbers as the launch gave axes


@dataclass(frozen=True)
class Access:
    """One side of a hazard: who did what, where."""

    action: str  # "reads", "writes", "updates atomically", "waits", ...
    line: Line
    block: Index
    thread: Index


class Hazard(Exception):
    """Something a GPU would not survive, or would answer with a number that means nothing.

    line: where it came out. block, threads: of the launch, `threads` holds one or two. address: the byte in `array`,
    counted from its start, or None. accesses: the one or two sides of it, the later one last.
    """

    run: Any = None  # the run that it ended, for its x-ray

    def __init__(
        self,
        message: str,
        *,
        accesses: tuple[Access, ...],
        array: str | None = None,
        address: int | None = None,
    ) -> None:
        last = accesses[-1]
        self.message, self.accesses, self.array, self.address = message, accesses, array, address
        self.line, self.block = last.line, last.block
        self.threads = tuple(access.thread for access in accesses)
        super().__init__(f"line {last.line}: {message}")

    @property
    def kind(self) -> str:
        """The name of the hazard: the name of its class."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"{self.kind}({self})"


class OutOfBounds(Hazard):
    """An index beyond the end of an axis: on a GPU it reads or overwrites whatever lies there."""


class NegativeIndex(Hazard):
    """An index from -1 to -n: Numba counts it from the end of the axis, as Python does, so it is a note."""


class MisalignedAccess(Hazard):
    """An access at an address that is no multiple of its number's size: a GPU ends the launch there."""


class UninitialisedShared(Hazard):
    """Shared memory is read, or updated, before any thread has written it: it holds what the last block left there."""


class BarrierDivergence(Hazard):
    """Some threads of a block wait at a barrier that others do not reach."""


class ShuffleInactiveLane(Hazard):
    """A lane asks another for its value that is not executing the same shuffle, or is not in the mask."""


class LaunchLimit(Hazard, ValueError):
    """A launch that no GPU accepts: over 1024 threads a block, too long an axis, too much shared memory."""


class StepLimit(Hazard):
    """Threads go on without end: an endless loop, or a wait for what never comes."""


class DataRace(Hazard):
    """Two threads touch one byte, at least one of them writes, and nothing orders them."""
