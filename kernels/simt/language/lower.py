"""From Numba's typed steps to ours: a kernel is lowered once for its argument types, then run for any launch."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from kernels.simt import arithmetic
from kernels.simt.arithmetic.casts import TUPLES, number
from kernels.simt.language import calls, control, iteration, statements, subscripts
from kernels.simt.language.builder import Builder, casting
from kernels.simt.language.refusals import refused
from kernels.simt.language.typed import KernelTypeError, typed
from kernels.simt.machine.program import (
    Branch,
    Frame,
    Jump,
    Program,
    Return,
    Segment,
    UnsupportedError,
    Work,
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


class Lowering(Builder):
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
            arguments=self.arguments,
            shared=self.shared,
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

    # -- statements ---------------------------------------------------------------------------------------------------

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
            self.arguments[target] = value.name
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

    def _copy(self, target: str, source: str) -> None:
        if self.times_assigned[target] == 1 and source in self.known:
            self.known[target] = self.known[source]
            if not target.startswith("$"):
                self.executes(self.line)
            return
        key = self.operand(source, self.type(target))
        self.step(target, lambda frame, lanes, machine: frame[key])
        same = target.partition(".")[0] == source.partition(".")[0]
        hidden = same or target.startswith("$") or source.startswith("$phi")
        if not hidden and self.loc.line not in self.around.headers:
            self.executes(self.line)

    def fixed(self, target: str, value: Any) -> None:
        """A name that stands for something in the source: a number, a module, a type, a frozen global."""
        if not target.startswith("$"):
            self.executes(self.line)
        if self.times_assigned[target] == 1:
            self.known[target] = value
            return
        if value is None:
            self.define(target)
            self.segment.constants[target] = None
            return
        constant = self.constant(value, self.type(target))
        self.step(target, lambda frame, lanes, machine: constant)

    # -- expressions --------------------------------------------------------------------------------------------------

    def _binop(self, target: str, value: Any) -> None:
        if isinstance(self.type(value.lhs.name), TUPLES) and value.fn is operator.add:
            left, right = self.operand(value.lhs.name), self.operand(value.rhs.name)
            self.step(target, lambda frame, lanes, machine: frame[left] + frame[right])
            return
        if isinstance(self.type(value.lhs.name), TUPLES) and value.fn is operator.contains:
            self._among(target, value.lhs.name, value.rhs.name)
            return
        self.compute(target, value, value.fn, [value.lhs.name, value.rhs.name])

    def _among(self, target: str, items: str, item: str) -> None:
        """`item in (1, 2, 3)`."""
        self.executes(self.line)
        group, one = self.operand(items), self.operand(item)

        def found(frame: Frame, lanes: Any, machine: Any) -> Any:
            return functools.reduce(
                operator.or_, (frame[one] == each for each in frame[group]), np.bool_(False)
            )

        self.step(target, found)

    def _inplace_binop(self, target: str, value: Any) -> None:
        self.compute(target, value, value.immutable_fn, [value.lhs.name, value.rhs.name])

    def _unary(self, target: str, value: Any) -> None:
        self.compute(target, value, value.fn, [value.value.name])

    def _cast(self, target: str, value: Any) -> None:
        if isinstance(self.type(target), types.NoneType):
            return
        self._copy(target, value.value.name)

    def _call(self, target: str, value: Any) -> None:
        calls.lower_call(self, target, value)

    def _getattr(self, target: str, value: Any) -> None:
        subscripts.attribute(self, target, value.value.name, value.attr)

    def _getitem(self, target: str, value: Any) -> None:
        subscripts.load(self, target, value, value.index.name)

    def _static_getitem(self, target: str, value: Any) -> None:
        if value.index_var is None:
            subscripts.pick(self, target, value.value.name, value.index)
        else:
            subscripts.load(self, target, value, value.index_var.name)

    def _build_tuple(self, target: str, value: Any) -> None:
        names = [item.name for item in value.items]
        if self.times_assigned[target] == 1 and all(name in self.known for name in names):
            self.known[target] = tuple(self.known[name] for name in names)
            return
        kinds = list(self.type(target))
        keys = [self.operand(name, kind) for name, kind in zip(names, kinds, strict=True)]
        self.step(target, lambda frame, lanes, machine: tuple(frame[key] for key in keys))

    def _exhaust_iter(self, target: str, value: Any) -> None:
        self._copy(target, value.value.name)

    def _getiter(self, target: str, value: Any) -> None:
        # a `for` counts at each of its tests, not when its bounds are computed
        if self.line in self.segment.lines:
            self.segment.lines.remove(self.line)
        iteration.iterate(self, target, value)

    def _iternext(self, target: str, value: Any) -> None:
        self.executes(self.line)
        iteration.advance(self, target, value.value.name)

    def _pair_first(self, target: str, value: Any) -> None:
        key = self.operand(value.value.name)
        self.step(target, lambda frame, lanes, machine: frame[key][0])

    def _pair_second(self, target: str, value: Any) -> None:
        key = self.operand(value.value.name)
        self.iteration[target] = value.value.name
        self.step(target, lambda frame, lanes, machine: frame[key][1])

    def compute(self, target: str, expression: Any, function: Any, names: list[str]) -> None:
        """A step of arithmetic: operands in the types of the signature that Numba chose, the result in the target's."""
        signature = self.source.signatures[expression]
        self._meant(target, function, signature, names)

    def method(self, target: str, expression: Any, owner: str, key: Any) -> None:
        """A step that calls a method of a number, by the key that Numba has for it."""
        signature = self.source.signatures[expression]
        self._meant(target, key, signature.replace(args=(self.type(owner),)), [owner])

    def _meant(self, target: str, function: Any, signature: Any, names: list[str]) -> None:
        if function is operator.pow and isinstance(self.known.get(names[-1]), int):
            # x ** 2 is a multiplication
            signature = signature.replace(args=(signature.args[0], types.literal(self.known[names[-1]])))
        meaning = arithmetic.find(function, signature)
        if meaning is None:
            raise self.unsupported(
                f"`{getattr(function, '__name__', function)}{signature.args}`", "operations on numbers"
            )
        self.executes(self.line)
        keys = [self.operand(name, kind) for name, kind in zip(names, signature.args, strict=True)]
        if meaning.flops or meaning.transcendentals:
            double = signature.return_type in (types.float64, types.complex128)
            self.segment.work.append(
                Work(self.line, meaning.flops, meaning.flops * double, meaning.transcendentals)
            )
        compute, given, wanted = meaning.compute, signature.return_type, self.type(target)
        if len(keys) == 1:
            (one,) = keys
            step: Callable[[Frame, Any, Any], Any] = lambda frame, lanes, machine: compute(frame[one])  # noqa: E731
        elif len(keys) == 2:
            left, right = keys
            step = lambda frame, lanes, machine: compute(frame[left], frame[right])  # noqa: E731
        else:
            step = lambda frame, lanes, machine: compute(*(frame[key] for key in keys))  # noqa: E731
        if not self.same_numbers(given, wanted):
            plain, convert = step, casting(given, wanted)
            step = lambda frame, lanes, machine: convert(plain(frame, lanes, machine))  # noqa: E731
        self.step(target, step)
