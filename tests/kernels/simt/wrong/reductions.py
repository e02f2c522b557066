"""Sums that go wrong: each step of a tree reads what other threads wrote in the step before."""

import numpy as np
from numba import float32
from wrong.case import wrong

from kernels.backend import cuda, device_function

THREADS = 64


def two_blocks(rng):
    return rng.random(2 * THREADS, dtype=np.float32), np.zeros(2, np.float32)


def rows(rng):
    return rng.random(2 * THREADS, dtype=np.float32), np.zeros(2 * THREADS, np.float32)


def half_a_block_apart(reader, writer, *_):
    return writer.thread == reader.thread + THREADS // 2


def half_a_warp_apart(reader, writer, *_):
    return writer.thread == reader.thread + 16


def first_writes(reader, writer, *_):
    return writer.thread == 0 != reader.thread


def first_overwrites(writer, reader, *_):
    return writer.thread == 0 != reader.thread


def two_threads(one, two, *_):
    return one.block == two.block and one.thread != two.thread


@device_function
def add_up(scratch):
    """The sum of scratch ends in scratch[0], for all to read."""
    half = cuda.blockDim.x // 2
    while half > 0:
        cuda.syncthreads()
        if cuda.threadIdx.x < half:
            scratch[cuda.threadIdx.x] += scratch[cuda.threadIdx.x + half]
        half //= 2
    cuda.syncthreads()


@wrong("DataRace", 2, THREADS, two_blocks, half_a_block_apart, "scratch[")
@cuda.jit
def tree_without_barrier(x, sums):
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    scratch[t] = x[cuda.grid(1)]  # <- other
    half = THREADS // 2
    while half > 0:
        # fix: cuda.syncthreads()
        if t < half:
            scratch[t] += scratch[t + half]  # <-
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = scratch[0]


@wrong("DataRace", 2, THREADS, rows, first_writes, "scratch[0]")
@cuda.jit
def tree_read_before_its_last_step(x, share):
    """There is a barrier in the loop, but none between the last step and those who read the sum."""
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    scratch[t] = x[i]
    half = THREADS // 2
    while half > 0:
        cuda.syncthreads()
        if t < half:
            scratch[t] += scratch[t + half]  # <- other
        half //= 2
    # fix: cuda.syncthreads()
    share[i] = x[i] / scratch[0]  # <-


@wrong("DataRace", 2, THREADS, rows, first_overwrites, "scratch[0]")
@cuda.jit
def scratch_used_twice(x, scaled):
    """A mean, then a variance in the same scratch array: the second overwrites the first before all have read it."""
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    scratch[t] = x[i]
    add_up(scratch)
    mean = scratch[0] / float32(THREADS)  # <- other
    # fix: cuda.syncthreads()
    scratch[t] = (x[i] - mean) * (x[i] - mean)  # <-
    add_up(scratch)
    scaled[i] = (x[i] - mean) / scratch[0]


@wrong("DataRace", 2, THREADS, two_blocks, half_a_warp_apart, "scratch[")
@cuda.jit
def last_warp_in_lockstep(x, sums):
    """The classic: "a warp runs in lockstep anyway". It did until 2017; since Volta each thread goes its own way."""
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    scratch[t] = x[cuda.grid(1)]
    cuda.syncthreads()
    if t < 32:
        total = scratch[t] + scratch[t + 32]
        half = 16
        while half > 0:
            scratch[t] = total  # <- other
            # fix: cuda.syncwarp()
            total += scratch[t + half]  # <-
            # fix: cuda.syncwarp()
            half //= 2
        if t == 0:
            sums[cuda.blockIdx.x] = total


@wrong("DataRace", 2, THREADS, two_blocks, two_threads, "sums[")
@cuda.jit
def sum_without_atomic(x, sums):
    """Every thread adds to one number: read, add, write back, and what others have added meanwhile is lost."""
    i = cuda.grid(1)
    sums[cuda.blockIdx.x] += x[i]  # <- fix: cuda.atomic.add(sums, cuda.blockIdx.x, x[i])
