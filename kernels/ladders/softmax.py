"""Softmax, rung by rung: how often is a row read, and how often must a block wait?

With m the maximum of a row x of W elements, y = exp(x − m) / Σ exp(x − m). A block of T threads takes a row. Counts are
for a row, W a multiple of T (of 4T in the last): elements loaded, exponentials, and barriers, once for a block.

| | rung | idea | loaded | exponentials | barriers |
|---|---|---|---|---|---|
| v1 | three_passes | maximum, then sum, then result: as the formula reads | 3W | 2W | 4 |
| v2 | two_passes | a running maximum; when it grows by δ, the sum so far shrinks by exp(−δ) | 2W | 3W | 4W/T |
| v3 | online | every thread runs along its own columns, and the block meets once | 2W | 3W + T | 4 |
| v4 | one_exponential | of exp(m − m′) and exp(x − m′) one is always exp(0) | 2W | 2W + T | 4 |
| v5 | vector_loads | four columns at a time: a quarter of the requests | 2W | 9W/4 + T | 4 |

A row that is read again is mostly found in cache, so on a GPU the step from 3W to 2W counts most where rows are long.
All are for float32 and for any W; a row of nothing but −inf is nan, as in torch.

Source: M. Milakov, N. Gimelshein, Online normalizer calculation for softmax, arXiv 1805.02867: algorithms 2 (v1) and 3
(v3), section 3.1 (how two parts of a row combine).
"""

import math

import numpy as np

from kernels.backend import cuda, gpu_kernel, threads_for
from kernels.ladders.rung import Rung
from kernels.lanes import MAX_THREADS, block_max, block_sum
from kernels.loads import load4, store4

LOWEST = np.finfo(np.float32).min  # where maxima start: from −inf, −inf − −inf would be nan
NOTHING = np.float32(-np.inf)  # exp of it is 0
ZERO, ONE = np.float32(0), np.float32(1)


@gpu_kernel
def three_passes(x, out):  # (rows, width) both
    row, first, step = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    largest, total = LOWEST, ZERO
    for column in range(first, x.shape[1], step):
        largest = max(largest, x[row, column])
    largest = block_max(largest)
    for column in range(first, x.shape[1], step):
        total += math.exp(x[row, column] - largest)
    total = block_sum(total)
    for column in range(first, x.shape[1], step):
        out[row, column] = math.exp(x[row, column] - largest) / total


@gpu_kernel
def two_passes(x, out):
    """The block goes along the row together, T columns at a time, and meets twice after each step."""
    row, first, step = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    largest, total = LOWEST, ZERO
    for start in range(0, x.shape[1], step):
        value = x[row, start + first] if start + first < x.shape[1] else NOTHING
        before, largest = largest, max(largest, block_max(value))
        total = total * math.exp(before - largest) + block_sum(math.exp(value - largest))
    for column in range(first, x.shape[1], step):
        out[row, column] = math.exp(x[row, column] - largest) / total


@gpu_kernel
def online(x, out):
    """Maximum and sum of a thread's own columns; at the end all sums are brought to the block's maximum."""
    row, first, step = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    largest, total = LOWEST, ZERO
    for column in range(first, x.shape[1], step):
        value = x[row, column]
        before, largest = largest, max(largest, value)
        total = total * math.exp(before - largest) + math.exp(value - largest)
    before, largest = largest, block_max(largest)
    total = block_sum(total * math.exp(before - largest))
    for column in range(first, x.shape[1], step):
        out[row, column] = math.exp(x[row, column] - largest) / total


@gpu_kernel
def one_exponential(x, out):
    """The smaller of maximum and new value is at exp(−distance) of the larger, whichever it is."""
    row, first, step = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    largest, total = LOWEST, ZERO
    for column in range(first, x.shape[1], step):
        value = x[row, column]
        power = math.exp(-abs(value - largest))
        total = total * power + ONE if value > largest else total + power
        largest = max(largest, value)
    before, largest = largest, block_max(largest)
    total = block_sum(total * math.exp(before - largest))
    for column in range(first, x.shape[1], step):
        out[row, column] = math.exp(x[row, column] - largest) / total


@gpu_kernel
def vector_loads(x, out):
    """Four elements share one rescaling of the sum: five exponentials for them, two passes, one access each."""
    row, first, step = cuda.blockIdx.x, 4 * cuda.threadIdx.x, 4 * cuda.blockDim.x
    largest, total = LOWEST, ZERO
    for column in range(first, x.shape[1], step):
        a, b, c, d = load4(x[row], column, NOTHING)
        before, largest = largest, max(max(largest, max(a, b)), max(c, d))
        total *= math.exp(before - largest)
        total += math.exp(a - largest) + math.exp(b - largest)
        total += math.exp(c - largest) + math.exp(d - largest)
    before, largest = largest, block_max(largest)
    total = block_sum(total * math.exp(before - largest))
    for column in range(first, x.shape[1], step):
        a, b, c, d = load4(x[row], column, NOTHING)
        a, b = math.exp(a - largest) / total, math.exp(b - largest) / total
        c, d = math.exp(c - largest) / total, math.exp(d - largest) / total
        store4(out[row], column, a, b, c, d)


def block_per_row(rows: int, width: int) -> tuple[tuple[int], tuple[int]]:
    """Grid and block for a matrix of this size, alike for all rungs so that only the kernel differs."""
    return (rows,), (threads_for(width, MAX_THREADS),)


RUNGS = (
    Rung("three passes", "maximum, sum and result, one after the other", three_passes, block_per_row),
    Rung(
        "two passes",
        "a running maximum, to which the sum is rescaled: x is read twice",
        two_passes,
        block_per_row,
    ),
    Rung("online", "every thread has its own maximum and sum: the block waits once", online, block_per_row),
    Rung("one exponential", "one of the two exponentials is always 1", one_exponential, block_per_row),
    Rung("vector loads", "16 bytes a lane: a quarter of the requests", vector_loads, block_per_row),
)
