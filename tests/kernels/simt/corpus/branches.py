"""Threads that go different ways, meet again, or leave."""

import numpy as np
from corpus.case import Case, each, normal, whole
from numba import float32

from kernels.backend import blocks, cuda

THREADS = 32


@cuda.jit
def returns_early(x, out):
    """Threads leave one by one from inside a loop; none is missed later."""
    i = cuda.grid(1)
    if i >= x.size:
        return
    for k in range(20):
        out[i] = k
        if x[i] == k:
            return
        if x[i] < k:
            out[i] = -k
            return
    out[i] = 99


@cuda.jit
def ladder(x, out):
    """A chain of conditions, `and`, `or`, `not`, and comparisons in a row."""
    i = cuda.grid(1)
    if i < x.size:
        v = x[i]
        if v < -5 or v > 5:
            grade = 0
        elif -1 <= v <= 1:
            grade = 1
        elif not v > 0 and v != -3:
            grade = 2
        else:
            grade = 3 if v == 3 or (v == 4 and i % 2 == 0) else 4
        out[i] = grade


@cuda.jit
def guards(x, places, out):
    """`and` looks at its right side only where the left one holds: an index is tested before it is used."""
    i = cuda.grid(1)
    if i < places.size:
        place = places[i]
        out[i] = 0 <= place < x.size and x[place] > 0


@cuda.jit
def diverging_between_barriers(x, out):
    """Lanes part and meet again before each barrier, round after round."""
    scratch = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    scratch[t] = x[t]
    for step in range(3):
        cuda.syncthreads()
        other = scratch[(t + step + 1) % THREADS]
        cuda.syncthreads()
        if t % 2 == 0:
            scratch[t] += other
        elif t % 3 == 0:
            scratch[t] -= other
    out[t] = scratch[t]


def graded(v, i):
    if abs(v) > 5:
        return 0
    if abs(v) <= 1:
        return 1
    if v in (-2, -4, -5):
        return 2
    return 3 if v == 3 or (v == 4 and i % 2 == 0) else 4


def exchanged(x, _):
    t = np.arange(THREADS)
    values = x.astype(np.float64)
    for step in range(3):
        other = values[(t + step + 1) % THREADS]
        values = np.where(t % 2 == 0, values + other, np.where(t % 3 == 0, values - other, values))
    return {1: values}


def ints(kernel, low, high, expected, n=50):
    return Case(
        kernel,
        (blocks(n, THREADS),),
        (THREADS,),
        lambda rng: (whole(rng, low, high, n), np.zeros(n, np.int32)),
        expected,
    )


CASES = (
    ints(returns_early, -3, 25, each(lambda v: max(v, 0) if v < 20 else 99)),
    ints(ladder, -7, 8, lambda x, _: {1: [graded(v, i) for i, v in enumerate(x.tolist())]}),
    Case(
        guards,
        (1,),
        (THREADS,),
        lambda rng: (normal(rng, 10), whole(rng, -5, 15, 30), np.zeros(30, np.int32)),
        lambda x, at, _: {2: (at >= 0) & (at < 10) & (x[at.clip(0, 9)] > 0)},
    ),
    Case(
        diverging_between_barriers,
        (1,),
        (THREADS,),
        lambda rng: (normal(rng, THREADS), np.zeros(THREADS, np.float32)),
        exchanged,
        tolerance=1e-6,
    ),
)
