"""Calls: what a kernel asks of CUDA (who am I, wait, share, exchange) and of Python (`range`, `len`), as steps.

Everything that is arithmetic is in `arithmetic.py`; this is the rest, a table from the function that the source calls
to how it is lowered.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from kernels.backend import cuda
from kernels.simt import access, shuffles
from kernels.simt.casts import TUPLES, number
from kernels.simt.memory import Storage, View, row_major
from kernels.simt.subscripts import Method, Slice, items

Handler = Callable[[Any, str, Any, list[Any]], None]  # (lowering, target, expression, arguments as variables)
SHARED_ALIGNMENT = 16  # bytes


def lower_call(low: Any, target: str, expression: Any) -> None:
    """Lower `target = function(...)`."""
    function = low.known.get(expression.func.name)
    arguments = [argument.name for argument in expression.args]
    given = dict(expression.kws)
    if isinstance(function, Method):
        _method(low, target, function, arguments, expression)
        return
    if isinstance(function, type) and issubclass(function, BaseException):
        low.known[target] = function  # raised or not: on a GPU nobody sees it
        return
    handler = _table().get(_key(function))
    if handler is None:
        names = arguments + [variable.name for variable in given.values()]
        low.compute(target, expression, function, names)
        return
    order = _PARAMETERS.get(getattr(function, "__name__", ""), ())
    arguments += [given[name].name for name in order[len(arguments) :] if name in given]
    handler(low, target, expression, arguments)


def _key(function: Any) -> Any:
    try:
        hash(function)
    except TypeError:
        return None
    return function


_PARAMETERS = {"array": ("shape", "dtype"), "array_like": ("ary",), "syncwarp": ("mask",)}


@functools.cache
def _table() -> dict[Any, Handler]:
    table: dict[Any, Handler] = {
        range: _range,
        len: _len,
        enumerate: _counted,
        zip: _counted,
        slice: _slice,
        bool: _bool,
        type: _type,
        cuda.grid: _grid,
        cuda.gridsize: _grid,
        cuda.shared.array: _shared,
        cuda.local.array: _local,
        cuda.const.array_like: _constant,
        cuda.syncthreads: _wait("block"),
        cuda.syncthreads_count: _wait("block", "count"),
        cuda.syncthreads_and: _wait("block", "and"),
        cuda.syncthreads_or: _wait("block", "or"),
        cuda.syncwarp: _syncwarp,
        cuda.activemask: _activemask,
        cuda.lanemask_lt: _lanemask_lt,
        cuda.threadfence: _fence("grid"),
        cuda.threadfence_system: _fence("grid"),
        cuda.threadfence_block: _fence("block"),
        cuda.nanosleep: _nothing,
        cuda.cg.this_grid: _nothing,
        cuda.shfl_sync: _shuffle("idx"),
        cuda.shfl_up_sync: _shuffle("up"),
        cuda.shfl_down_sync: _shuffle("down"),
        cuda.shfl_xor_sync: _shuffle("xor"),
        cuda.atomic.compare_and_swap: _compare_and_swap,
    }
    for name in ("all", "any", "eq", "ballot", "match_any", "match_all"):
        table[getattr(cuda, f"{name}_sync")] = _vote(name)
    for name in (
        "add",
        "sub",
        "max",
        "min",
        "nanmax",
        "nanmin",
        "and_",
        "or_",
        "xor",
        "inc",
        "dec",
        "exch",
        "cas",
    ):
        table[getattr(cuda.atomic, name)] = _atomic(name)
    for name in ("ldca", "ldcg", "ldcs", "ldlu", "ldcv"):
        if hasattr(cuda, name):
            table[getattr(cuda, name)] = _hinted_load
    for name in ("stcg", "stcs", "stwb", "stwt"):
        if hasattr(cuda, name):
            table[getattr(cuda, name)] = _hinted_store
    return table


# -- Python -----------------------------------------------------------------------------------------------------------


def _range(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
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
                        machine, within, walked[0], (within_of(place, lanes, more),), line
                    )
            else:
                options = np.stack([lanes.spread(item) for item in walked[0]]) if walked[0] else None
                value = options[lanes.spread(place), np.arange(lanes.count)] if options is not None else now
        frame[target] = (value, more, differs)
        frame[iterator] = (now + step, stop, step, differs, *walked)

    low.emit(run)


def within_of(value: Any, lanes: Any, more: Any) -> Any:
    """A value for those of the lanes that have more to come."""
    return value[lanes.spread(more)] if isinstance(value, np.ndarray) else value


def _differs(lanes: Any, bounds: tuple[Any, ...]) -> Any:
    """Whether bounds differ within one's warp: False, or bool (count,)."""
    found: Any = np.bool_(False)
    for bound in bounds:
        if isinstance(bound, np.ndarray):
            low, high = (reduce.reduceat(bound, lanes.starts) for reduce in (np.minimum, np.maximum))
            found = found | np.repeat(low != high, lanes.warp_sizes)
    return found


def _len(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    kind, key = low.type(arguments[0]), low.operand(arguments[0])
    if isinstance(kind, types.BaseTuple):
        low.step(target, lambda frame, lanes, machine: np.int64(len(frame[key])))
    elif not isinstance(kind, types.Array):
        raise low.unsupported(f"the length of {kind}", "that of an array or a tuple")
    else:
        low.step(target, lambda frame, lanes, machine: np.asarray(frame[key].shape[0], dtype=np.int64)[()])


def _counted(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    raise low.unsupported("`enumerate` or `zip`", "`for i in range(len(x))` and x[i]")


def _slice(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    keys = [low.operand(name) for name in arguments]

    def run(frame: Any, lanes: Any, machine: Any) -> Any:
        ends = [frame[key] for key in keys]
        return Slice(*ends, *[None] * (3 - len(ends))) if len(ends) > 1 else Slice(None, ends[0], None)

    low.step(target, run)


def _bool(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    """The test of an `if`: what is true is what is not zero."""
    key = low.operand(arguments[0])
    if arguments[0] in low.iteration:
        low.iteration[target] = low.iteration[arguments[0]]
    low.step(target, lambda frame, lanes, machine: frame[key] != 0)


def _type(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    """`type(x)`, which a kernel calls to convert: x's Numba type."""
    low.known[target] = types.unliteral(low.type(arguments[0]))


def _nothing(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.known[target] = None


# -- threads and memory -----------------------------------------------------------------------------------------------


def _grid(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    axes = int(low.known[arguments[0]])
    size = low.known[expression.func.name] is cuda.gridsize
    low.executes(low.line)

    def along(lanes: Any, axis: str) -> Any:
        chunk, place = lanes.chunk, "xyz".index(axis)
        if size:
            return np.int64(chunk.grid[place] * chunk.block[place])
        return lanes.take(chunk.global_index[axis])

    if axes == 1:
        low.step(target, lambda frame, lanes, machine: along(lanes, "x"))
    else:
        low.step(target, lambda frame, lanes, machine: tuple(along(lanes, axis) for axis in "xyz"[:axes]))


def _shape(low: Any, variable: str) -> tuple[int, ...]:
    shape = low.known[variable]
    return tuple(map(int, shape)) if isinstance(shape, tuple) else (int(shape),)


def _shared(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    dtype = number(low.type(target).dtype)
    shape = _shape(low, arguments[0])
    name = target.partition(".")[0].removeprefix("$")
    dynamic = math.prod(shape) == 0
    if not dynamic:
        offset = -(-low.shared_bytes // SHARED_ALIGNMENT) * SHARED_ALIGNMENT
        low.shared[target], low.shared_line = offset, low.line
        low.shared_bytes = offset + math.prod(shape) * dtype.itemsize
    low.step(
        target,
        lambda frame, lanes, machine: machine.shared_view(
            lanes, name, dtype, None if dynamic else shape, 0 if dynamic else offset
        ),
    )


def _local(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    dtype = number(low.type(target).dtype)
    shape = _shape(low, arguments[0])
    name, bytes_ = target.partition(".")[0], math.prod(shape) * dtype.itemsize

    def run(frame: Any, lanes: Any, machine: Any) -> Any:
        storage = machine.local_storage(target, bytes_)
        return View(name, storage, dtype, shape, row_major(shape, dtype.itemsize), lanes.index * bytes_)

    low.step(target, run)


def _constant(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    key = low.operand(arguments[0])
    low.step(target, lambda frame, lanes, machine: frame[key])


# -- waiting and telling ----------------------------------------------------------------------------------------------


def _wait(scope: str, combine: str = "") -> Handler:
    def handler(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
        low.executes(low.line)
        value = low.operand(arguments[0]) if arguments else ""
        low.wait(scope, value, combine, target if combine else "")

    return handler


def _syncwarp(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    if arguments:
        low.wait("warp", low.operand(arguments[0]))
    else:
        low.segment.constants["all lanes"] = np.int64(shuffles.FULL)
        low.wait("warp", "all lanes")


def _fence(scope: str) -> Handler:
    def handler(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
        low.executes(low.line)
        low.finer = True
        low.emit(lambda frame, lanes, machine: machine.ordering.fence(lanes.threads, machine.now, scope))

    return handler


def _activemask(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    low.step(target, lambda frame, lanes, machine: shuffles.active(lanes).astype(np.uint32).view(np.int32))


def _lanemask_lt(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    low.step(
        target,
        lambda frame, lanes, machine: (
            (np.left_shift(np.int64(1), lanes.index % 32) - 1).astype(np.uint32).view(np.int32)
        ),
    )


def _shuffle(how: str) -> Handler:
    def handler(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
        low.executes(low.line)
        line, kind = low.line, low.type(target)
        mask, by = low.operand(arguments[0]), low.operand(arguments[2])
        value = low.operand(arguments[1], kind)
        low.step(
            target,
            lambda frame, lanes, machine: shuffles.shuffle(
                machine, lanes, how, frame[mask], frame[value], frame[by], line
            ),
        )

    return handler


def _vote(how: str) -> Handler:
    def handler(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
        low.executes(low.line)
        line = low.line
        mask, value = (low.operand(argument) for argument in arguments)
        low.step(
            target,
            lambda frame, lanes, machine: shuffles.vote(machine, lanes, how, frame[mask], frame[value], line),
        )

    return handler


def _atomic(name: str) -> Handler:
    def handler(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
        array, index, *values = arguments
        _update(low, target, name, array, low.operand(index), values)

    return handler


def _compare_and_swap(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    array, *values = arguments
    low.segment.constants["first"] = np.int64(0)
    _update(low, target, "cas", array, "first", values)


def _update(low: Any, target: str, name: str, array: str, index: str, values: list[str]) -> None:
    low.executes(low.line)
    line, view = low.line, low.operand(array)
    keys = [low.operand(value, low.type(array).dtype) for value in values]
    low.step(
        target,
        lambda frame, lanes, machine: access.atomic(
            machine, lanes, frame[view], items(frame[index]), name, tuple(frame[key] for key in keys), line
        ),
    )


def _hinted_load(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    """A load with a hint to the cache, which changes nothing that is counted here."""
    low.executes(low.line)
    array, index = (low.operand(argument) for argument in arguments)
    line = low.line
    low.step(
        target,
        lambda frame, lanes, machine: access.load(machine, lanes, frame[array], items(frame[index]), line),
    )


def _hinted_store(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    low.executes(low.line)
    array, index = (low.operand(argument) for argument in arguments[:2])
    value, line = low.operand(arguments[2], low.type(arguments[0]).dtype), low.line
    low.emit(
        lambda frame, lanes, machine: access.store(
            machine, lanes, frame[array], items(frame[index]), frame[value], line
        )
    )


# -- methods ----------------------------------------------------------------------------------------------------------


def _method(low: Any, target: str, method: Method, arguments: list[str], expression: Any) -> None:
    kind = low.type(method.owner)
    if isinstance(kind, types.Array) and method.name == "view":
        key, dtype = low.operand(method.owner), number(low.type(target).dtype)
        low.step(target, lambda frame, lanes, machine: _seen_as(frame[key], dtype))
    elif isinstance(kind, types.Array) and method.name == "reshape":
        key = low.operand(method.owner)
        names = [low.operand(argument) for argument in arguments]
        low.step(target, lambda frame, lanes, machine: _reshaped(frame[key], [frame[name] for name in names]))
    elif isinstance(kind, types.Number):
        low.method(target, expression, method.owner, low.type(expression.func.name).template.key)
    elif method.name == "sync":
        low.executes(low.line)
        low.cooperative = True
        if not isinstance(low.type(target), types.NoneType):
            low.known[target] = 0
        low.wait("grid")
    else:
        raise low.unsupported(f"`.{method.name}()` of {kind}", "a loop over its elements")


def _seen_as(view: View, dtype: np.dtype) -> View:
    """The same bytes as elements of another type: the last axis grows or shrinks with their size."""
    old, new = view.dtype.itemsize, dtype.itemsize
    if old == new:
        return View(view.name, view.storage, dtype, view.shape, view.strides, view.offset, view.outside)
    shape = (*view.shape[:-1], view.shape[-1] * old // new)
    return View(view.name, view.storage, dtype, shape, (*view.strides[:-1], new), view.offset, view.outside)


def _reshaped(view: View, lengths: list[Any]) -> View:
    shape = tuple(lengths[0]) if len(lengths) == 1 and isinstance(lengths[0], tuple) else tuple(lengths)
    total = functools.reduce(lambda one, other: one * other, view.shape, np.int64(1))
    known = functools.reduce(
        lambda one, other: one * other, [n for n in shape if np.any(n >= 0)], np.int64(1)
    )
    shape = tuple(total // known if np.all(n < 0) else n for n in shape)
    strides: list[Any] = [view.dtype.itemsize]
    for length in reversed(shape[1:]):
        strides.insert(0, strides[0] * length)
    return View(view.name, view.storage, view.dtype, shape, tuple(strides), view.offset, view.outside)


def empty_storage(space: str, bytes_: int) -> Storage:
    """Storage that nothing has been written to."""
    return Storage(space, np.zeros(bytes_, dtype=np.uint8))
