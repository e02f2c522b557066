"""Going through things: `range`, arrays and tuples in a `for`, their lengths, and slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from kernels.simt.arithmetic.casts import TUPLES, number
from kernels.simt.language.subscripts import Slice
from kernels.simt.machine import access
from kernels.simt.machine.memory import View, some


def range_(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    kind = low.type(target).dtype
    zero, one = (number(kind).type(value) for value in (0, 1))
    keys = [low.operand(name, kind) for name in arguments]
    if len(keys) == 1:
        low.step(target, lambda frame, lanes, machine: (zero, frame[keys[0]], one))
    elif len(keys) == 2:
        low.step(target, lambda frame, lanes, machine: (frame[keys[0]], frame[keys[1]], one))
    else:
        low.step(target, lambda frame, lanes, machine: tuple(frame[key] for key in keys))


def iterate(low: Any, target: str, expression: Any) -> None:
    """Lower `iter(source)`: an iterator is (next, end, step, do bounds differ within one's warp, what it walks)."""
    source = expression.value.name
    (kind,) = low.source.signatures[expression].args
    key = low.operand(source, kind if isinstance(kind, TUPLES) else None)
    if isinstance(kind, types.RangeType):

        def over_range(frame: Any, lanes: Any, machine: Any) -> Any:
            start, stop, step = frame[key]
            return start, stop, step, _differs(lanes, (start, stop, step))

        low.step(target, over_range)
    elif (isinstance(kind, types.Array) and kind.ndim == 1) or isinstance(kind, types.UniTuple):

        def over_items(frame: Any, lanes: Any, machine: Any) -> Any:
            walked = frame[key]
            count = walked.shape[0] if isinstance(walked, View) else np.int64(len(walked))
            return np.int64(0), count, np.int64(1), _differs(lanes, (count,)), walked

        low.step(target, over_items)
    else:
        raise low.unsupported(f"a `for` over {kind}", "a `for` over a range")


def advance(low: Any, target: str, iterator: str) -> None:
    """Lower `next(iterator)`: a pair of the value and whether there was one, and whether lanes may disagree on that."""
    key, line = low.operand(iterator), low.line
    low.define(target)
    low.define(iterator)

    def run(frame: Any, lanes: Any, machine: Any) -> None:
        now, stop, step, differs, *walked = frame[key]
        if isinstance(step, np.ndarray):
            more = np.where(step > 0, now < stop, now > stop)
        else:
            more = now < stop if step > 0 else now > stop
        value = now
        if walked:
            place = np.where(more, now, 0)[()]
            if isinstance(walked[0], View):
                # a loop over no elements, or past the last one, loads nothing
                within = lanes.only(lanes.spread(more)) if not np.all(more) else lanes
                value = np.zeros(lanes.count, dtype=walked[0].dtype)
                if within.count:
                    value[lanes.spread(more)] = access.load(
                        machine, within, walked[0], some((place,), lanes.spread(more)), line
                    )
            else:
                options = np.stack([lanes.spread(item) for item in walked[0]]) if walked[0] else None
                value = options[lanes.spread(place), np.arange(lanes.count)] if options is not None else now
        frame[target] = (value, more, differs)
        frame[iterator] = (now + step, stop, step, differs, *walked)

    low.emit(run)


def _differs(lanes: Any, bounds: tuple[Any, ...]) -> Any:
    """Whether bounds differ within one's warp: False, or bool (count,)."""
    found: Any = np.bool_(False)
    for bound in bounds:
        if isinstance(bound, np.ndarray):
            low, high = (reduce.reduceat(bound, lanes.starts) for reduce in (np.minimum, np.maximum))
            found = found | np.repeat(low != high, lanes.warp_sizes)
    return found


def length(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    kind, key = low.type(arguments[0]), low.operand(arguments[0])
    if isinstance(kind, types.BaseTuple):
        low.step(target, lambda frame, lanes, machine: np.int64(len(frame[key])))
    elif not isinstance(kind, types.Array):
        raise low.unsupported(f"the length of {kind}", "that of an array or a tuple")
    else:
        low.step(target, lambda frame, lanes, machine: np.asarray(frame[key].shape[0], dtype=np.int64)[()])


def counted(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    raise low.unsupported("`enumerate` or `zip`", "`for i in range(len(x))` and x[i]")


def slice_(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    keys = [low.operand(name) for name in arguments]

    def run(frame: Any, lanes: Any, machine: Any) -> Any:
        ends = [frame[key] for key in keys]
        return Slice(*ends, *[None] * (3 - len(ends))) if len(ends) > 1 else Slice(None, ends[0], None)

    low.step(target, run)
