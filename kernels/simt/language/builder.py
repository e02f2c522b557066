"""Writing a program: names and what is known of them, steps, segments, and the lines they belong to."""

from __future__ import annotations

import inspect
import os
from collections import Counter as Tally
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from kernels.simt import arithmetic
from kernels.simt.arithmetic.casts import TUPLES, number
from kernels.simt.hazards import Line
from kernels.simt.language import subscripts
from kernels.simt.language.landmarks import Landmarks
from kernels.simt.language.typed import Typed
from kernels.simt.machine.program import Frame, Segment, Step, UnsupportedError, Wait


def casting(own: Any, wanted: Any) -> Callable[[Any], Any]:
    """The conversion from one Numba type to another, with what depends on the types alone done once."""
    if isinstance(own, TUPLES):
        return lambda value: arithmetic.cast(value, own, wanted)
    dtype = number(wanted)
    return lambda value: None if value is None else arithmetic.convert(value, dtype)


class Builder:
    """A program in the making: what is known of the kernel's names, and the segments so far."""

    def __init__(self, function: Callable[..., Any], source: Typed) -> None:
        self.source = source
        self.file = inspect.getsourcefile(function) or function.__code__.co_filename
        self.known: dict[str, Any] = {}  # names whose value is fixed: modules, functions, types, numbers
        self.shared_bytes = 0
        self.shared_line: Line | None = None
        # whether it has a grid barrier; a fence or `syncwarp`; an array seen as one of another type
        self.cooperative = self.finer = self.viewed = False
        self.files: dict[str, str] = {}
        self.segments: list[Segment] = []
        self.segment = Segment()  # the one at hand
        self.loc: Any = None  # the place in the source of the statement at hand
        self.first: dict[int, int] = {}  # block label -> its first segment
        self.landmarks: dict[str, Landmarks] = {}
        self.times_assigned = Tally(
            statement.target.name
            for block in source.blocks.values()
            for statement in block.body
            if type(statement).__name__ == "Assign"
        )
        self.iteration: dict[str, str] = {}  # name of a test that ends a `for` -> its iterator

    def type(self, name: str) -> Any:
        """The Numba type of a variable."""
        return self.source.types[name]

    def operand(self, name: str, kind: Any = None) -> str:
        """The name under which a variable's value will be in the frame, cast to a Numba type if one is given."""
        own = self.type(name)
        if kind is None or self.same_numbers(own, kind) or isinstance(kind, types.Omitted):
            kind = own
        key = name if kind is own else f"{name} as {kind}"
        if name in self.known:
            if key not in self.segment.constants:
                self.segment.constants[key] = self.constant(self.known[name], kind)
            return key
        if name not in self.segment.defines:
            self.segment.reads.add(name)
        if kind is not own and key not in self.segment.defines:
            self.segment.defines.add(key)
            convert = casting(own, kind)
            self.emit(lambda frame, lanes, machine: frame.__setitem__(key, convert(frame[name])))
        return key

    def constant(self, value: Any, kind: Any) -> Any:
        """A number of the source in its type; a tuple as a tuple of them; an array as one in constant memory."""
        if isinstance(value, np.ndarray):
            return subscripts.frozen(value)
        if isinstance(value, tuple) and isinstance(kind, TUPLES):
            return tuple(self.constant(item, of) for item, of in zip(value, kind.types, strict=True))
        dtype = arithmetic.dtype_of(kind)
        if dtype is None or value is None:
            return value
        own = np.array(value)
        return own.astype(dtype)[()] if dtype.kind != "b" else np.bool_(value)

    @staticmethod
    def same_numbers(one: Any, other: Any) -> bool:
        """Whether two Numba types have the same numbers in them."""
        if one == other:
            return True
        if isinstance(one, TUPLES) and isinstance(other, TUPLES):
            return all(Builder.same_numbers(a, b) for a, b in zip(one.types, other.types, strict=True))
        first, second = arithmetic.dtype_of(one), arithmetic.dtype_of(other)
        return first == second if first is not None else not isinstance(one, types.Number | types.Boolean)

    def emit(self, step: Step) -> None:
        """Add a step to the segment."""
        self.segment.steps.append(step)

    def step(self, target: str, value: Callable[[Frame, Any, Any], Any]) -> None:
        """Add a step that puts `value(frame, lanes, machine)` under the name `target`."""
        self.define(target)

        def run(frame: Frame, lanes: Any, machine: Any) -> None:
            frame[target] = value(frame, lanes, machine)

        self.emit(run)

    def define(self, target: str) -> None:
        """A name gets a new value: casts of its old one are stale."""
        segment = self.segment
        segment.defines.add(target)
        segment.defines -= {name for name in segment.defines if name.startswith(f"{target} as ")}

    def wait(self, scope: str, value: str = "", combine: str = "", result: str = "") -> None:
        """End the segment at a barrier and begin the next one behind it."""
        self.finer |= scope == "warp"
        if result:
            self.segment.defines.add(result)
        self.segment.end = Wait(scope, self.line, len(self.segments), value, combine, result)
        self.segment = Segment()
        self.segments.append(self.segment)

    def executes(self, line: Line) -> None:
        """A statement of this line is executed here; what stands on one line is one."""
        if line not in self.segment.lines:
            self.segment.lines.append(line)

    @property
    def around(self) -> Landmarks:
        """The landmarks of the file of the statement at hand."""
        return self.landmarks.setdefault(self.loc.filename, Landmarks(self.loc.filename))

    @property
    def line(self) -> Line:
        """The line of the statement at hand."""
        return self.line_of(self.loc.filename, self.loc.line)

    def line_of(self, file: str, number: int) -> Line:
        """A line as the reader knows it: its number, with the file's name where that is not the kernel's."""
        if os.path.abspath(file) == os.path.abspath(self.file):
            return number
        name = os.path.basename(file)
        self.files[name] = file
        return f"{name}:{number}"

    def unsupported(self, what: str, instead: str) -> UnsupportedError:
        """The error for what the simulator cannot run, at the line at hand."""
        return UnsupportedError(
            f"{self.source.name}, line {self.line}: {what} is not simulated; use {instead}"
        )
