"""Expressions: what stands on the right of an assignment, as steps that put its value under a name."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from kernels.simt import arithmetic
from kernels.simt.arithmetic.casts import TUPLES
from kernels.simt.language import calls, iteration, subscripts
from kernels.simt.language.builder import Builder, casting
from kernels.simt.machine.program import Frame, Work


class Expressions(Builder):
    """A method for each kind of expression in Numba's representation, by its name there."""

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
