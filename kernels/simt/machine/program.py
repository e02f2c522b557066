"""A kernel as the machine runs it: segments of steps without a choice in them, and how each of them ends.

A *step* is a small function of the active lanes: it takes values from a frame by name and puts its result there. A
*segment* is a straight run of steps, from one branch, join or barrier to the next. Values that later segments need
leave the frame for the chunk's state when a segment ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kernels.simt.hazards import Line
from kernels.simt.lanes import Lanes

Frame = dict[
    str, Any
]  # name -> a number for all lanes or an array with one for each, a View, or a tuple of these
Step = Callable[[Frame, Lanes, Any], None]  # (frame, active lanes, machine)


class UnsupportedError(NotImplementedError):
    """The kernel uses what CUDA in Numba has and the simulator has not; the message names the line and a way out."""


@dataclass(frozen=True)
class Jump:
    """All lanes go on at one segment."""

    target: int
    line: Line


@dataclass(frozen=True)
class Branch:
    """Lanes go to one of two segments by a test.

    kind: "if" for an `if` or `while`, "for", or "" for what is no branch of the source: the parts of a conditional
    expression. chain: the segment where the test began, of which `a and b` makes two branches; itself for most.
    """

    test: str
    yes: int
    no: int
    kind: str
    line: Line
    chain: int
    last: bool = True  # no later branch of the same test follows
    pair: str = ""  # of a `for`: the name of the pair that its iterator gave


@dataclass(frozen=True)
class Wait:
    """Lanes wait for others: at a barrier of the "block", the "grid" or the "warp".

    value: the name of the number each lane brings (a predicate, a mask). combine: what the barrier makes of the block's
    predicates ("count", "and", "or"), put under the name `result`.
    """

    scope: str
    line: Line
    target: int
    value: str = ""
    combine: str = ""
    result: str = ""


@dataclass(frozen=True)
class Return:
    """Lanes are done. `early` says that the source has a `return` there, rather than its end."""

    line: Line
    early: bool


End = Jump | Branch | Wait | Return


class Work(NamedTuple):
    """What a step of arithmetic costs each lane."""

    line: Line
    flops: int
    flops64: int  # those in double precision
    transcendentals: int


@dataclass
class Segment:
    """A straight run of steps."""

    steps: list[Step] = field(default_factory=list)
    end: Any = None
    constants: Frame = field(default_factory=dict)  # names of numbers that are in the source
    reads: set[str] = field(default_factory=set)  # names it takes from the state
    defines: set[str] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)  # of its statements, one after another
    work: list[Work] = field(default_factory=list)
    writes: set[str] = field(default_factory=set)  # names it leaves in the state; set by `Program`


@dataclass
class Program:
    """A kernel for given argument types, lowered."""

    name: str
    file: str
    segments: list[Segment]
    shared_bytes: int  # static, a block
    shared_line: Line | None  # where the last of it is declared
    unit: int  # bytes of the smallest element of any array in the kernel
    cooperative: bool  # it has a grid barrier
    only_barriers: bool  # it has neither a fence nor a `syncwarp`
    viewed: bool  # it sees an array as one of another type
    files: Mapping[str, str]  # every source file of its lines, by the name that a line has

    def __post_init__(self) -> None:
        read = set().union(*(segment.reads for segment in self.segments))
        for segment in self.segments:
            segment.writes = segment.defines & read

    @property
    def lines(self) -> list[Line]:
        """The lines that its statements stand on, each once, in order of execution."""
        return list(dict.fromkeys(line for segment in self.segments for line in segment.lines))
