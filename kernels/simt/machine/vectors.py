"""Accesses to four elements at once, and elements as numbers of the dtype of sums: what `kernels.loads` compiles to.

A lane whose four elements are all inside the array and begin at a multiple of the access's width moves them in one
access (two in float64); another lane moves those of its four that are inside one by one. Each way counts as what it
is: a request of 16 bytes a lane, or up to four of 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kernels.loads import LANES, WIDEST
from kernels.simt.hazards import Line, MisalignedAccess
from kernels.simt.lanes import Lanes, Number
from kernels.simt.machine import access
from kernels.simt.machine.memory import View, Views, some

BFLOAT16 = np.dtype(np.int16)  # its bits


def load(machine: Any, lanes: Lanes, view: View | Views, index: Number, line: Line) -> Number:
    """One element as a number of the dtype of sums."""
    return widened(access.load(machine, lanes, view, (index,), line))[()]  # one for all lanes stays a number


def store(machine: Any, lanes: Lanes, view: View | Views, index: Number, value: Number, line: Line) -> None:
    """Write one number, rounded to the array's dtype."""
    access.store(machine, lanes, view, (index,), narrowed(value, view.dtype), line)


def load4(
    machine: Any, lanes: Lanes, view: View | Views, index: Number, fill: Number, line: Line
) -> tuple[np.ndarray, ...]:
    """Four elements from `index` on, each (count,) in the dtype of sums; `fill` for those beyond the array's end."""
    index, fill = lanes.spread(index), lanes.spread(fill)
    found = [fill.copy() for _ in range(LANES)]
    for mine, one in _apart(lanes, view):
        here, mine_lanes = index[mine], lanes.only(mine)
        together = fits(one, here)
        if together.any():
            part = np.flatnonzero(mine)[together]
            for first, wide in _accesses(one):
                where = some((here + first,), together)
                moved = access.load(machine, mine_lanes.only(together), wide.only(together), where, line)
                for lane, values in enumerate(
                    np.ascontiguousarray(moved).view(view.dtype).reshape(len(part), -1).T
                ):
                    found[first + lane][part] = widened(values)
        for lane, alone in _one_by_one(one, here, together):
            where = some((here + lane,), alone)
            values = access.load(machine, mine_lanes.only(alone), one.only(alone), where, line)
            found[lane][np.flatnonzero(mine)[alone]] = widened(values)
    return tuple(found)


def store4(
    machine: Any, lanes: Lanes, view: View | Views, index: Number, values: tuple[Number, ...], line: Line
) -> None:
    """Write four numbers from `index` on; those beyond the array's end are dropped."""
    index = lanes.spread(index)
    given = np.stack([narrowed(lanes.spread(value), view.dtype) for value in values], axis=1)  # (count, 4)
    for mine, one in _apart(lanes, view):
        here, mine_lanes, own = index[mine], lanes.only(mine), given[mine]
        together = fits(one, here)
        if together.any():
            for first, wide in _accesses(one):
                elements = wide.dtype.itemsize // view.dtype.itemsize
                moved = np.ascontiguousarray(own[together, first : first + elements]).view(wide.dtype).ravel()
                where = some((here + first,), together)
                access.store(machine, mine_lanes.only(together), wide.only(together), where, moved, line)
        for lane, alone in _one_by_one(one, here, together):
            where = some((here + lane,), alone)
            access.store(machine, mine_lanes.only(alone), one.only(alone), where, own[alone, lane], line)


def take4(
    machine: Any, lanes: Lanes, view: View | Views, index: Number, line: Line
) -> tuple[np.ndarray, ...]:
    """Four elements from `index` on, which must fit."""
    _must_fit(machine, lanes, view, index, "reads", line)
    return load4(machine, lanes, view, index, view.dtype.type(0), line)


def put4(
    machine: Any, lanes: Lanes, view: View | Views, index: Number, values: tuple[Number, ...], line: Line
) -> None:
    """Write four elements from `index` on, which must fit."""
    _must_fit(machine, lanes, view, index, "writes", line)
    store4(machine, lanes, view, index, values, line)


def fits(view: View, index: np.ndarray) -> np.ndarray:
    """Whether four elements from `index` on are inside and begin where a vector access may: (count,)."""
    size = view.dtype.itemsize
    address = view.offset + index * size
    return (index >= 0) & (index + LANES <= view.shape[0]) & (address % min(LANES * size, WIDEST) == 0)


def widened(elements: Number) -> Number:
    """Elements as numbers of the dtype of sums; bfloat16 is the upper half of a float32."""
    elements = np.asarray(elements)
    if elements.dtype == BFLOAT16:
        return np.left_shift(elements.astype(np.int32), 16).view(np.float32)
    return elements.astype(np.float64 if elements.dtype == np.float64 else np.float32)


def narrowed(numbers: Number, dtype: np.dtype) -> Number:
    """Numbers as elements, rounded to the nearest, ties to even."""
    numbers = np.asarray(numbers)
    if dtype != BFLOAT16:
        return numbers.astype(dtype)
    bits = numbers.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(numbers), 0x7FC0, rounded).astype(np.uint16).view(np.int16)


def _must_fit(machine: Any, lanes: Lanes, view: View | Views, index: Number, action: str, line: Line) -> None:
    """Report the lanes whose four elements are not all inside, or begin where no vector access may."""
    index = lanes.spread(index)
    for mine, one in _apart(lanes, view):
        together = fits(one, index[mine])
        if not together.all():
            width = min(LANES * one.dtype.itemsize, WIDEST)
            text = f"{action} four elements of {one.name} at once; begin at a multiple of {width} bytes, and end inside"
            machine.report(
                MisalignedAccess, lanes.only(mine), ~together, action, line, one, lambda lane, text=text: text
            )


def _apart(lanes: Lanes, view: View | Views) -> Iterator[tuple[np.ndarray, View]]:
    """The lanes that have the same array, as a mask (count,), with that array as they see it."""
    if isinstance(view, Views):
        yield from view.apart()
    else:
        yield np.ones(lanes.count, dtype=bool), view


def _accesses(view: View) -> Iterator[tuple[int, View]]:
    """The accesses that move four elements: the first element of each, and the array as elements of its width."""
    width = min(LANES * view.dtype.itemsize, WIDEST)
    wide = View(view.name, view.storage, np.dtype((np.void, width)), view.shape, view.strides, view.offset)
    for first in range(0, LANES, width // view.dtype.itemsize):
        yield first, wide


def _one_by_one(view: View, index: np.ndarray, together: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """For each of the four elements the lanes that move it alone, if there are any."""
    for lane in range(LANES):
        alone = ~together & (index + lane < view.shape[0])
        if alone.any():
            yield lane, alone
