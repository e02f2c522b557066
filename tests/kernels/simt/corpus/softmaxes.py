"""Softmax over rows, y = exp(x − max) / Σ exp(x − max): three passes, then two, then one warp.

Source: M. Milakov, N. Gimelshein, Online Normalizer Calculation for Softmax, arXiv 1805.02867, algorithms 2 and 3.
"""

import math

import numpy as np
from corpus.case import NO_SHUFFLES, Case, normal
from numba import float32

from kernels.backend import cuda, device_function

THREADS = 32
EVERYONE = 0xFFFFFFFF


@device_function
def block_max(value, scratch):
    """The block's maximum in every thread; all wait at the end, since the next call writes scratch again."""
    t = cuda.threadIdx.x
    scratch[t] = value
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if t < half:
            scratch[t] = max(scratch[t], scratch[t + half])
        cuda.syncthreads()
        half //= 2
    largest = scratch[0]
    cuda.syncthreads()
    return largest


@device_function
def block_total(value, scratch):
    """The block's sum in every thread."""
    t = cuda.threadIdx.x
    scratch[t] = value
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if t < half:
            scratch[t] += scratch[t + half]
        cuda.syncthreads()
        half //= 2
    total = scratch[0]
    cuda.syncthreads()
    return total


@cuda.jit
def three_pass(x, out):
    """A block a row: the maximum, the sum, the quotients; the row is read three times."""
    scratch = cuda.shared.array(THREADS, float32)
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    largest = float32(-math.inf)
    for column in range(t, x.shape[1], THREADS):
        largest = max(largest, x[row, column])
    largest = block_max(largest, scratch)
    total = float32(0)
    for column in range(t, x.shape[1], THREADS):
        total += math.exp(x[row, column] - largest)
    total = block_total(total, scratch)
    for column in range(t, x.shape[1], THREADS):
        out[row, column] = math.exp(x[row, column] - largest) / total


@cuda.jit
def online(x, out):
    """Maximum and sum in one pass: a new maximum scales down what has been added so far."""
    scratch = cuda.shared.array(THREADS, float32)
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    largest, total = float32(-math.inf), float32(0)
    for column in range(t, x.shape[1], THREADS):
        value = x[row, column]
        if value > largest:
            total = total * math.exp(largest - value) + float32(1)
            largest = value
        else:
            total += math.exp(value - largest)
    row_largest = block_max(largest, scratch)
    own = total * math.exp(largest - row_largest) if total > 0 else float32(0)
    row_total = block_total(own, scratch)
    for column in range(t, x.shape[1], THREADS):
        out[row, column] = math.exp(x[row, column] - row_largest) / row_total


@cuda.jit
def by_warp(x, out):
    """A row that fits into a warp's registers is read once and never waits."""
    row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
    lane = cuda.threadIdx.x
    if row >= x.shape[0]:
        return  # whole warps leave
    value = x[row, lane] if lane < x.shape[1] else float32(-math.inf)
    largest = value
    for step in range(5):
        largest = max(largest, cuda.shfl_xor_sync(EVERYONE, largest, 1 << step))
    weight = math.exp(value - largest)
    total = weight
    for step in range(5):
        total += cuda.shfl_xor_sync(EVERYONE, total, 1 << step)
    if lane < x.shape[1]:
        out[row, lane] = weight / total


@cuda.jit
def log_sum_exp(x, out):
    """A thread a row, in float64 throughout."""
    row = cuda.grid(1)
    if row < x.shape[0]:
        largest = x[row, 0]
        for column in range(1, x.shape[1]):
            largest = max(largest, x[row, column])
        total = 0.0
        for column in range(x.shape[1]):
            total += math.exp(x[row, column] - largest)
        out[row] = largest + math.log(total)


def softmax(x):
    raised = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def case(kernel, rows, columns, grid, block, **options):
    return Case(
        kernel,
        (grid,),
        block,
        lambda rng: (4 * normal(rng, rows, columns), np.zeros((rows, columns), np.float32)),
        lambda x, out: {1: softmax(x)},
        f"{rows}x{columns}",
        tolerance=2e-6,
        **options,
    )


CASES = (
    *(case(three_pass, *shape, shape[0], (THREADS,)) for shape in ((1, 1), (3, 50))),
    *(case(online, *shape, shape[0], (THREADS,)) for shape in ((2, 7), (3, 100))),
    *(case(by_warp, *shape, 2, (32, 2), not_in_numba=NO_SHUFFLES) for shape in ((3, 32), (4, 11))),
    Case(
        log_sum_exp,
        (1,),
        (16,),
        lambda rng: (rng.standard_normal((9, 12)) * 5, np.zeros(9)),
        lambda x, out: {1: np.logaddexp.reduce(x, axis=1)},
        tolerance=1e-14,
    ),
)
