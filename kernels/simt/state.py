"""What the lanes of a chunk remember from one segment to the next.

A loop counter is the same number in every lane, and stays *one* number as long as the lanes that wrote it stay
together: most of the speed of lockstep is not computing such things a thousand times. When some of them change it, it
becomes an array with a number for each lane of the chunk.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.simt.lanes import Lanes, Number
from kernels.simt.memory import View
from kernels.simt.program import UnsupportedError


@dataclass(frozen=True)
class Cell:
    """One number for the lanes that wrote it (`owner`), or an array (lanes of the chunk,) without owner."""

    value: Number
    owner: Lanes | None


@dataclass
class Cells:
    """A tuple or a view: the cells of its numbers, and the value they came from."""

    model: Any
    parts: tuple[Any, ...]

    @functools.cached_property
    def varies(self) -> bool:
        """Whether a number in it may differ from lane to lane."""
        return any(
            part.varies if isinstance(part, Cells) else isinstance(part.value, np.ndarray)
            for part in self.parts
        )

    @functools.cached_property
    def intact(self) -> bool:
        """Whether the parts hold just what the value does."""
        numbers = self.model.numbers if isinstance(self.model, View) else self.model
        return all(
            part.intact and part.model is number if isinstance(part, Cells) else part.value is number
            for part, number in zip(self.parts, numbers, strict=True)
        )


class State:
    """Values by name."""

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {}

    def take(self, name: str, lanes: Lanes) -> Any:
        """A value for these lanes; None where no lane has given it one."""
        return _taken(self.cells.get(name), lanes)

    def put(self, name: str, value: Any, lanes: Lanes, live: int) -> None:
        """Keep a value of these lanes; live: how many lanes of the chunk have not returned."""
        if value is not None:
            self.cells[name] = _put(self.cells.get(name), value, lanes, live)


def _taken(cell: Any, lanes: Lanes) -> Any:
    if cell is None:
        return None
    if isinstance(cell, Cell):
        return lanes.take(cell.value)
    if (lanes.whole or not cell.varies) and cell.intact:
        return cell.model
    parts = tuple(_taken(part, lanes) for part in cell.parts)
    model = cell.model
    if isinstance(model, View):
        return model.with_numbers(parts)
    return type(model)(*parts) if hasattr(model, "_fields") else parts


def _put(old: Any, value: Any, lanes: Lanes, live: int) -> Any:
    if not isinstance(value, tuple | View):
        return _number(old if isinstance(old, Cell) else None, value, lanes, live)
    numbers = value.numbers if isinstance(value, View) else value
    parts: tuple[Any, ...] = (None,) * len(numbers)
    if isinstance(old, Cells) and len(old.parts) == len(numbers):
        parts = old.parts
        alone = lanes.count == live or not _held_by_others(parts, lanes)
        if isinstance(value, View) and old.model.storage is not value.storage:
            if not alone:
                raise UnsupportedError(
                    f"{value.name}: threads that went different ways hold different arrays under one name, which is "
                    "not simulated; use one name for each, or an index that differs"
                )
            parts = (None,) * len(numbers)
    return Cells(
        value, tuple(_put(one, number, lanes, live) for one, number in zip(parts, numbers, strict=True))
    )


def _number(old: Cell | None, value: Number, lanes: Lanes, live: int) -> Cell:
    one = not isinstance(value, np.ndarray)
    if lanes.whole or (one and lanes.count == live):
        return Cell(value, lanes)
    if one and (old is None or (old.owner is not None and _same_lanes(old.owner, lanes))):
        return Cell(value, lanes)
    if value is None:  # a view that is nowhere outside its array
        value = False
    dtype = np.asarray(value).dtype
    if old is None or old.value is None or lanes.count == live:
        full = np.zeros(lanes.chunk.lanes, dtype=dtype)
    elif isinstance(old.value, np.ndarray):
        full = old.value.copy()  # others may hold the same array under another name
    else:
        full = np.full(lanes.chunk.lanes, old.value)
    full[lanes.index] = value
    return Cell(full, None)


def _held_by_others(parts: tuple[Any, ...], lanes: Lanes) -> bool:
    """Whether lanes other than these may hold a value in the parts."""
    return any(
        not isinstance(part, Cell) or part.owner is None or not _same_lanes(part.owner, lanes)
        for part in parts
    )


def _same_lanes(one: Lanes, other: Lanes) -> bool:
    return one is other or (one.count == other.count and np.array_equal(one.index, other.index))


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same number in every lane."""
    if isinstance(one, View) or isinstance(other, View):
        return isinstance(one, View) and isinstance(other, View) and same(one.numbers, other.numbers)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one is other or (
        one is not None and other is not None and bool(np.all((one == other) | (one != one)))
    )
