"""The kernels of the exercise on add and RMS normalization: the right one, then those that people write first.

Each mistake differs from the right kernel in one of its three parts, and shares the other two with it. Those of part 2,
where threads meet, are in mistakes_block_sum.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.backend import cuda, device_function, gpu_kernel

THREADS = 64
ZERO, ONE = np.float32(0), np.float32(1)


@gpu_kernel
def add_rms_norm_kernel(x, residual, weight, eps, normed, summed):
    """A block a row; shares of the squares meet in shared memory. weight is (width,), the rest (rows, width)."""
    shares = cuda.shared.array(THREADS, np.float32)
    row, thread = cuda.blockIdx.x, cuda.threadIdx.x
    # 1 add, keep the sum, collect the squares of this thread's columns
    squares = ZERO
    for column in range(thread, x.shape[1], THREADS):
        total = x[row, column] + residual[row, column]
        summed[row, column] = total
        squares += total * total
    # 2 add up the shares of all threads
    shares[thread] = squares
    cuda.syncthreads()
    distance = THREADS // 2
    while distance > 0:
        if thread < distance:
            shares[thread] += shares[thread + distance]
        cuda.syncthreads()
        distance //= 2
    # 3 normalize what was kept
    root = ONE / math.sqrt(shares[0] / np.float32(x.shape[1]) + eps)
    for column in range(thread, x.shape[1], THREADS):
        normed[row, column] = summed[row, column] * root * weight[column]


@device_function
def add(x, residual, summed):  # part 1
    row, squares = cuda.blockIdx.x, ZERO
    for column in range(cuda.threadIdx.x, x.shape[1], THREADS):
        total = x[row, column] + residual[row, column]
        summed[row, column] = total
        squares += total * total
    return squares


@device_function
def block_sum(squares):  # part 2
    shares, thread, distance = cuda.shared.array(THREADS, np.float32), cuda.threadIdx.x, THREADS // 2
    shares[thread] = squares
    cuda.syncthreads()
    while distance > 0:
        if thread < distance:
            shares[thread] += shares[thread + distance]
        cuda.syncthreads()
        distance //= 2
    return shares[0]


@device_function
def normalize(summed, weight, normed, root):  # part 3
    row = cuda.blockIdx.x
    for column in range(cuda.threadIdx.x, summed.shape[1], THREADS):
        normed[row, column] = summed[row, column] * root * weight[column]


# Mistakes in part 1, or in several: which numbers a thread takes, and what it keeps.


@gpu_kernel
def normalizes_x(x, residual, weight, eps, normed, summed):
    """What is normalized is the sum, in its numbers as in its mean square; x alone is half of it."""
    row, squares = cuda.blockIdx.x, ZERO
    for column in range(cuda.threadIdx.x, x.shape[1], THREADS):
        summed[row, column] = x[row, column] + residual[row, column]
        squares += x[row, column] * x[row, column]
    normalize(x, weight, normed, ONE / math.sqrt(block_sum(squares) / np.float32(x.shape[1]) + eps))


@gpu_kernel
def sum_unwritten(x, residual, weight, eps, normed, summed):
    """The sum is the next layer's residual, so it is a result too and must be written, not only used."""
    row, squares = cuda.blockIdx.x, ZERO
    for column in range(cuda.threadIdx.x, x.shape[1], THREADS):
        total = x[row, column] + residual[row, column]
        squares += total * total
    root = ONE / math.sqrt(block_sum(squares) / np.float32(x.shape[1]) + eps)
    for column in range(cuda.threadIdx.x, x.shape[1], THREADS):
        normed[row, column] = (x[row, column] + residual[row, column]) * root * weight[column]


@gpu_kernel
def adds_again(x, residual, weight, eps, normed, summed):
    """Right, but x and residual are both read twice. Their sum is already written: read that one row instead of two."""
    row = cuda.blockIdx.x
    root = ONE / math.sqrt(block_sum(add(x, residual, summed)) / np.float32(x.shape[1]) + eps)
    for column in range(cuda.threadIdx.x, x.shape[1], THREADS):
        normed[row, column] = (x[row, column] + residual[row, column]) * root * weight[column]


@gpu_kernel
def one_thread(x, residual, weight, eps, normed, summed):
    """Right, but 63 threads watch one work. Each load brings a warp one number where it could bring 32."""
    row, squares = cuda.blockIdx.x, ZERO
    if cuda.threadIdx.x == 0:
        for column in range(x.shape[1]):
            summed[row, column] = x[row, column] + residual[row, column]
            squares += summed[row, column] * summed[row, column]
        root = ONE / math.sqrt(squares / np.float32(x.shape[1]) + eps)
        for column in range(x.shape[1]):
            normed[row, column] = summed[row, column] * root * weight[column]


@gpu_kernel
def neighboring_columns(x, residual, weight, eps, normed, summed):
    """Right, but neighboring threads should read neighboring numbers; here each walks a stretch of its own."""
    row, squares = cuda.blockIdx.x, ZERO
    each = (x.shape[1] + THREADS - 1) // THREADS
    first = cuda.threadIdx.x * each
    for column in range(first, min(first + each, x.shape[1])):
        total = x[row, column] + residual[row, column]
        summed[row, column] = total
        squares += total * total
    root = ONE / math.sqrt(block_sum(squares) / np.float32(x.shape[1]) + eps)
    for column in range(first, min(first + each, x.shape[1])):
        normed[row, column] = summed[row, column] * root * weight[column]


@gpu_kernel
def many_barriers(x, residual, weight, eps, normed, summed):
    """Right, but while threads add up their own columns, nobody reads another's numbers: nothing to wait for."""
    row, squares = cuda.blockIdx.x, ZERO
    for start in range(0, x.shape[1], THREADS):
        column = start + cuda.threadIdx.x
        if column < x.shape[1]:
            total = x[row, column] + residual[row, column]
            summed[row, column] = total
            squares += total * total
        cuda.syncthreads()
    root = ONE / math.sqrt(block_sum(squares) / np.float32(x.shape[1]) + eps)
    normalize(summed, weight, normed, root)


@gpu_kernel
def returns_early(x, residual, weight, eps, normed, summed):
    """A thread without a column has nothing to add, but its block waits for it at each barrier, and reads its share."""
    if cuda.threadIdx.x >= x.shape[1]:
        return
    root = ONE / math.sqrt(block_sum(add(x, residual, summed)) / np.float32(x.shape[1]) + eps)
    normalize(summed, weight, normed, root)


@gpu_kernel
def forgets_weight(x, residual, weight, eps, normed, summed):
    """Each column has a weight of its own, by which the normalized number is multiplied."""
    row = cuda.blockIdx.x
    root = ONE / math.sqrt(block_sum(add(x, residual, summed)) / np.float32(x.shape[1]) + eps)
    for column in range(cuda.threadIdx.x, x.shape[1], THREADS):
        normed[row, column] = summed[row, column] * root


# Mistakes at the root, before part 3.


def _with_root(root: Callable[..., Any]) -> Any:
    """The kernel that multiplies by `root(squares, width, eps)`, with its docstring; width is an int."""
    inlined = device_function(root)

    @gpu_kernel
    def kernel(x, residual, weight, eps, normed, summed):
        squares = block_sum(add(x, residual, summed))
        normalize(summed, weight, normed, inlined(squares, x.shape[1], eps))

    kernel.__doc__ = root.__doc__
    return kernel


@_with_root
def eps_outside(squares, width, eps):
    """ε belongs under the root, √(mean + ε). Outside it weighs far more where the numbers are small."""
    return ONE / (math.sqrt(squares / np.float32(width)) + eps)


@_with_root
def forgets_eps(squares, width, eps):
    """Where all numbers of a row are small, ε is most of what is under the root: √(mean + ε)."""
    return ONE / math.sqrt(squares / np.float32(width))


@_with_root
def without_mean(squares, width, eps):
    """Root mean square: the sum of the squares is divided by the width before the root is taken."""
    return ONE / math.sqrt(squares + eps)


@_with_root
def divides_by_threads(squares, width, eps):
    """The mean is over the numbers of a row, of which there are x.shape[1], however many threads add them up."""
    return ONE / math.sqrt(squares / np.float32(THREADS) + eps)


@_with_root
def double_precision(squares, width, eps):
    """Right, but a bare 1.0 is float64, and so is float32 / int: make the width a float32 before dividing by it."""
    return 1.0 / math.sqrt(squares / width + eps)
