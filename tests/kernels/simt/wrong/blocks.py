"""Blocks run in any order, side by side or one after the other: nothing within a launch makes one wait for another."""

import numpy as np
from numba import float32
from wrong.case import wrong

from kernels.backend import cuda

THREADS, BLOCKS = 32, 4


def numbers_and_one(rng):
    return rng.permutation(np.arange(THREADS * BLOCKS, dtype=np.int32)), np.full(1, -1, np.int32)


def numbers_twice(rng):
    return rng.random(THREADS * BLOCKS, dtype=np.float32), np.zeros(THREADS * BLOCKS, np.float32)


def of_two_blocks(one, two, *_):
    return one.block != two.block


def two_threads(one, two, *_):
    return (one.block, one.thread) != (two.block, two.thread)


def neighbors(one, two, *_):
    return abs(one.block * THREADS + one.thread - two.block * THREADS - two.thread) == 1


def neighbors_at_a_seam(one, two, *_):
    return of_two_blocks(one, two) and neighbors(one, two)


@wrong("DataRace", BLOCKS, THREADS, numbers_and_one, of_two_blocks, "largest[0]", "block")
@cuda.jit
def every_block_writes_the_result(x, largest):
    """The last one to write wins, and which one that is changes from day to day."""
    i = cuda.grid(1)
    scratch = cuda.shared.array(1, np.int32)
    if cuda.threadIdx.x == 0:
        scratch[0] = -1
    cuda.syncthreads()
    cuda.atomic.max(scratch, 0, x[i])
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        largest[0] = scratch[0]  # <- fix: cuda.atomic.max(largest, 0, scratch[0])


@wrong("DataRace", BLOCKS, THREADS, numbers_and_one, two_threads, "last[0]")
@cuda.jit
def every_thread_writes_the_result(x, last):
    last[0] = x[cuda.grid(1)]  # <- fix: cuda.atomic.max(last, 0, x[cuda.grid(1)])


@wrong("DataRace", BLOCKS, THREADS, numbers_twice, neighbors, "x[")
@cuda.jit
def blur_in_place(x, out):
    i = cuda.grid(1)
    if 0 < i < x.shape[0] - 1:
        blurred = (x[i - 1] + x[i] + x[i + 1]) / float32(3)  # <- other
        x[i] = blurred  # <- fix: out[i] = blurred


@wrong("DataRace", BLOCKS, THREADS, numbers_twice, neighbors_at_a_seam, "x[")
@cuda.jit
def blur_in_place_with_a_barrier(x, out):
    """The barrier settles it within a block; at the seams two blocks still meet."""
    i = cuda.grid(1)
    inside = 0 < i < x.shape[0] - 1
    blurred = float32(0)
    if inside:
        blurred = (x[i - 1] + x[i] + x[i + 1]) / float32(3)  # <- other
    cuda.syncthreads()
    if inside:
        x[i] = blurred  # <- fix: out[i] = blurred


def partial_sums(rng):
    return np.ones(THREADS * BLOCKS, np.float32), np.zeros(BLOCKS, np.float32), np.zeros(2, np.float32)


@wrong("DataRace", BLOCKS, THREADS, partial_sums, of_two_blocks, "partial[")
@cuda.jit
def block_barrier_for_the_whole_grid(x, partial, total):
    """`syncthreads` waits for the threads of one block, and for no other block."""
    cuda.atomic.add(partial, cuda.blockIdx.x, x[cuda.grid(1)])  # <- other
    cuda.syncthreads()  # fix: cuda.cg.this_grid().sync()
    if cuda.grid(1) == 0:
        for b in range(cuda.gridDim.x):
            total[0] += partial[b]  # <-


@wrong("DataRace", BLOCKS, THREADS, numbers_twice, neighbors_at_a_seam, "then[")
@cuda.jit
def jacobi_without_grid_sync(now, then):
    """Two sweeps over a rod: the second reads at the seams what other blocks write in the first."""
    i = cuda.grid(1)
    inside = 0 < i < now.shape[0] - 1
    if inside:
        then[i] = (now[i - 1] + now[i + 1]) / float32(2)  # <- other
    cuda.syncthreads()  # fix: cuda.cg.this_grid().sync()
    if inside:
        now[i] = (then[i - 1] + then[i + 1]) / float32(2)  # <-


def number_message_and_flag(rng):
    return rng.random(1, dtype=np.float32), np.zeros(1, np.float32), np.zeros(1, np.int32)


def partial_sums_and_counter(rng):
    return *partial_sums(rng), np.zeros(1, np.int32)


@wrong("DataRace", BLOCKS, THREADS, partial_sums_and_counter, of_two_blocks, "partial[", "fence")
@cuda.jit
def last_block_without_fence(x, partial, total, done):
    """The counter may say that a block is done before its partial sum has reached memory."""
    last = cuda.shared.array(1, np.int32)
    scratch = cuda.shared.array(1, float32)
    t = cuda.threadIdx.x
    if t == 0:
        scratch[0] = float32(0)
    cuda.syncthreads()
    cuda.atomic.add(scratch, 0, x[cuda.grid(1)])
    cuda.syncthreads()
    if t == 0:
        partial[cuda.blockIdx.x] = scratch[0]  # <- other
        # fix: cuda.threadfence()
        last[0] = cuda.atomic.add(done, 0, 1) == cuda.gridDim.x - 1
    cuda.syncthreads()
    if last[0] and t < cuda.gridDim.x:
        cuda.atomic.add(total, 0, partial[t])  # <-


@wrong("DataRace", 2, THREADS, number_message_and_flag, of_two_blocks, "message[0]", "fence")
@cuda.jit
def flag_without_fence(x, message, flag):
    """Block 0 writes a message and raises a flag; block 1 sees the flag, and perhaps not yet the message."""
    if cuda.threadIdx.x == 0:
        if cuda.blockIdx.x == 0:
            message[0] = x[0] + float32(1)  # <- other
            # fix: cuda.threadfence()
            cuda.atomic.exch(flag, 0, 1)
        else:
            while cuda.atomic.add(flag, 0, 0) == 0:
                pass
            # fix: cuda.threadfence()
            x[0] = message[0]  # <-
