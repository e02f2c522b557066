"""Transposing through a tile, and what happens to rows and columns on a matrix that is not square."""

import numpy as np
from numba import float32
from wrong.case import wrong

from kernels.backend import cuda

TILE, PADDED = 8, 9


def square(rng):
    return rng.random((16, 16), dtype=np.float32), np.zeros((16, 16), np.float32)


def oblong(rng):
    return rng.random((24, 8), dtype=np.float32), np.zeros((8, 24), np.float32)


def mirrored(reader, writer, *_):
    return writer.thread == reader.thread[::-1] != reader.thread


def beyond_the_first_rows(access, *_):
    return access.block[1] > 0


def beyond_the_first_columns(access, *_):
    return access.block[0] > 0


@wrong("DataRace", (2, 2), (TILE, TILE), square, mirrored, "tile[")
@cuda.jit
def tile_read_before_it_is_full(x, out):
    tile = cuda.shared.array((TILE, PADDED), float32)
    column, row = cuda.grid(2)
    i, j = cuda.threadIdx.x, cuda.threadIdx.y
    tile[j, i] = x[row, column]  # <- other
    # fix: cuda.syncthreads()
    out[cuda.blockIdx.x * TILE + j, cuda.blockIdx.y * TILE + i] = tile[i, j]  # <-


@wrong("OutOfBounds", (1, 3), (TILE, TILE), oblong, beyond_the_first_rows, "out[8, 0]", "(8, 24)")
@cuda.jit
def indices_not_swapped(x, out):
    column, row = cuda.grid(2)
    if row < x.shape[0] and column < x.shape[1]:
        out[row, column] = x[row, column]  # <- fix: out[column, row] = x[row, column]


@wrong("OutOfBounds", (3, 3), (TILE, TILE), oblong, beyond_the_first_columns, "x[0, 8]", "(24, 8)")
@cuda.jit
def guard_with_axes_swapped(x, out):
    column, row = cuda.grid(2)
    if row < x.shape[1] and column < x.shape[0]:  # fix: if row < x.shape[0] and column < x.shape[1]:
        out[column, row] = x[row, column]  # <-
