"""What is recorded of a launch: its counters, in total and by line, its hazards, the steps of the warps watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kernels.simt.counters import Counters
from kernels.simt.hazards import Hazard, Line


@dataclass(frozen=True)
class Step:
    """One warp executing one statement's worth of work that is worth a picture.

    kind: "load", "store" or "atomic" (with `space`), "barrier", "branch", "shuffle", "vote", or "compute".
    """

    warp: int  # of the block watched
    line: Line
    kind: str
    active: int  # a bit for each of the 32 lanes
    space: str = ""  # "global" or "shared"
    array: str = ""  # the name of the array in the source
    size: int = 0  # bytes a lane
    addresses: tuple[int, ...] = ()  # bytes from the array's start, one for each active lane in order
    cost: int = 0  # global: sectors; shared: wavefronts
    taken: int = 0  # of a branch: the lanes whose test was true


@dataclass(frozen=True)
class Touched:
    """The bytes of a global array that a launch has read, and those that it has written, in units of `unit` bytes."""

    address: int  # of the first byte, in this process
    unit: int
    read: np.ndarray  # a bit a unit, eight to a byte
    written: np.ndarray

    def addresses(self, kind: str) -> np.ndarray:
        """The addresses of the units that were "read" or "written"."""
        bits = np.unpackbits(getattr(self, kind))
        return self.address + self.unit * np.flatnonzero(bits)


@dataclass(frozen=True)
class SourceLine:
    """A line of a kernel, or of a device function that was inlined into it."""

    line: Line
    text: str
    function: str


@dataclass(repr=False)
class Record:
    """What is known of a launch that has finished, or that a hazard has ended."""

    kernel: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    counters: Counters = field(default_factory=Counters)
    lines: dict[Line, Counters] = field(default_factory=dict)
    hazards: list[Hazard] = field(default_factory=list)
    notes: list[Hazard] = field(default_factory=list)  # warnings and benign patterns: kinds as for hazards
    source: tuple[SourceLine, ...] = ()  # the kernel's text, then that of its device functions
    steps: Sequence[Step] = ()  # of the first block's warps, as many as were kept
    steps_left_out: int = 0  # statements beyond those
    touched: tuple[Touched, ...] = ()  # the memory behind its arrays
    shared_bytes: int = 0  # a block: static and dynamic
    warps: int = 0  # of the whole launch
    function: Callable[..., Any] | None = None  # the kernel's Python function
    kinds: tuple[Any, ...] = ()  # Numba's types of its arguments
