"""Who a thread is, and the arrays that a kernel declares: shared by its block, its own, or constant."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kernels.backend import cuda
from kernels.simt.arithmetic.casts import number
from kernels.simt.machine.memory import View, row_major

SHARED_ALIGNMENT = 16  # bytes


def grid(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
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


def shared(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    dtype = number(low.type(target).dtype)
    shape = _shape(low, arguments[0])
    name = target.partition(".")[0].removeprefix("$")
    dynamic = math.prod(shape) == 0
    if not dynamic:
        offset = -(-low.shared_bytes // SHARED_ALIGNMENT) * SHARED_ALIGNMENT
        low.shared_line = low.line
        low.shared_bytes = offset + math.prod(shape) * dtype.itemsize
    low.step(
        target,
        lambda frame, lanes, machine: machine.shared_view(
            lanes, name, dtype, None if dynamic else shape, 0 if dynamic else offset
        ),
    )


def local(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    dtype = number(low.type(target).dtype)
    shape = _shape(low, arguments[0])
    name, bytes_ = target.partition(".")[0], math.prod(shape) * dtype.itemsize

    def run(frame: Any, lanes: Any, machine: Any) -> Any:
        storage = machine.local_storage(target, bytes_)
        return View(name, storage, dtype, shape, row_major(shape, dtype.itemsize), lanes.index * bytes_)

    low.step(target, run)


def constant(low: Any, target: str, expression: Any, arguments: list[str]) -> None:
    key = low.operand(arguments[0])
    low.step(target, lambda frame, lanes, machine: frame[key])
