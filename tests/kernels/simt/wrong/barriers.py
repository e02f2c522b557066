"""Barriers that not every thread of the block reaches: undefined on a GPU, from a wrong sum to a hang."""

import numpy as np
from numba import float32
from wrong.case import any_thread, wrong

from kernels.backend import cuda

THREADS = 64


def vectors(rng):
    return rng.random(THREADS, dtype=np.float32), np.zeros(THREADS, np.float32)


def ragged(rng):
    return rng.random(100, dtype=np.float32), np.zeros(100, np.float32)


def even_waits(waiting, *_):
    return waiting.thread % 2 == 0


def one_of_sixteen_waits(waiting, *_):
    return waiting.thread < 16


def one_from_each_half(one, two, *_):
    return (one.thread < 32) != (two.thread < 32)


def in_the_last_block(waiting, *_):
    return waiting.block == 1


@wrong("BarrierDivergence", 1, THREADS, vectors, even_waits, "barrier")
@cuda.jit
def barrier_for_even_threads(x, out):
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    scratch[t] = x[t]
    cuda.syncthreads()
    pair = float32(0)
    if t % 2 == 0:
        pair = scratch[t] + scratch[t + 1]
        cuda.syncthreads()  # <- fix: pass
    out[t] = pair


@wrong("BarrierDivergence", 1, THREADS, vectors, one_of_sixteen_waits, "barrier")
@cuda.jit
def barrier_for_the_first_sixteen(x, out):
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    if t < 16:
        scratch[t] = x[t]
        cuda.syncthreads()  # <- fix: pass
    # fix: cuda.syncthreads()
    if t < 16:
        out[t] = scratch[15 - t]


@wrong("BarrierDivergence", 1, THREADS, vectors, any_thread, "barrier")
@cuda.jit
def barrier_in_a_loop_of_each_threads_own_length(x, out):
    """Thread t goes round t // 16 + 1 times, and meets as many barriers."""
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    scratch[t] = x[t]
    # fix: cuda.syncthreads()
    total = float32(0)
    for k in range(t // 16 + 1):
        cuda.syncthreads()  # <- fix: pass
        total += scratch[(t // 16) * 16 + k]
    out[t] = total


@wrong("BarrierDivergence", 1, THREADS, vectors, one_from_each_half, "barrier")
@cuda.jit
def each_branch_its_own_barrier(x, out):
    """Two barriers in the source are two barriers, though every thread waits once."""
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    if t < 32:
        scratch[t] = x[t] * float32(2)
        cuda.syncthreads()  # <- fix: pass
    else:
        scratch[t] = -x[t]
        cuda.syncthreads()  # <- other fix: pass
    # fix: cuda.syncthreads()
    out[t] = scratch[THREADS - 1 - t]


@wrong("BarrierDivergence", 2, THREADS, ragged, in_the_last_block, "barrier")
@cuda.jit
def barrier_behind_the_bounds_check(x, out):
    """Right on every size that fills its blocks: only the last block of a ragged array has threads left over."""
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    scratch[t] = float32(0)
    if i < x.shape[0]:
        scratch[t] = x[i]
        cuda.syncthreads()  # <- fix: pass
    # fix: cuda.syncthreads()
    if i < x.shape[0]:
        out[i] = scratch[THREADS - 1 - t]


@wrong("BarrierDivergence", 1, THREADS, vectors, any_thread, "barrier")
@cuda.jit
def break_past_a_barrier(x, out):
    """Who has found a large number leaves the loop, and the others wait for them."""
    t = cuda.threadIdx.x
    for k in range(THREADS):
        cuda.syncthreads()  # <- fix: pass
        if x[(t + k) % THREADS] > float32(0.5):
            out[t] = k
            break
