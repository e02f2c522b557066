"""Subscripts and attributes: how `x[i, j]`, `x[a:b]`, `x.shape` and `cuda.threadIdx.x` become steps."""

from __future__ import annotations

import types as python_types
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import types

from kernels.backend import cuda
from kernels.simt.arithmetic.casts import TUPLES, number
from kernels.simt.lanes import Number
from kernels.simt.machine import access
from kernels.simt.machine.memory import Storage, View, Views
from kernels.simt.machine.program import UnsupportedError

AXES = ("x", "y", "z")


class Slice(NamedTuple):
    """A slice whose ends may differ from lane to lane."""

    start: Number
    stop: Number
    step: Number


@dataclass(frozen=True)
class Method:
    """A method of a value, on its way to being called."""

    owner: str  # the variable
    name: str


def attribute(low: Any, target: str, source: str, name: str) -> None:
    """Lower `source.name`."""
    kind = low.type(source)
    base = low.known.get(source)
    if name in AXES and any(base is built_in for built_in in (cuda.threadIdx, cuda.blockIdx)):
        which = "thread_index" if base is cuda.threadIdx else "block_index"
        low.executes(low.line)
        low.step(target, lambda frame, lanes, machine: lanes.take(getattr(lanes.chunk, which)[name]))
    elif name in AXES and any(base is built_in for built_in in (cuda.blockDim, cuda.gridDim)):
        which, axis = ("block" if base is cuda.blockDim else "grid"), AXES.index(name)
        low.executes(low.line)
        low.step(target, lambda frame, lanes, machine: np.int32(getattr(lanes.chunk, which)[axis]))
    elif base is cuda and name == "laneid":
        low.executes(low.line)
        low.step(target, lambda frame, lanes, machine: lanes.take(lanes.chunk.lane_id))
    elif base is cuda and name == "warpsize":
        low.step(target, lambda frame, lanes, machine: np.int32(32))
    elif isinstance(kind, types.Record):
        raise low.unsupported(f"the field {name!r} of a record", "an array for each field")
    elif isinstance(kind, types.Array):
        _of_array(low, target, source, name)
    elif isinstance(kind, types.Complex) and name in ("real", "imag"):
        key, dtype = low.operand(source), number(low.type(target))
        low.step(target, lambda frame, lanes, machine: getattr(frame[key], name).astype(dtype))
    elif isinstance(base, python_types.ModuleType | type) or base is not None:
        low.known[target] = getattr(base, name)
    else:
        low.known[target] = Method(source, name)


def _of_array(low: Any, target: str, source: str, name: str) -> None:
    key = low.operand(source)
    whole = {"size": lambda view: _product(view.shape), "ndim": lambda view: np.int64(len(view.shape)),
             "itemsize": lambda view: np.int64(view.dtype.itemsize),
             "nbytes": lambda view: _product(view.shape) * view.dtype.itemsize}  # fmt: skip
    if name in ("shape", "strides") or name in whole:
        low.executes(low.line)
    if name in ("shape", "strides"):
        low.step(target, lambda frame, lanes, machine: tuple(map(_int64, getattr(frame[key], name))))
    elif name in whole:
        low.step(target, lambda frame, lanes, machine: _int64(whole[name](frame[key])))
    elif name == "T":
        low.step(target, lambda frame, lanes, machine: transposed(frame[key]))
    elif name == "dtype":
        low.known[target] = number(low.type(source).dtype)
    else:
        low.known[target] = Method(source, name)


def load(low: Any, target: str, expression: Any, index: str) -> None:
    """Lower `value[index]` where it is read: an element, a view of an array, or an item of a tuple."""
    value, line = expression.value.name, low.line
    kind = low.type(value)
    if isinstance(kind, types.BaseTuple):
        fixed = low.known.get(index, getattr(expression, "index", None))
        if isinstance(fixed, int | slice):
            pick(low, target, value, fixed)
        else:
            _choose(low, target, value, index)
        return
    low.executes(line)
    if not isinstance(kind, types.Array) or isinstance(low.known.get(value), Method):
        raise low.unsupported(f"a subscript of {kind}", "one of an array or a tuple")
    array, key = low.operand(value), low.operand(index)
    _refuse_unknown(low, low.type(index))
    if isinstance(low.type(target), types.Array):
        low.step(target, lambda frame, lanes, machine: select(frame[array], items(frame[key]), lanes))
    else:
        low.step(
            target,
            lambda frame, lanes, machine: access.load(machine, lanes, frame[array], items(frame[key]), line),
        )


def store(low: Any, statement: Any, index: str) -> None:
    """Lower `target[index] = value`: of one element, or of all elements of a slice."""
    line = low.line
    low.executes(line)
    kind = low.type(statement.target.name)
    array, key = low.operand(statement.target.name), low.operand(index)
    _refuse_unknown(low, low.type(index))
    given = low.type(statement.value.name)
    if isinstance(given, types.Array) and given.dtype != kind.dtype:
        raise low.unsupported(f"assigning {given} to a slice of {kind}", "a loop over its elements")
    whole = isinstance(given, types.Array)
    value = low.operand(statement.value.name, None if whole else kind.dtype)

    def run(frame: Any, lanes: Any, machine: Any) -> None:
        where = items(frame[key])
        view = frame[array]
        if len(where) < len(view.shape) or any(isinstance(item, Slice) or item is Ellipsis for item in where):
            part = select(view, where, lanes)
            for place in np.ndindex(*(int(np.max(length)) for length in part.shape)):
                item = access.load(machine, lanes, frame[value], place, line) if whole else frame[value]
                access.store(machine, lanes, part, place, item, line)
        else:
            access.store(machine, lanes, view, where, frame[value], line)

    low.emit(run)


def pick(low: Any, target: str, value: str, place: int | slice) -> None:
    """Lower an item of a tuple at a fixed place, or some of them."""
    key = low.operand(value)
    if value in low.known and low.times_assigned[target] == 1:
        low.known[target] = low.known[value][place]
        return
    low.step(target, lambda frame, lanes, machine: frame[key][place])


def _choose(low: Any, target: str, value: str, index: str) -> None:
    """An item of a tuple of like items, at a place that each lane chooses."""
    key, place = low.operand(value), low.operand(index)
    low.executes(low.line)

    def chosen(frame: Any, lanes: Any, machine: Any) -> Any:
        items = frame[key]
        if not isinstance(frame[place], np.ndarray):  # the same for all lanes
            return items[int(frame[place]) % len(items)]
        where = lanes.spread(frame[place]).astype(np.int64) % len(items)
        if isinstance(items[0], View):
            return Views(items, where)
        return np.stack([lanes.spread(item) for item in items])[where, np.arange(lanes.count)]

    low.step(target, chosen)


def _refuse_unknown(low: Any, index: Any) -> None:
    parts = list(index.types) if isinstance(index, TUPLES) else [index]
    allowed = (types.Integer, types.Boolean, types.SliceType, types.EllipsisType)
    for part in parts:
        if not isinstance(part, allowed):
            raise low.unsupported(f"an index of type {part}", "integers and slices")


def items(index: Any) -> tuple[Any, ...]:
    """What stands between the brackets, one for each comma."""
    return index if isinstance(index, tuple) and not isinstance(index, Slice) else (index,)


def select(view: View | Views, where: tuple[Any, ...], lanes: Any) -> View:
    """The part of an array that an index with slices, or with fewer indices than axes, names.

    An index outside leads nowhere yet, as on a GPU: an access through the view will. Raises UnsupportedError where
    threads hold different arrays under one name.
    """
    if isinstance(view, Views):
        raise UnsupportedError(
            f"a part of {' or '.join(one.name for one in view.variants)}, whichever a thread holds, is not simulated; "
            "index it down to one element"
        )
    if Ellipsis in [item if item is Ellipsis else None for item in where]:
        at = next(place for place, item in enumerate(where) if item is Ellipsis)
        missing = len(view.shape) - len(where) + 1
        where = (*where[:at], *[Slice(None, None, None)] * missing, *where[at + 1 :])
    where = (*where, *[Slice(None, None, None)] * (len(view.shape) - len(where)))
    offset, outside, shape, strides = view.offset, view.outside, [], []
    for item, length, stride in zip(where, view.shape, view.strides, strict=True):
        if isinstance(item, Slice):
            start, step, count = _ends(item, length)
            offset = offset + start * stride
            shape.append(count)
            strides.append(stride * step)
        else:
            index = np.asarray(item, dtype=np.int64)[()]
            index = np.where(index < 0, index + length, index)[()]
            beyond = (index < 0) | (index >= length)
            if np.any(beyond):
                beyond = lanes.spread(beyond)
                outside = beyond if outside is None else outside | beyond
            offset = offset + index * stride
    return View(view.name, view.storage, view.dtype, tuple(shape), tuple(strides), offset, outside)


def _ends(part: Slice, length: Number) -> tuple[Number, Number, Number]:
    """Where a slice of an axis starts, its step, and how many it takes, clipped as Python clips."""
    step = np.int64(1) if part.step is None else np.asarray(part.step, dtype=np.int64)[()]
    up = step > 0
    start = _clipped(part.start, np.where(up, 0, length - 1), length, up)
    stop = _clipped(part.stop, np.where(up, length, -1), length, up)
    distance = np.where(up, stop - start, start - stop)
    return start, step, np.maximum(0, -(-distance // np.abs(step)))[()]


def _clipped(end: Number, default: Number, length: Number, up: Any) -> Number:
    if end is None:
        return np.asarray(default, dtype=np.int64)[()]
    end = np.asarray(end, dtype=np.int64)
    end = np.where(end < 0, end + length, end)
    return np.clip(end, np.where(up, 0, -1), np.where(up, length, length - 1))[()]


def transposed(view: View) -> View:
    """The array with its axes in reverse."""
    return View(
        view.name, view.storage, view.dtype, view.shape[::-1], view.strides[::-1], view.offset, view.outside
    )


def frozen(array: np.ndarray) -> View:
    """A global array of the source: its numbers as they are now, in constant memory."""
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).copy()
    contiguous = np.ascontiguousarray(array)
    return View("constant", Storage("const", data), array.dtype, array.shape, contiguous.strides)


def _int64(number: Number) -> Number:
    return np.asarray(number, dtype=np.int64)[()]


def _product(shape: tuple[Number, ...]) -> Number:
    product: Number = np.int64(1)
    for length in shape:
        product = product * length
    return product
