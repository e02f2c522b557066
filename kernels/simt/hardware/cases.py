"""Kernels whose counters are compared with a GPU's: each shows one way to touch memory, or to part a warp.

They are launched with numbers alone, so that a count does not depend on data: the same arrays, in the simulator and on
the GPU. Where the compiler is known to do otherwise than the source says, the case says so beforehand.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kernels.backend import cuda, gpu_kernel

N = 4096  # threads of most launches
TILE = 32
PADDED = 33
Place = Callable[[Any], Any]  # puts an array where the kernel runs


@dataclass(frozen=True)
class Case:
    """One launch. `arguments` makes its arrays, each put in place by the function it is given."""

    name: str
    kernel: Any
    grid: tuple[int, ...]
    block: tuple[int, ...]
    arguments: Callable[[Place], tuple[Any, ...]]
    known: Mapping[str, str] = field(default_factory=dict)  # counter -> why a GPU will count otherwise


@gpu_kernel
def copy(x, out):
    i = cuda.grid(1)
    out[i] = x[i]


@gpu_kernel
def copy_reversed(x, out):
    i = cuda.grid(1)
    out[i] = x[x.size - 1 - i]


@gpu_kernel
def copy_strided(x, out):
    i = cuda.grid(1)
    out[i] = x[8 * i]


@gpu_kernel
def copy_broadcast(x, out):
    i = cuda.grid(1)
    out[i] = x[i // 32]


@gpu_kernel
def transpose_conflicting(x, out):
    tile = cuda.shared.array((TILE, TILE), np.float32)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    tile[row, column] = x[row, column]
    cuda.syncthreads()
    out[row, column] = tile[column, row]


@gpu_kernel
def transpose_padded(x, out):
    tile = cuda.shared.array((TILE, PADDED), np.float32)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    tile[row, column] = x[row, column]
    cuda.syncthreads()
    out[row, column] = tile[column, row]


@gpu_kernel
def reverse_eight_bytes(x, out):
    scratch = cuda.shared.array(256, np.float64)
    i = cuda.threadIdx.x
    scratch[i] = x[i]
    cuda.syncthreads()
    out[i] = scratch[255 - i]


@gpu_kernel
def sum_of_block(x, out):
    scratch = cuda.shared.array(256, np.float32)
    i = cuda.threadIdx.x
    scratch[i] = x[cuda.grid(1)]
    cuda.syncthreads()
    half = 128
    while half > 0:
        if i < half:
            scratch[i] += scratch[i + half]
        cuda.syncthreads()
        half //= 2
    if i == 0:
        out[cuda.blockIdx.x] = scratch[0]


@gpu_kernel
def loop_by_lane(x, out):
    i = cuda.grid(1)
    total = np.float32(0)
    for k in range(i % 32):
        total += x[k] * x[i]
    out[i] = total


@gpu_kernel
def histogram_atomic(x, out):
    cuda.atomic.add(out, x[cuda.grid(1)], np.int32(1))


def floats(count: int) -> Any:
    """Small numbers that add up exactly."""
    return (np.arange(count) % 7).astype(np.float32)


def elementwise(name: str, kernel: Any, x: Any, skip: int = 0, **known: str) -> Case:
    """A launch of N threads that each write one element; x begins `skip` elements into its array."""
    return Case(
        name, kernel, (N // 256,), (256,), lambda place: (place(x)[skip:], place(np.zeros(N, x.dtype))), known
    )


def of_block(name: str, kernel: Any, block: tuple[int, ...], x: Any) -> Case:
    """A launch of one block whose result has x's shape."""
    return Case(name, kernel, (1,), block, lambda place: (place(x), place(np.zeros_like(x))))


HALVES = "Numba loads and stores a complex number as two of 8 bytes: two requests, 16 bytes from lane to lane"
REGISTERS = "what a thread has just stored it keeps in a register"
HOISTED = "x[i] does not change in the loop: the compiler reads it once"

CASES = (
    elementwise("coalesced", copy, floats(N)),
    elementwise("misaligned", copy, floats(N + 1), skip=1),
    elementwise("single bytes", copy, floats(N).astype(np.int8)),
    elementwise("8 bytes", copy, floats(N).astype(np.float64)),
    elementwise(
        "16 bytes", copy, floats(N).astype(np.complex128),
        global_load_requests=HALVES, global_load_sectors=HALVES,
        global_store_requests=HALVES, global_store_sectors=HALVES,
    ),
    elementwise("reversed", copy_reversed, floats(N)),
    elementwise("strided by 8", copy_strided, floats(8 * N)),
    elementwise("broadcast", copy_broadcast, floats(N)),
    of_block("transpose, conflicts", transpose_conflicting, (TILE, TILE), floats(TILE * TILE).reshape(TILE, TILE)),
    of_block("transpose, padded", transpose_padded, (TILE, TILE), floats(TILE * TILE).reshape(TILE, TILE)),
    of_block("shared, 8 bytes", reverse_eight_bytes, (256,), floats(256).astype(np.float64)),
    Case(
        "sum of a block", sum_of_block, (16,), (256,),
        lambda place: (place(floats(N)), place(np.zeros(16, np.float32))),
        {"shared_load_requests": REGISTERS, "shared_load_wavefronts": REGISTERS},
    ),
    elementwise(
        "loop by lane", loop_by_lane, floats(N), global_load_requests=HOISTED, global_load_sectors=HOISTED
    ),
    Case(
        "histogram", histogram_atomic, (16,), (256,),
        lambda place: (place((np.arange(N) % 10).astype(np.int32)), place(np.zeros(10, np.int32))),
    ),
)  # fmt: skip
