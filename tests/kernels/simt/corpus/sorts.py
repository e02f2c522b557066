"""Sorting in lockstep: networks whose comparisons do not depend on the data, and counting.

Source: K. Batcher, Sorting Networks and Their Applications, AFIPS 1968; N. Satish, M. Harris, M. Garland, Designing
Efficient Sorting Algorithms for Manycore GPUs, IPDPS 2009, section 4 (radix sort by split).
"""

import numpy as np
from corpus.case import Case, normal, whole
from numba import float32, int32

from kernels.backend import cuda, device_function

THREADS = 64
BUCKETS = 16


@cuda.jit
def bitonic(x):
    """Runs that rise and fall are merged, ever longer; the partner differs in one bit."""
    items = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    items[t] = x[t] if t < x.size else float32(np.inf)
    cuda.syncthreads()
    run = 2
    while run <= THREADS:
        distance = run // 2
        while distance > 0:
            partner = t ^ distance
            if partner > t:
                rising = (t & run) == 0
                if (items[t] > items[partner]) == rising:
                    items[t], items[partner] = items[partner], items[t]
            cuda.syncthreads()
            distance //= 2
        run *= 2
    if t < x.size:
        x[t] = items[t]


@cuda.jit
def odd_even(x):
    """Neighbors swap, in even and in odd places by turns, until nobody has swapped: `syncthreads_or` tells."""
    t = cuda.threadIdx.x
    quiet = 0
    phase = 0
    while quiet < 2:
        left = 2 * t + phase
        swapped = 0
        if left + 1 < x.size and x[left] > x[left + 1]:
            x[left], x[left + 1] = x[left + 1], x[left]
            swapped = 1
        if cuda.syncthreads_or(swapped):
            quiet = 0
        else:
            quiet += 1
        phase = 1 - phase


@cuda.jit
def by_rank(x, out):
    """A thread counts how many come before its own; equal ones keep their order."""
    i = cuda.grid(1)
    if i >= x.size:
        return
    own, rank = x[i], 0
    for j in range(x.size):
        if x[j] < own or (x[j] == own and j < i):
            rank += 1
    out[rank] = own


@device_function
def exclusive_scan(values):
    """In place, for as many values in shared memory as there are threads; everyone calls it together."""
    t = cuda.threadIdx.x
    own = values[t]
    reach = 1
    while reach < cuda.blockDim.x:
        below = values[t - reach] if t >= reach else int32(0)
        cuda.syncthreads()
        values[t] += below
        cuda.syncthreads()
        reach *= 2
    exclusive = values[t] - own
    cuda.syncthreads()
    values[t] = exclusive
    cuda.syncthreads()


@cuda.jit
def radix(x, out, bits):
    """Sorts by one bit after another: zeros to the front, ones behind them, each in the order they came."""
    keys = cuda.shared.array(THREADS, int32)
    zeros_before = cuda.shared.array(THREADS, int32)
    t = cuda.threadIdx.x
    n = x.size
    keys[t] = x[t] if t < n else (1 << bits) - 1
    cuda.syncthreads()
    for bit in range(bits):
        key = keys[t]
        one = (key >> bit) & 1
        zeros_before[t] = 1 - one
        zeros = cuda.syncthreads_count(1 - one)
        exclusive_scan(zeros_before)
        place = zeros + t - zeros_before[t] if one else zeros_before[t]
        keys[place] = key
        cuda.syncthreads()
    if t < n:
        out[t] = keys[t]


@cuda.jit
def counting(x, out):
    """Counts keys, scans the counts, writes each key to its place; which of two equal keys is first does not show."""
    counts = cuda.shared.array(BUCKETS, int32)
    t = cuda.threadIdx.x
    if t < BUCKETS:
        counts[t] = 0
    cuda.syncthreads()
    for i in range(t, x.size, cuda.blockDim.x):
        cuda.atomic.add(counts, x[i], 1)
    cuda.syncthreads()
    if t == 0:
        before = int32(0)
        for key in range(BUCKETS):
            count = counts[key]
            counts[key] = before
            before = int32(before + count)
    cuda.syncthreads()
    for i in range(t, x.size, cuda.blockDim.x):
        out[cuda.atomic.add(counts, x[i], 1)] = x[i]


def sorted_copy(x, out, *_):
    return {1: np.sort(x)}


CASES = (
    *(
        Case(bitonic, (1,), (THREADS,), lambda rng, n=n: (normal(rng, n),), lambda x: {0: np.sort(x)}, str(n))
        for n in (3, 37, 64)
    ),
    *(
        Case(
            odd_even, (1,), (32,), lambda rng, n=n: (whole(rng, -9, 9, n),), lambda x: {0: np.sort(x)}, str(n)
        )
        for n in (2, 25)
    ),
    Case(by_rank, (2,), (32,), lambda rng: (whole(rng, 0, 20, 50), np.zeros(50, np.int32)), sorted_copy),
    *(
        Case(
            radix,
            (1,),
            (THREADS,),
            lambda rng, n=n: (whole(rng, 0, 64, n), np.zeros(n, np.int32), 6),
            sorted_copy,
            str(n),
        )
        for n in (5, 64)
    ),
    Case(
        counting, (1,), (32,), lambda rng: (whole(rng, 0, BUCKETS, 90), np.zeros(90, np.int32)), sorted_copy
    ),
)
