"""Which thread am I, and which element is mine: three axes, tuples of numbers, and places counted from the end."""

import numpy as np
from corpus.case import Case, normal, whole

from kernels.backend import cuda

THREADS = 32


@cuda.jit
def tuples(x, out):
    """Tuples are put together, taken apart, and indexed by a constant."""
    i = cuda.grid(1)
    if i < x.size:
        pair = (x[i], i)
        (a, b), c = pair, pair[0]
        a, b = b, a
        triple = (a,) + pair[1:] + (c,)  # noqa: RUF005 - Numba knows no star here
        out[i] = triple[0] * 100 + triple[1] * 10 + triple[2] + len(triple) - b


@cuda.jit
def three_axes(out):
    """Thread and block numbers on three axes, and the sizes of both."""
    x, y, z = cuda.grid(3)
    width, height, depth = cuda.gridsize(3)
    if x < out.shape[2] and y < out.shape[1] and z < out.shape[0]:
        place = (z * height + y) * width + x
        block = (cuda.blockIdx.z * cuda.gridDim.y + cuda.blockIdx.y) * cuda.gridDim.x + cuda.blockIdx.x
        thread = (cuda.threadIdx.z * cuda.blockDim.y + cuda.threadIdx.y) * cuda.blockDim.x + cuda.threadIdx.x
        out[z, y, x] = place * 10000 + block * 100 + thread + depth - depth


@cuda.jit
def wraps_around(x, out):
    """An index below zero counts from the end, as in Python."""
    i = cuda.grid(1)
    if i < x.size:
        out[i] = x[i - 2]


def numbered(out):
    """What `three_axes` writes with a grid of (2, 2, 2) blocks of (3, 2, 2) threads."""
    z, y, x = np.indices(out.shape)
    place = (z * 4 + y) * 6 + x
    block = (z // 2 * 2 + y // 2) * 2 + x // 3
    thread = (z % 2 * 2 + y % 2) * 3 + x % 3
    return {0: place * 10000 + block * 100 + thread}


CASES = (
    Case(
        tuples,
        (1,),
        (THREADS,),
        lambda rng: (whole(rng, 0, 9, 20), np.zeros(20, np.int32)),
        lambda x, _: {1: 110 * np.arange(20) + 3},
    ),
    Case(three_axes, (2, 2, 2), (3, 2, 2), lambda rng: (np.zeros((4, 3, 5), np.int32),), numbered),
    Case(
        wraps_around,
        (1,),
        (THREADS,),
        lambda rng: (normal(rng, 20), np.zeros(20, np.float32)),
        lambda x, _: {1: np.roll(x, 2)},
        notes=("NegativeIndex",),
    ),
)
