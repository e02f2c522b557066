"""Patterns that look like races, or like barriers missed, and are none: each with the answer that it computes."""

import numpy as np
from numba import int32
from wrong.case import benign

from kernels.backend import cuda

THREADS = 64


def numbers(rng):
    return rng.integers(1, 100, size=2 * THREADS).astype(np.int32)


def same_size(rng):
    return numbers(rng), np.zeros(2 * THREADS, np.int32)


def bytes_(rng):
    return numbers(rng).astype(np.int8), np.zeros(2 * THREADS, np.int8)


def one_number(rng):
    return numbers(rng), np.zeros(1, np.int32)


def three_numbers(rng):
    return numbers(rng), np.array([0, 0, 100], np.int32)


def one_number_and_counter(rng):
    return numbers(rng), np.zeros(1, np.int32), np.zeros(1, np.int32)


def sums_and_counter(rng):
    return numbers(rng), np.zeros(4, np.int32), np.zeros(1, np.int32), np.zeros(1, np.int32)


@benign(2, THREADS, one_number, lambda x, flag: [1], noted=True)
@cuda.jit
def raise_a_flag(x, flag):
    if x[cuda.grid(1)] > 0:
        flag[0] = 1


@benign(2, THREADS, same_size, lambda x, out: np.full(x.size, 7), noted=True)
@cuda.jit
def raise_a_flag_and_look_after_the_barrier(x, out):
    flag = cuda.shared.array(1, int32)
    i = cuda.grid(1)
    flag[0] = 7
    cuda.syncthreads()
    out[i] = flag[0]


@benign(2, THREADS, same_size, lambda x, out: (x + 1) * 2)
@cuda.jit
def rewrite_your_own(x, out):
    i = cuda.grid(1)
    out[i] = x[i]
    out[i] += 1
    out[i] = out[i] * 2


@benign(2, THREADS, same_size, lambda x, out: x[5] + x[np.tile(np.arange(THREADS) // 7, 2)])
@cuda.jit
def all_read_one(x, out):
    out[cuda.grid(1)] = x[5] + x[cuda.threadIdx.x // 7]


@benign(2, THREADS, bytes_, lambda x, out: x + 1)
@cuda.jit
def a_byte_each(x, out):
    i = cuda.grid(1)
    out[i] = x[i]
    out[i] += 1


@benign(2, THREADS, three_numbers, lambda x, out: [x.sum() + x.size, x.max(), x.min()])
@cuda.jit
def atomics_of_many_kinds(x, out):
    i = cuda.grid(1)
    cuda.atomic.add(out, 0, x[i])
    cuda.atomic.max(out, 1, x[i])
    cuda.atomic.min(out, 2, x[i])
    cuda.atomic.add(out, 0, 1)


@benign(2, THREADS, same_size, lambda x, out: x.reshape(2, THREADS)[:, ::-1].ravel())
@cuda.jit
def write_barrier_read(x, out):
    scratch = cuda.shared.array(THREADS, int32)
    t = cuda.threadIdx.x
    scratch[t] = x[cuda.grid(1)]
    cuda.syncthreads()
    out[cuda.grid(1)] = scratch[THREADS - 1 - t]


@benign(1, THREADS, same_size, lambda x, out: np.roll(x.reshape(2, THREADS), -1, axis=1).ravel())
@cuda.jit
def two_buffers_one_barrier(x, out):
    """While some still read one buffer, others fill the other; who refills the first has met a barrier after that."""
    tile = cuda.shared.array((2, THREADS), int32)
    t = cuda.threadIdx.x
    for k in range(x.shape[0] // THREADS):
        tile[k % 2, t] = x[k * THREADS + t]
        cuda.syncthreads()
        out[k * THREADS + t] = tile[k % 2, (t + 1) % THREADS]


@benign(2, THREADS, same_size, lambda x, out: np.roll(x.reshape(-1, 32), -2, axis=1).ravel())
@cuda.jit
def a_warp_with_syncwarp(x, out):
    scratch = cuda.shared.array(THREADS, int32)
    t = cuda.threadIdx.x
    first = t - t % 32
    i = cuda.grid(1)
    scratch[t] = x[i]
    cuda.syncwarp()
    neighbor = scratch[first + (t + 1) % 32]
    cuda.syncwarp()
    scratch[t] = neighbor
    cuda.syncwarp()
    out[i] = scratch[first + (t + 1) % 32]


@benign(
    2, THREADS, same_size, lambda x, out: np.where(np.arange(x.size) % 32 < 16, x[np.arange(x.size) ^ 1], x)
)
@cuda.jit
def half_a_warp_with_a_mask(x, out):
    """Half a warp may shuffle and synchronize by itself, if the mask says so."""
    i = cuda.grid(1)
    out[i] = x[i]
    if cuda.laneid < 16:
        out[i] = cuda.shfl_xor_sync(0x0000FFFF, x[i], 1)
        cuda.syncwarp(0x0000FFFF)


@benign(4, 32, one_number_and_counter, lambda x, lock, total: [x.sum()])
@cuda.jit
def spin_lock(x, lock, total):
    while cuda.atomic.cas(lock, 0, 0, 1) != 0:
        pass
    cuda.threadfence()
    total[0] += x[cuda.grid(1)]
    cuda.threadfence()
    cuda.atomic.exch(lock, 0, 0)


@benign(4, 32, sums_and_counter, lambda x, *_: [x.sum()])
@cuda.jit
def last_block_done(x, partial, done, total):
    """The pattern of NVIDIA's sample threadFenceReduction: the last block to finish adds up what all have left."""
    last = cuda.shared.array(1, int32)
    t, b = cuda.threadIdx.x, cuda.blockIdx.x
    cuda.atomic.add(partial, b, x[cuda.grid(1)])
    cuda.syncthreads()
    if t == 0:
        cuda.threadfence()
        last[0] = cuda.atomic.add(done, 0, 1) == cuda.gridDim.x - 1
    cuda.syncthreads()
    if last[0] and t == 0:
        for k in range(cuda.gridDim.x):
            total[0] += partial[k]


@benign(1, THREADS, same_size, lambda x, out: np.where(np.arange(x.size) < 40, x[39 - np.arange(x.size)], 0))
@cuda.jit
def early_return_before_a_barrier(x, out):
    scratch = cuda.shared.array(THREADS, int32)
    t = cuda.threadIdx.x
    if t >= 40:
        return
    scratch[t] = x[t]
    cuda.syncthreads()
    out[t] = scratch[39 - t]


@benign(
    2,
    THREADS,
    same_size,
    lambda x, out: np.where(np.arange(x.size) < THREADS, 0, x[191 - np.arange(x.size).clip(THREADS)]),
)
@cuda.jit
def barrier_where_a_whole_block_goes(x, out):
    scratch = cuda.shared.array(THREADS, int32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    if cuda.blockIdx.x == 1:
        scratch[t] = x[i]
        cuda.syncthreads()
        out[i] = scratch[THREADS - 1 - t]
