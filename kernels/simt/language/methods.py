"""Methods: of arrays (`view`, `reshape`), of numbers, and of a grid that waits for itself."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import types

from kernels.simt.arithmetic.casts import number
from kernels.simt.language.subscripts import Method
from kernels.simt.machine.memory import View


def method(low: Any, target: str, method: Method, arguments: list[str], expression: Any) -> None:
    kind = low.type(method.owner)
    if isinstance(kind, types.Array) and method.name == "view":
        low.viewed = True
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
