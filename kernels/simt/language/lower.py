"""From Numba's typed steps to ours: a kernel is lowered once for its argument types, then run for any launch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba import types

from kernels.simt.arithmetic.casts import number
from kernels.simt.language import control, statements, subscripts
from kernels.simt.language.expressions import Expressions
from kernels.simt.language.refusals import refused
from kernels.simt.language.typed import KernelTypeError, typed
from kernels.simt.machine.program import (
    Branch,
    Jump,
    Program,
    Return,
    Segment,
    UnsupportedError,
)


def lower(kernel: Callable[..., Any], kinds: tuple[Any, ...]) -> Program:
    """The program of a kernel for arguments of these Numba types; the same object when asked again.

    Raises KernelTypeError where Numba cannot type it, UnsupportedError where the simulator cannot run it.
    """
    return _lowered(getattr(kernel, "py_func", kernel), kinds)


@functools.lru_cache(maxsize=512)
def _lowered(function: Callable[..., Any], kinds: tuple[Any, ...]) -> Program:
    try:
        return Lowering(function, typed(function, *kinds)).program()
    except UnsupportedError:
        not_for_a_gpu = refused(function)  # Numba types a list, and stops only at its code
        if not_for_a_gpu is None:
            raise
        raise KernelTypeError(not_for_a_gpu) from None


class Lowering(Expressions):
    """Lowers one kernel, statement by statement."""

    def program(self) -> Program:
        """Lower every block, in the order in which lanes of a warp take turns."""
        labels = control.order(self.source.blocks, min(self.source.blocks))
        for label in labels:
            self.first[label] = len(self.segments)
            self.segment = Segment()
            self.segments.append(self.segment)
            self.label = label
            for statement in self.source.blocks[label].body:
                self.statement(statement)
        for segment in self.segments:
            segment.end = self._resolved(segment.end)
        statements.chain_tests(self.segments)
        statements.count_once(self.segments)
        arrays = [kind for kind in self.source.types.values() if isinstance(kind, types.Array)]
        return Program(
            name=self.source.name,
            file=self.file,
            segments=self.segments,
            shared_bytes=self.shared_bytes,
            shared_line=self.shared_line,
            unit=min((number(kind.dtype).itemsize for kind in arrays), default=1),
            cooperative=self.cooperative,
            only_barriers=not self.finer,
            viewed=self.viewed,
            files=self.files,
        )

    def _resolved(self, end: Any) -> Any:
        """An end with segments' numbers for block labels."""
        kind, *rest = end if isinstance(end, tuple) else (None,)
        if kind == "jump":
            return Jump(self.first[rest[0]], rest[1])
        if kind == "branch":
            test, yes, no, what, line, pair = rest
            return Branch(test, self.first[yes], self.first[no], what, line, chain=-1, pair=pair)
        return end

    def statement(self, statement: Any) -> None:
        """Lower one statement of Numba's representation."""
        self.loc = statement.loc
        name = type(statement).__name__
        handler = getattr(self, f"_{name.lower()}", None)
        if handler is None:
            raise self.unsupported(f"`{name}` ({statement})", "plain assignments, `if`, `while` and `for`")
        handler(statement)

    def _del(self, statement: Any) -> None:
        """Frames are short-lived: nothing to free."""

    def _jump(self, statement: Any) -> None:
        self.segment.end = ("jump", statement.target, self.line)

    def _return(self, statement: Any) -> None:
        early = self.loc.line in self.around.returns
        if early:
            self.executes(self.line)
        self.segment.end = Return(self.line, early)

    def _staticraise(self, statement: Any) -> None:
        # without debug=True a GPU thread that raises just ends
        self.segment.end = Return(self.line, early=True)

    _raise = _dynamicraise = _staticraise

    def _branch(self, statement: Any) -> None:
        test = statement.cond.name
        if test in self.iteration:
            kind, line = "for", self.line
        else:
            begins = self.around.tests.get(self.loc.line)
            kind, line = ("if", self.line_of(self.loc.filename, begins)) if begins else ("", self.line)
            self.executes(self.line)
        key, pair = self.operand(test), self.iteration.get(test, "")
        self.segment.end = ("branch", key, statement.truebr, statement.falsebr, kind, line, pair)

    def _print(self, statement: Any) -> None:
        keys = [self.operand(argument.name) for argument in statement.args]
        self.emit(lambda frame, lanes, machine: machine.print([frame[key] for key in keys], lanes))

    def _setitem(self, statement: Any) -> None:
        subscripts.store(self, statement, statement.index.name)

    def _staticsetitem(self, statement: Any) -> None:
        # the index itself may be an object of Numba's (a property): the variable that holds it is what is meant
        subscripts.store(self, statement, statement.index_var.name)

    def _assign(self, statement: Any) -> None:
        target, value = statement.target.name, statement.value
        kind = type(value).__name__
        if kind in ("Const", "Global", "FreeVar"):
            self.fixed(target, value.value)
        elif kind == "Arg":
            self.segment.defines.add(target)
            self.emit(lambda frame, lanes, machine: frame.__setitem__(target, machine.arguments[value.name]))
        elif kind == "Var":
            self._copy(target, value.name)
        elif kind == "Expr":
            handler = getattr(self, f"_{value.op}", None)
            if handler is None:
                raise self.unsupported(f"`{value.op}` ({value})", "arithmetic, subscripts and calls")
            handler(target, value)
        else:
            raise self.unsupported(f"`{kind}` ({value})", "arithmetic, subscripts and calls")
