"""Layer normalization, rung by rung: how a sum over a row is taken, and how its elements are fetched.

y = w (x − mean) / √(σ² + ε) + b needs two sums over each row of W elements, one after the other: for the mean, and for
σ². Counts are for a row, W a multiple of 4T for T threads; requests and sectors are those of x. A request is one access
of a warp, a sector 32 bytes, and a barrier counts once for a block.

| | rung | idea | requests | sectors a request | barriers |
|---|---|---|---|---|---|
| v1 | thread_per_row | a loop over the row, as one would write it | 3W/32 | 32 | 0 |
| v2 | block_per_row | neighbors take neighboring columns, and add up by halves | 3W/32 | 4 | 2 log₂T + 4 |
| v3 | warp_shuffles | lanes read each other's registers; only warps have to meet | 3W/32 | 4 | 4 |
| v4 | vector_loads | 16 bytes a lane | 3W/128 | 16 | 4 |
| v5 | row_in_registers | a thread keeps its four elements: the row is read once | W/128 | 16 | 4 |

In v1 a warp takes 32 rows, and each of its requests touches a sector in every one of them; the sector would serve eight
columns if it stayed in cache. v5 takes W ≤ 4096, a thread for each four columns. All are for float32; far from zero
they lose digits that kernels/norms/moments.py keeps.

Source: J. Ba, J. Kiros, G. Hinton, Layer Normalization, arXiv 1607.06450, equation 4; M. Harris, Optimizing Parallel
Reduction in CUDA, NVIDIA, 2007 (v2); J. Luitjens, Faster Parallel Reductions on Kepler, NVIDIA, 2014 (v3).
"""

import math

import numpy as np

from kernels.backend import blocks, cuda, device_function, gpu_kernel, threads_for
from kernels.ladders.rung import Rung
from kernels.lanes import MAX_THREADS, block_sum
from kernels.loads import load4, store4

ZERO, ONE = np.float32(0), np.float32(1)
MOST_COLUMNS = 4096  # of a row in registers: four for each of the 1024 threads that a block may have


@gpu_kernel
def thread_per_row(x, weight, bias, out, eps):  # (rows, width), (width,), (width,), (rows, width)
    row = cuda.grid(1)
    if row < x.shape[0]:
        width, total, squares = np.float32(x.shape[1]), ZERO, ZERO
        for column in range(x.shape[1]):
            total += x[row, column]
        mean = total / width
        for column in range(x.shape[1]):
            distance = x[row, column] - mean
            squares += distance * distance
        root = ONE / math.sqrt(squares / width + eps)
        for column in range(x.shape[1]):
            out[row, column] = (x[row, column] - mean) * root * weight[column] + bias[column]


@device_function
def tree_sum(value):
    """The sum over the block: in each round half of the threads add what the other half left in shared memory."""
    shares = cuda.shared.array(MAX_THREADS, np.float32)
    thread, half = cuda.threadIdx.x, cuda.blockDim.x // 2
    shares[thread] = value
    while half > 0:
        cuda.syncthreads()
        if thread < half:
            shares[thread] += shares[thread + half]
        half //= 2
    cuda.syncthreads()
    total = shares[0]
    cuda.syncthreads()  # or the next sum would overwrite what a slow thread has yet to read
    return total


@gpu_kernel
def block_per_row(x, weight, bias, out, eps):
    row, first, step = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    width, total, squares = np.float32(x.shape[1]), ZERO, ZERO
    for column in range(first, x.shape[1], step):
        total += x[row, column]
    mean = tree_sum(total) / width
    for column in range(first, x.shape[1], step):
        distance = x[row, column] - mean
        squares += distance * distance
    root = ONE / math.sqrt(tree_sum(squares) / width + eps)
    for column in range(first, x.shape[1], step):
        out[row, column] = (x[row, column] - mean) * root * weight[column] + bias[column]


@gpu_kernel
def warp_shuffles(x, weight, bias, out, eps):
    """As before, but for the sums: kernels/lanes.py."""
    row, first, step = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    width, total, squares = np.float32(x.shape[1]), ZERO, ZERO
    for column in range(first, x.shape[1], step):
        total += x[row, column]
    mean = block_sum(total) / width
    for column in range(first, x.shape[1], step):
        distance = x[row, column] - mean
        squares += distance * distance
    root = ONE / math.sqrt(block_sum(squares) / width + eps)
    for column in range(first, x.shape[1], step):
        out[row, column] = (x[row, column] - mean) * root * weight[column] + bias[column]


@device_function
def squares4(row, column, a, b, c, d):
    """The sum of four squares, without those beyond the row's end."""
    left = row.shape[0] - column
    total = a * a
    total += b * b if left > 1 else ZERO
    total += c * c if left > 2 else ZERO
    total += d * d if left > 3 else ZERO
    return total


@device_function
def finish4(out, weight, bias, column, root, a, b, c, d):
    """Write four elements, from their distances to the mean."""
    weight_a, weight_b, weight_c, weight_d = load4(weight, column, ZERO)
    bias_a, bias_b, bias_c, bias_d = load4(bias, column, ZERO)
    a, b = a * root * weight_a + bias_a, b * root * weight_b + bias_b
    c, d = c * root * weight_c + bias_c, d * root * weight_d + bias_d
    store4(out, column, a, b, c, d)


@gpu_kernel
def vector_loads(x, weight, bias, out, eps):
    row, first, step = cuda.blockIdx.x, 4 * cuda.threadIdx.x, 4 * cuda.blockDim.x
    width, total, squares = np.float32(x.shape[1]), ZERO, ZERO
    for column in range(first, x.shape[1], step):
        a, b, c, d = load4(x[row], column, ZERO)
        total += a + b + c + d
    mean = block_sum(total) / width
    for column in range(first, x.shape[1], step):
        a, b, c, d = load4(x[row], column, ZERO)
        squares += squares4(x[row], column, a - mean, b - mean, c - mean, d - mean)
    root = ONE / math.sqrt(block_sum(squares) / width + eps)
    for column in range(first, x.shape[1], step):
        a, b, c, d = load4(x[row], column, ZERO)
        finish4(out[row], weight, bias, column, root, a - mean, b - mean, c - mean, d - mean)


@gpu_kernel
def row_in_registers(x, weight, bias, out, eps):
    """One load; a thread beyond the row's end has zeros and takes part in the sums alone."""
    row, column, width = cuda.blockIdx.x, 4 * cuda.threadIdx.x, np.float32(x.shape[1])
    a, b, c, d = load4(x[row], column, ZERO)
    mean = block_sum(a + b + c + d) / width
    a, b, c, d = a - mean, b - mean, c - mean, d - mean
    squares = squares4(x[row], column, a, b, c, d) if column < x.shape[1] else ZERO
    root = ONE / math.sqrt(block_sum(squares) / width + eps)
    finish4(out[row], weight, bias, column, root, a, b, c, d)


Shape = tuple[tuple[int], tuple[int]]  # grid and block


def _threads_over_rows(rows: int, width: int) -> Shape:
    return (blocks(rows, MAX_THREADS),), (MAX_THREADS,)


def _blocks_over_rows(rows: int, width: int) -> Shape:
    return (rows,), (threads_for(width, MAX_THREADS),)


def _whole_rows(rows: int, width: int) -> Shape:
    if width > MOST_COLUMNS:
        raise ValueError(f"width must be at most {MOST_COLUMNS} for a row in registers, got {width}")
    return (rows,), (threads_for(blocks(width, 4), MOST_COLUMNS // 4),)


RUNGS = (
    Rung("thread per row", "a loop over the row, as one would write it", thread_per_row, _threads_over_rows),
    Rung(
        "block per row",
        "neighbors take neighboring columns: 4 sectors a request",
        block_per_row,
        _blocks_over_rows,
    ),
    Rung(
        "warp shuffles",
        "lanes read each other's registers: 4 barriers in all",
        warp_shuffles,
        _blocks_over_rows,
    ),
    Rung("vector loads", "16 bytes a lane: a quarter of the requests", vector_loads, _blocks_over_rows),
    Rung(
        "row in registers",
        "a thread keeps its four elements: a third of the loads",
        row_in_registers,
        _whole_rows,
    ),
)
