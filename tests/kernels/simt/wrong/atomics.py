"""Counting together: read, add, write is three steps, and an atomic is one; the two do not mix."""

import numpy as np
from numba import int32
from wrong.case import wrong

from kernels.backend import cuda

THREADS, BINS = 64, 8


def values_and_bins(rng):
    return rng.integers(0, BINS, size=2 * THREADS).astype(np.int32), np.zeros(BINS, np.int32)


def ones_and_total(rng):
    return np.ones(2 * THREADS, np.int32), np.zeros(1, np.int32)


def place(access):
    return access.block * THREADS + access.thread


def values_count_and_kept(rng):
    values = rng.integers(-9, 9, size=2 * THREADS).astype(np.int32)
    return values, np.zeros(1, np.int32), np.zeros(2 * THREADS, np.int32)


def two_threads(one, two, *_):
    return place(one) != place(two)


def first_writes(adds, writes, *_):
    return place(writes) == 0 != place(adds)


def both_keep(one, two, x, *_):
    return place(one) != place(two) and x[place(one)] > 0 and x[place(two)] > 0


def one_bin(one, two, x, bins):
    return place(one) != place(two) and x[place(one)] == x[place(two)]


def one_bin_of_one_block(one, two, x, bins):
    return one.block == two.block and one_bin(one, two, x, bins)


@wrong("DataRace", 2, THREADS, values_and_bins, one_bin, "bins[")
@cuda.jit
def histogram_without_atomic(x, bins):
    i = cuda.grid(1)
    bins[x[i]] += 1  # <- fix: cuda.atomic.add(bins, x[i], 1)


@wrong("DataRace", 2, THREADS, values_and_bins, one_bin_of_one_block, "local[")
@cuda.jit
def shared_histogram_without_atomic(x, bins):
    local = cuda.shared.array(BINS, int32)
    t = cuda.threadIdx.x
    if t < BINS:
        local[t] = 0
    cuda.syncthreads()
    local[x[cuda.grid(1)]] += 1  # <- fix: cuda.atomic.add(local, x[cuda.grid(1)], 1)
    cuda.syncthreads()
    if t < BINS:
        cuda.atomic.add(bins, t, local[t])


@wrong("DataRace", 2, THREADS, ones_and_total, two_threads, "total[0]", "atomic")
@cuda.jit
def plain_read_beside_atomic(x, total):
    """Whoever looks while others add sees any number in between."""
    i = cuda.grid(1)
    cuda.atomic.add(total, 0, x[i])  # <- other
    seen = total[0]  # <- fix: seen = cuda.atomic.add(total, 0, 0)
    if seen < 0:
        x[i] = 0


@wrong("DataRace", 2, THREADS, ones_and_total, first_writes, "total[0]")
@cuda.jit
def total_set_to_zero_by_the_kernel(x, total):
    """Nothing makes the others wait until thread 0 has set the total to zero: that is the host's task."""
    i = cuda.grid(1)
    if i == 0:
        total[0] = 0  # <- other fix: pass
    cuda.atomic.add(total, 0, x[i])  # <-


@wrong("DataRace", 2, THREADS, values_count_and_kept, both_keep, "count[0]")
@cuda.jit
def slots_given_out_twice(x, count, kept):
    """Two threads that read the same count write to the same slot."""
    i = cuda.grid(1)
    if x[i] > 0:
        slot = count[0]  # <- other fix: slot = cuda.atomic.add(count, 0, 1)
        count[0] = slot + 1  # <- fix: pass
        kept[slot] = x[i]
