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
from kernels.simt.machine.memory import View, Views


@dataclass(frozen=True)
class Cell:
    """One number for the lanes that wrote it (`owner`), or an array (lanes of the chunk,) without owner."""

    value: Number
    owner: Lanes | None
    intact = True

    @property
    def varies(self) -> bool:
        """Whether it may differ from lane to lane."""
        return isinstance(self.value, np.ndarray)

    @property
    def model(self) -> Number:
        """The value it came from."""
        return self.value


@dataclass
class Cells:
    """A tuple or a view: the cells of its numbers, and the value they came from."""

    model: Any
    parts: tuple[Any, ...]

    @functools.cached_property
    def varies(self) -> bool:
        """Whether a number in it may differ from lane to lane."""
        return any(part.varies for part in self.parts)

    @functools.cached_property
    def intact(self) -> bool:
        """Whether the parts hold just what the value does."""
        numbers = self.model.numbers if isinstance(self.model, View) else self.model
        return all(
            part.intact and part.model is number for part, number in zip(self.parts, numbers, strict=True)
        )


@dataclass(frozen=True)
class Alternatives:
    """A view that is of one array in some lanes and of another in others: the cells of each, and who has which."""

    cells: tuple[Cells, ...]
    which: Cell
    varies, intact, model = True, False, None


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
    if isinstance(cell, Alternatives):
        which = lanes.spread(lanes.take(cell.which.value))
        if (which == which[0]).all():
            return _taken(cell.cells[int(which[0])], lanes)
        return Views(tuple(_taken(one, lanes) for one in cell.cells), which)
    if (lanes.whole or not cell.varies) and cell.intact:
        return cell.model
    parts = tuple(_taken(part, lanes) for part in cell.parts)
    model = cell.model
    if isinstance(model, View):
        return model.with_numbers(parts)
    return type(model)(*parts) if hasattr(model, "_fields") else parts


def _put(old: Any, value: Any, lanes: Lanes, live: int) -> Any:
    if isinstance(value, View | Views) and lanes.count != live and old is not None:
        old_cells = old.cells if isinstance(old, Alternatives) else (old,)
        if isinstance(value, Views) or len(old_cells) > 1 or not _alike(old, value, lanes):
            return _one_of_several(old, old_cells, value, lanes, live)
    if isinstance(value, Views):
        return _one_of_several(None, (), value, lanes, live)
    if not isinstance(value, tuple | View):
        return _number(old if isinstance(old, Cell) else None, value, lanes, live)
    numbers = value.numbers if isinstance(value, View) else value
    parts: tuple[Any, ...] = (None,) * len(numbers)
    if isinstance(old, Cells) and len(old.parts) == len(numbers):
        parts = old.parts
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


def _alike(old: Any, value: View, lanes: Lanes) -> bool:
    """Whether the view can take the place of the old one: of the same array, or nobody else had that."""
    if old.model.storage is value.storage and old.model.name == value.name:
        return True
    owners = [part.owner if isinstance(part, Cell) else None for part in old.parts]
    return all(owner is not None and _same_lanes(owner, lanes) for owner in owners)


def _one_of_several(
    old: Any, cells: tuple[Cells, ...], value: View | Views, lanes: Lanes, live: int
) -> Alternatives:
    """The cells with the value's array or arrays among them, for these lanes."""
    which: Cell | None = old.which if isinstance(old, Alternatives) else None
    if which is None:
        which = Cell(np.zeros(lanes.chunk.lanes, dtype=np.int64), None)
    parts = value.apart() if isinstance(value, Views) else [(np.ones(lanes.count, dtype=bool), value)]
    found = list(cells)
    for mine, view in parts:
        here = lanes.only(mine)
        names = [(one.model.storage, one.model.name) for one in found]
        key = (view.storage, view.name)
        if key in names:
            place = names.index(key)
            found[place] = _put(found[place], view, here, -1)
        else:
            place = len(found)
            found.append(_put(None, view, here, -1))
        which = _number(which, np.int64(place), here, -1)
    return Alternatives(tuple(found), which)


def _same_lanes(one: Lanes, other: Lanes) -> bool:
    return one is other or (one.count == other.count and np.array_equal(one.index, other.index))


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same number in every lane."""
    if isinstance(one, Views) or isinstance(other, Views):
        return False
    if isinstance(one, View) or isinstance(other, View):
        return isinstance(one, View) and isinstance(other, View) and same(one.numbers, other.numbers)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one is other or (
        one is not None and other is not None and bool(np.all((one == other) | (one != one)))
    )
