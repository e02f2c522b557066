"""Tiled matrix multiplication: fill the tiles, barrier, use them, barrier. Each of the two is forgotten once."""

import numpy as np
from numba import float32
from wrong.case import wrong

from kernels.backend import cuda

TILE = 8


def matrices(rng):
    a, b = rng.random((16, 24), dtype=np.float32), rng.random((24, 8), dtype=np.float32)
    return a, b, np.zeros((16, 8), np.float32)


def same_place_in_two_blocks(one, two, *_):
    return one.block != two.block and one.thread == two.thread


def one_row_of_threads(one, two, *_):
    return one.thread != two.thread and one.thread[1] == two.thread[1]


@wrong("DataRace", (1, 2), (TILE, TILE), matrices, one_row_of_threads, "tile_a[")
@cuda.jit
def tiles_used_before_they_are_full(a, b, c):
    tile_a = cuda.shared.array((TILE, TILE), float32)
    tile_b = cuda.shared.array((TILE, TILE), float32)
    column, row = cuda.grid(2)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    total = float32(0)
    for k in range(0, a.shape[1], TILE):
        tile_a[y, x] = a[row, k + x]  # <- other
        tile_b[y, x] = b[k + y, column]
        # fix: cuda.syncthreads()
        for j in range(TILE):
            total += tile_a[y, j] * tile_b[j, x]  # <-
        cuda.syncthreads()
    c[row, column] = total


@wrong("DataRace", (1, 2), (TILE, TILE), matrices, one_row_of_threads, "tile_a[")
@cuda.jit
def tiles_refilled_while_in_use(a, b, c):
    tile_a = cuda.shared.array((TILE, TILE), float32)
    tile_b = cuda.shared.array((TILE, TILE), float32)
    column, row = cuda.grid(2)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    total = float32(0)
    for k in range(0, a.shape[1], TILE):
        tile_a[y, x] = a[row, k + x]  # <-
        tile_b[y, x] = b[k + y, column]
        cuda.syncthreads()
        for j in range(TILE):
            total += tile_a[y, j] * tile_b[j, x]  # <- other
        # fix: cuda.syncthreads()
    c[row, column] = total


@wrong("DataRace", (1, 2, 3), (TILE, TILE), matrices, same_place_in_two_blocks, "c[")
@cuda.jit
def split_k_without_atomic(a, b, c):
    """Blocks share a product by its inner axis, and all add to the same numbers."""
    column, row = cuda.grid(2)
    total = float32(0)
    for k in range(cuda.blockIdx.z, a.shape[1], cuda.gridDim.z):
        total += a[row, k] * b[k, column]
    c[row, column] += total  # <- fix: cuda.atomic.add(c, (row, column), total)
