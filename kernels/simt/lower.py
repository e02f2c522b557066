"""From Numba's typed steps to ours: a kernel is lowered once for its argument types, then run for any launch."""

from __future__ import annotations

import functools
import inspect
import operator
import os
from collections import Counter as Tally
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from kernels.simt import arithmetic, calls, control, statements, subscripts
from kernels.simt.casts import TUPLES, number
from kernels.simt.hazards import Line
from kernels.simt.landmarks import Landmarks
from kernels.simt.program import Branch, Frame, Jump, Program, Return, Segment, Step, UnsupportedError, Wait
from kernels.simt.refusals import refused
from kernels.simt.typed import KernelTypeError, Typed, typed

FUNCTIONS_OF_EXPRESSIONS = ("binop", "inplace_binop", "unary")


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


def casting(own: Any, wanted: Any) -> Callable[[Any], Any]:
    """The conversion from one Numba type to another, with what depends on the types alone done once."""
    if isinstance(own, TUPLES):
        return lambda value: arithmetic.cast(value, own, wanted)
    dtype = number(wanted)
    return lambda value: None if value is None else arithmetic.convert(value, dtype)


class Lowering:
    """The state of lowering one kernel: what is known of its names, and the segments so far."""

    def __init__(self, function: Callable[..., Any], source: Typed) -> None:
        self.source = source
        self.file = inspect.getsourcefile(function) or function.__code__.co_filename
        self.known: dict[
            str, Any
        ] = {}  # names whose value is fixed: modules, functions, types, numbers, tuples
        self.arguments: dict[str, str] = {}
        self.shared: dict[str, int] = {}
        self.shared_bytes = 0
        self.shared_line: Line | None = None
        self.cooperative = self.finer = False  # whether it has a grid barrier; a fence or `syncwarp`
        self.files: dict[str, str] = {}
        self.segments: list[Segment] = []
        self.first: dict[int, int] = {}  # block label -> its first segment
        self.landmarks: dict[str, Landmarks] = {}
        self.times_assigned = Tally(
            statement.target.name
            for block in source.blocks.values()
            for statement in block.body
            if type(statement).__name__ == "Assign"
        )
        self.iteration: dict[str, str] = {}  # name of a test that ends a `for` -> its iterator

    # -- the whole ----------------------------------------------------------------------------------------------------

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
        self._chain_tests()
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

    def _chain_tests(self) -> None:
        """Tie the branches that one test makes (`a and b`) together, so that they count as one."""
        came_from = statements.leading_to(self.segments)
        for place, segment in enumerate(self.segments):
            end = segment.end
            if not isinstance(end, Branch):
                continue
            chain = place
            before = came_from.get(place, [])
            if len(before) == 1 and end.kind == "if" and before[0] < place:
                earlier = self.segments[before[0]].end
                if isinstance(earlier, Branch) and earlier.kind == "if" and earlier.line == end.line:
                    chain = earlier.chain
                    object.__setattr__(earlier, "last", False)
            object.__setattr__(end, "chain", chain)

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
        self.compute(target, value, value.fn, [value.lhs.name, value.rhs.name])

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
        calls.iterate(self, target, value)

    def _iternext(self, target: str, value: Any) -> None:
        self.executes(self.line)
        calls.advance(self, target, value.value.name)

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
            self.segment.work.append((self.line, meaning.flops, meaning.transcendentals))
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

    # -- names --------------------------------------------------------------------------------------------------------

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
            return all(Lowering.same_numbers(a, b) for a, b in zip(one.types, other.types, strict=True))
        first, second = arithmetic.dtype_of(one), arithmetic.dtype_of(other)
        return first == second if first is not None else not isinstance(one, types.Number | types.Boolean)

    # -- steps --------------------------------------------------------------------------------------------------------

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
