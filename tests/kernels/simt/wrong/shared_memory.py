"""Shared memory holds what the last block left there, until somebody writes it."""

import numpy as np
from numba import float32, int32
from wrong.case import any_thread, wrong

from kernels.backend import cuda

THREADS, CELLS = 64, 66


def two_vectors(rng):
    return rng.random(2 * THREADS, dtype=np.float32), np.zeros(2 * THREADS, np.float32)


def ragged_and_sums(rng):
    return rng.random(100, dtype=np.float32), np.zeros(2, np.float32)


def values_and_bins(rng):
    return rng.integers(0, 8, size=THREADS).astype(np.int32), np.zeros(8, np.int32)


def first_reads(reader, *_):
    return reader.thread == 0


def end_of_the_last_block(reader, *_):
    return reader.block == 1 and reader.thread + THREADS // 2 >= 100 - THREADS


@wrong("UninitialisedShared", 2, THREADS, two_vectors, first_reads, "tile[0]")
@cuda.jit
def halo_not_filled(x, out):
    """A tile with a cell on either side of it: the right one is filled, the left one forgotten."""
    tile = cuda.shared.array(CELLS, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    tile[t + 1] = x[i]
    if t == THREADS - 1:
        tile[THREADS + 1] = x[i + 1] if i + 1 < x.shape[0] else float32(0)
    # fix: if t == 0: tile[0] = x[i - 1] if i > 0 else float32(0)
    cuda.syncthreads()
    out[i] = (tile[t] + tile[t + 1] + tile[t + 2]) / float32(3)  # <-


@wrong("UninitialisedShared", 2, THREADS, ragged_and_sums, end_of_the_last_block, "scratch[")
@cuda.jit
def sum_of_a_tile_that_is_not_full(x, sums):
    """The last block of a ragged array fills a part of its scratch and adds up all of it."""
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    # fix: scratch[t] = float32(0)
    if i < x.shape[0]:
        scratch[t] = x[i]
    half = THREADS // 2
    while half > 0:
        cuda.syncthreads()
        if t < half:
            scratch[t] += scratch[t + half]  # <-
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = scratch[0]


@wrong("UninitialisedShared", 1, THREADS, values_and_bins, any_thread, "local[")
@cuda.jit
def bins_not_set_to_zero(x, bins):
    """An atomic addition reads before it writes: the first one adds to what lay there."""
    local = cuda.shared.array(8, int32)
    t = cuda.threadIdx.x
    # fix: if t < 8: local[t] = 0
    # fix: cuda.syncthreads()
    cuda.atomic.add(local, x[t], 1)  # <-
    cuda.syncthreads()
    if t < 8:
        cuda.atomic.add(bins, t, local[t])
