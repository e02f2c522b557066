"""Memory: the bytes behind arrays, and views that say how indices become addresses.

A *storage* is a run of bytes that arrays share: two arguments that are views of one array have one storage, or a race
between them could not be seen. An address is a byte's distance from the storage's start, which counts as a multiple
of 256, as an allocation on a GPU is. A *view* has shape, strides and an offset, any of which may differ from lane to
lane: `x[i]` of a matrix is another row in each lane.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch

from kernels.simt.instrument import instrument
from kernels.simt.lanes import Lanes, Number


class Storage:
    """Bytes of one space: "global", "shared", "local" or "const"."""

    def __init__(self, space: str, data: np.ndarray, unit: int = 1) -> None:
        self.space = space
        self.data = data  # uint8 (bytes,)
        self.unit = unit  # bytes of the smallest element of an array in it
        self.shadow: Any = None  # who touched what, kept by the machine
        self.base = 0  # the number of its first byte among all of a launch
        self._typed: dict[np.dtype, np.ndarray] = {}

    def typed(self, dtype: np.dtype) -> np.ndarray:
        """The bytes as elements of `dtype`."""
        found = self._typed.get(dtype)
        if found is None:
            whole = len(self.data) // dtype.itemsize * dtype.itemsize
            found = self._typed[dtype] = self.data[:whole].view(dtype)
        return found

    def beside(self, offset: int, dtype: np.dtype) -> np.ndarray:
        """The bytes from `offset` on as elements of `dtype`."""
        rest = self.data[offset:]
        return rest[: len(rest) // dtype.itemsize * dtype.itemsize].view(dtype)


@dataclass(frozen=True)
class View:
    """An array as a kernel sees it. Strides and offset are in bytes; `name` is what the source calls it."""

    name: str
    storage: Storage
    dtype: np.dtype
    shape: tuple[Number, ...]
    strides: tuple[Number, ...]
    offset: Number = 0
    outside: Any = None  # lanes whose view lies beyond its array, (count,) bool, once an index has led there

    @property
    def numbers(self) -> tuple[Number, ...]:
        """All that may differ from lane to lane."""
        return (*self.shape, *self.strides, self.offset, self.outside)

    def with_numbers(self, numbers: tuple[Number, ...]) -> View:
        """The same view with other numbers, in the order of `numbers`."""
        axes = len(self.shape)
        shape, strides, (offset, outside) = numbers[:axes], numbers[axes : 2 * axes], numbers[2 * axes :]
        return View(self.name, self.storage, self.dtype, shape, strides, offset, outside)

    def only(self, kept: np.ndarray) -> View:
        """The view for some of the lanes, those where `kept` (count,) is true."""
        return self.with_numbers(some(self.numbers, kept))

    def element_at(self, address: int, lane: int) -> str:
        """What the source would call the element at an address, as one of the lanes sees it: "x[2, 3]"."""
        numbers = [
            int(number[lane]) if isinstance(number, np.ndarray) else int(number)
            for number in self.numbers[:-1]
        ]
        axes = len(self.shape)
        strides, rest = numbers[axes : 2 * axes], address - numbers[-1]
        index = [0] * axes
        for axis in sorted(range(axes), key=lambda axis: -strides[axis]):
            index[axis], rest = divmod(rest, strides[axis]) if strides[axis] > 0 else (0, rest)
        return f"{self.name}[{', '.join(map(str, index))}]"


@dataclass(frozen=True)
class Views:
    """Several arrays under one name, as when two are swapped in a loop that some warps have gone round more often."""

    variants: tuple[View, ...]  # each as if all lanes had it
    which: np.ndarray  # (count,): the variant of each lane

    @property
    def dtype(self) -> np.dtype:
        """Of the elements of all of them."""
        return self.variants[0].dtype

    @property
    def shape(self) -> tuple[Number, ...]:
        """The shape that each lane's array has."""
        return self._each("shape")

    @property
    def strides(self) -> tuple[Number, ...]:
        """The strides that each lane's array has, in bytes."""
        return self._each("strides")

    def _each(self, name: str) -> tuple[Number, ...]:
        axes = zip(*(getattr(view, name) for view in self.variants), strict=True)
        return tuple(np.choose(self.which, numbers) for numbers in axes)

    def apart(self) -> Iterator[tuple[np.ndarray, View]]:
        """Each array that some lane has: which lanes, bool (count,), and the view as they have it."""
        for number in np.unique(self.which).tolist():
            mine = self.which == number
            yield mine, self.variants[number].only(mine)


def some(numbers: tuple[Number, ...], mask: np.ndarray) -> tuple[Number, ...]:
    """The numbers of those lanes where `mask` (count,) is true."""
    return tuple(number[mask] if isinstance(number, np.ndarray) else number for number in numbers)


def row_major(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The strides in bytes of an array whose last axis runs fastest."""
    return tuple(itemsize * prod(shape[axis + 1 :]) for axis in range(len(shape)))


def views_of(arguments: dict[str, Any]) -> dict[str, View]:
    """A view of each array among a launch's arguments, with one storage for those that share memory.

    arguments: by name, NumPy arrays and CPU tensors. Raises TypeError for a tensor on a GPU.
    """
    arrays = {name: _array(name, value) for name, value in arguments.items()}
    regions = sorted((*_region(arguments[name], array), name) for name, array in arrays.items())
    merged: list[tuple[int, int, list[str]]] = []
    for low, high, name in regions:
        if merged and low < merged[-1][1]:
            last = merged.pop()
            merged.append((last[0], max(last[1], high), [*last[2], name]))
        else:
            merged.append((low, high, [name]))
    found = {}
    for low, high, names in merged:
        unit = min(arrays[name].dtype.itemsize for name in names)
        data = (
            np.ctypeslib.as_array((ctypes.c_uint8 * (high - low)).from_address(low))
            if high > low
            else _NOTHING
        )
        storage = Storage("global", data, unit)
        for name in names:
            array = arrays[name]
            offset = array.ctypes.data - low
            found[name] = View(name, storage, array.dtype, array.shape, array.strides, offset)
    return {name: found[name] for name in arguments}


def views_in(value: Any) -> Iterator[View]:
    """The views in a value, those in tuples too."""
    if isinstance(value, View):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from views_in(item)


_NOTHING = np.zeros(0, dtype=np.uint8)


def _array(name: str, value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        if value.device.type != "cpu":
            raise TypeError(f"{name}: expected a CPU tensor to simulate on, got one on {value.device}")
        return value.detach().numpy()
    return value


def _region(value: Any, array: np.ndarray) -> tuple[int, int]:
    """The first address of the memory that `value` is a view of, and the one after its last."""
    if isinstance(value, torch.Tensor):
        storage = value.untyped_storage()
        return storage.data_ptr(), storage.data_ptr() + storage.nbytes()
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    return np.lib.array_utils.byte_bounds(base) if base.size else (base.ctypes.data, base.ctypes.data)


def element(view: View, indices: tuple[Number, ...], lanes: Lanes) -> tuple[Number, Any, Any]:
    """The address of an element in each lane, which lanes' indices are outside, and which were wrapped.

    indices: one for each axis. Returns addresses, int64 (count,) or one for all lanes, and two masks (count,) or None
    where there is none. Numba wraps a negative index once, as Python does, and checks nothing.
    """
    same, varying = 0, []  # the part of the address that is one for all lanes, and the axes that are not
    faulty = view.outside is not None
    for index, length, stride in zip(indices, view.shape, view.strides, strict=True):
        if isinstance(index, np.ndarray) or isinstance(length, np.ndarray) or isinstance(stride, np.ndarray):
            varying.append((index, length, stride))
            continue
        place = int(index) if index >= 0 else int(index) + int(length)
        faulty |= index < 0 or place >= length
        same += place * int(stride)
    if not varying:
        address = view.offset + same
    else:
        address = (
            view.offset + same
            if isinstance(view.offset, np.ndarray)
            else np.full(lanes.count, view.offset + same)
        )
        for index, length, stride in varying:
            if isinstance(length, np.ndarray) or isinstance(stride, np.ndarray):
                wide = np.asarray(index, dtype=np.int64)
                faulty |= bool(np.any((wide < 0) | (wide >= length)))
                address = address + np.where(wide < 0, wide + length, wide) * stride
            else:
                faulty |= add_axis(address, index, length, stride)
    return (address, *(_faults(view, indices, lanes) if faulty else (None, None)))


@instrument
def add_axis(address: Any, index: Any, length: Any, stride: Any) -> bool:
    """Add index · stride to the address of each lane; whether an index was below 0 or not below `length`."""
    faulty = False
    for lane in range(address.size):
        place = np.int64(index[lane])
        if place < 0 or place >= length:
            faulty = True
            if place < 0:
                place += length
        address[lane] += place * stride
    return faulty


def _faults(view: View, indices: tuple[Number, ...], lanes: Lanes) -> tuple[Any, Any]:
    """Lanes with an index outside, even when wrapped, and lanes with an index that was wrapped; None for none."""
    outside = np.zeros(lanes.count, dtype=bool) if view.outside is None else lanes.spread(view.outside)
    wrapped = np.zeros(lanes.count, dtype=bool)
    for index, length in zip(indices, view.shape, strict=True):
        wide = np.asarray(index, dtype=np.int64)
        outside = outside | (wide < -length) | (wide >= length)
        wrapped = wrapped | ((wide < 0) & (wide >= -length))
    wrapped &= ~outside
    return outside if outside.any() else None, wrapped if wrapped.any() else None
