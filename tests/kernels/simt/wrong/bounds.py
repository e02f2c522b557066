"""Indices outside of an array: on a GPU no error, but somebody else's number, read or overwritten."""

import numpy as np
from numba import float32, int32
from wrong.case import wrong

from kernels.backend import cuda

N, THREADS = 100, 32
BLOCKS = 4  # 128 threads for 100 numbers


def vectors(rng):
    return rng.random(N, dtype=np.float32), np.zeros(N, np.float32)


def zero_to_one_and_bins(rng):
    return np.linspace(0, 1, N, dtype=np.float32), np.zeros(10, np.int32)


def tokens_and_table(rng):
    tokens = rng.integers(0, 50, size=N).astype(np.int32)
    tokens[70] = 50  # an unknown word, numbered beyond the vocabulary
    return tokens, rng.random((50, 4), dtype=np.float32), np.zeros((N, 4), np.float32)


def among(threads):
    """The guilty one is one of these, counted over the grid."""
    return lambda access, *_: access.block * THREADS + access.thread in threads


@wrong("OutOfBounds", BLOCKS, THREADS, vectors, among(range(N, 128)), "x[", "(100,)", "reads")
@cuda.jit
def no_guard(x, out):
    i = cuda.grid(1)
    # fix: if i >= x.shape[0]: return
    out[i] = x[i]  # <-


@wrong("OutOfBounds", BLOCKS, THREADS, vectors, among([N - 1]), "x[100]", "(100,)", "reads")
@cuda.jit
def stencil_one_too_far_right(x, out):
    i = cuda.grid(1)
    if 0 < i < x.shape[0]:  # fix: if 0 < i < x.shape[0] - 1:
        out[i] = (x[i - 1] + x[i] + x[i + 1]) / float32(3)  # <-


@wrong("OutOfBounds", BLOCKS, THREADS, vectors, among([N]), "out[100]", "(100,)", "writes")
@cuda.jit
def written_one_too_far(x, out):
    i = cuda.grid(1)
    if i <= x.shape[0]:  # fix: if i < x.shape[0]:
        out[i] = float32(i)  # <-


@wrong("NegativeIndex", BLOCKS, THREADS, vectors, among([0]), "x[-1]", note=True)
@cuda.jit
def left_neighbor_of_the_first(x, out):
    """Numba wraps it as Python does: the first gets the last one's number. In C it would be out of bounds."""
    i = cuda.grid(1)
    if i < x.shape[0]:
        left = x[i - 1]  # <- fix: left = x[i - 1] if i > 0 else float32(0)
        out[i] = x[i] - left


@wrong("OutOfBounds", 1, THREADS, vectors, among(range(16)), "x[-", "(100,)", "reads")
@cuda.jit
def far_below_zero(x, out):
    i = cuda.grid(1)
    out[i] = x[i * 8 - 228]  # <- fix: out[i] = x[i * 3]


@wrong("OutOfBounds", 1, THREADS, vectors, among(range(30, 32)), "tile[", "(32,)", "reads")
@cuda.jit
def tile_without_room_for_its_halo(x, out):
    tile = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    tile[t] = x[t]
    cuda.syncthreads()
    # fix: if t >= THREADS - 2: return
    out[t] = tile[t] + tile[t + 1] + tile[t + 2]  # <-


@wrong("OutOfBounds", 1, THREADS, vectors, among(range(8, 32)), "kept[8]", "(8,)", "writes")
@cuda.jit
def local_array_too_small(x, out):
    """Each thread keeps as many numbers as its own index says, in an array of eight."""
    kept = cuda.local.array(8, float32)
    t = cuda.threadIdx.x
    for k in range(t + 1):  # fix: for k in range(min(t + 1, 8)):
        kept[k] = x[k]  # <-
    out[t] = kept[0]


@wrong("OutOfBounds", BLOCKS, THREADS, zero_to_one_and_bins, among([N - 1]), "bins[10]", "(10,)")
@cuda.jit
def largest_value_has_no_bin(x, bins):
    """Ten bins over 0 … 1, both ends included: the largest number falls into an eleventh."""
    i = cuda.grid(1)
    if i < x.shape[0]:
        # fix: cuda.atomic.add(bins, min(int32(x[i] * float32(10)), int32(9)), 1)
        cuda.atomic.add(bins, int32(x[i] * float32(10)), 1)  # <- fix: pass


@wrong("OutOfBounds", BLOCKS, THREADS, tokens_and_table, among([70]), "table[50, 0]", "(50, 4)")
@cuda.jit
def token_without_embedding(tokens, table, out):
    i = cuda.grid(1)
    if i < tokens.shape[0]:  # fix: if i < tokens.shape[0] and tokens[i] < table.shape[0]:
        for k in range(table.shape[1]):
            out[i, k] = table[tokens[i], k]  # <-
