"""Running sums and pipelines: a buffer that is read and rewritten needs two barriers a step, or two buffers."""

import numpy as np
from numba import float32
from wrong.case import wrong

from kernels.backend import cuda

THREADS = 64


def vectors(rng):
    return rng.random(THREADS, dtype=np.float32), np.zeros(THREADS, np.float32)


def right_neighbor_reads(writer, reader, *_):
    return reader.thread == writer.thread + 1


def two_apart(reader, writer, *_):
    return writer.thread == reader.thread - 2


@wrong("DataRace", 1, THREADS, vectors, right_neighbor_reads, "scratch[")
@cuda.jit
def hillis_steele_in_one_buffer(x, sums):
    """All must have read their neighbor's number before any adds to its own."""
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    scratch[t] = x[t]
    cuda.syncthreads()
    step = 1
    while step < THREADS:
        left = float32(0)
        if t >= step:
            left = scratch[t - step]  # <- other
        # fix: cuda.syncthreads()
        scratch[t] += left  # <-
        cuda.syncthreads()
        step *= 2
    sums[t] = scratch[t]


@wrong("DataRace", 1, THREADS, vectors, two_apart, "buffer[")
@cuda.jit
def hillis_steele_in_two_buffers(x, sums):
    """Two buffers save one of the two barriers, not both."""
    buffer = cuda.shared.array((2, THREADS), float32)
    t = cuda.threadIdx.x
    here = 0
    buffer[here, t] = x[t]
    cuda.syncthreads()
    step = 1
    while step < THREADS:
        total = buffer[here, t]
        if t >= step:
            total += buffer[here, t - step]  # <-
        buffer[1 - here, t] = total  # <- other
        # fix: cuda.syncthreads()
        here = 1 - here
        step *= 2
    sums[t] = buffer[here, t]


def left_neighbor_reads(writer, reader, *_):
    return reader.thread == (writer.thread - 1) % THREADS


def tiles(rng):
    return rng.random(4 * THREADS, dtype=np.float32), np.zeros(4 * THREADS, np.float32)


@wrong("DataRace", 1, THREADS, tiles, left_neighbor_reads, "tile[")
@cuda.jit
def one_buffer_one_barrier(x, differences):
    """The next tile is loaded over the one that slower threads still read."""
    tile = cuda.shared.array((2, THREADS), float32)
    t = cuda.threadIdx.x
    for k in range(x.shape[0] // THREADS):
        here = 0  # fix: here = k % 2
        tile[here, t] = x[k * THREADS + t]  # <-
        cuda.syncthreads()
        differences[k * THREADS + t] = tile[here, (t + 1) % THREADS] - tile[here, t]  # <- other
