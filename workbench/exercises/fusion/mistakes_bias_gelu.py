"""The kernels of the exercise on bias and GELU: the right one, then those that people write first.

Some mistakes are in what is calculated for one number, and share the walk down a column; the others are in the walk.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.backend import cuda, device_function, gpu_kernel

HALF, ONE, ROOT_HALF = np.float32(0.5), np.float32(1), np.float32(math.sqrt(0.5))
ROOT = np.float32(math.sqrt(2 / math.pi))


@gpu_kernel
def bias_gelu_kernel(x, bias, out):  # (rows, width), (width,), (rows, width)
    """The bias stays in a register while the thread walks down its column; constants are float32."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        shift = bias[column]
        for row in range(x.shape[0]):
            z = x[row, column] + shift
            out[row, column] = HALF * z * (ONE + math.erf(ROOT_HALF * z))


@device_function
def _gelu(z):
    return HALF * z * (ONE + math.erf(ROOT_HALF * z))


# What is calculated for one number.


def _down_the_columns(calculate: Callable[..., Any]) -> Any:
    """The kernel that calculates `calculate(x, bias)` for each number, with its docstring."""
    inlined = device_function(calculate)

    @gpu_kernel
    def kernel(x, bias, out):
        column = cuda.grid(1)
        if column < x.shape[1]:
            shift = bias[column]
            for row in range(x.shape[0]):
                out[row, column] = inlined(x[row, column], shift)

    kernel.__doc__ = calculate.__doc__
    return kernel


@_down_the_columns
def forgets_bias(x, bias):
    """The bias is part of the layer: GELU(x + b), with a b of its own for each column."""
    return _gelu(x)


@_down_the_columns
def bias_after(x, bias):
    """The bias belongs inside: GELU(x + b). GELU bends, so GELU(x) + b is another function."""
    return _gelu(x) + bias


@_down_the_columns
def without_root(x, bias):
    """GELU weighs z by the normal distribution, which is (1 + erf(z/√2))/2: z is divided by √2 before erf."""
    z = x + bias
    return HALF * z * (ONE + math.erf(z))


@_down_the_columns
def approximate(x, bias):
    """That is the approximation with tanh, up to 0.0005 off. The task asks for the one with erf."""
    z = x + bias
    return HALF * z * (ONE + math.tanh(ROOT * (z + np.float32(0.044715) * z * z * z)))


@_down_the_columns
def double_precision(x, bias):
    """Right, but a bare 0.5 or 1 makes float64 of all that it touches, which a GPU is slow at: np.float32(0.5)."""
    z = x + bias
    return 0.5 * z * (1.0 + math.erf(z / math.sqrt(2.0)))


# Where a thread goes, and what it asks memory for.


@gpu_kernel
def without_guard(x, bias, out):
    """Blocks are whole: the last one has threads beyond the last column, and they must do nothing."""
    column = cuda.grid(1)
    shift = bias[column]
    for row in range(x.shape[0]):
        out[row, column] = _gelu(x[row, column] + shift)


@gpu_kernel
def bias_of_the_row(x, bias, out):
    """A bias belongs to a column (a feature), not to a row (an example)."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        for row in range(x.shape[0]):
            out[row, column] = _gelu(x[row, column] + bias[row])


@gpu_kernel
def one_row_only(x, bias, out):
    """The grid has a thread for each column, not for each number: a thread has all rows of its column to do."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        out[0, column] = _gelu(x[0, column] + bias[column])


@gpu_kernel
def reads_bias_each_time(x, bias, out):
    """Right, but the bias is loaded again in each row. Load it once before the loop: a register keeps it."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        for row in range(x.shape[0]):
            out[row, column] = _gelu(x[row, column] + bias[column])


@gpu_kernel
def reads_x_twice(x, bias, out):
    """Right, but z stands in the formula twice, and each time x is loaded. Keep it: z = x[row, column] + shift."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        shift = bias[column]
        for row in range(x.shape[0]):
            erf = math.erf(ROOT_HALF * (x[row, column] + shift))
            out[row, column] = HALF * (x[row, column] + shift) * (ONE + erf)


@gpu_kernel
def two_passes(x, bias, out):
    """Right, but the sum goes to memory and comes back: two operations in one kernel, not fused at all."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        shift = bias[column]
        for row in range(x.shape[0]):
            out[row, column] = x[row, column] + shift
        for row in range(x.shape[0]):
            out[row, column] = _gelu(out[row, column])


@gpu_kernel
def thread_a_row(x, bias, out):
    """Right where rows suffice, but the lanes of a warp stand in different rows: each touches a sector of its own."""
    row = cuda.grid(1)
    if row < x.shape[0]:
        for column in range(x.shape[1]):
            out[row, column] = _gelu(x[row, column] + bias[column])


@gpu_kernel
def one_thread(x, bias, out):
    """Right, but the other threads watch. Each load brings a warp one number where it could bring 32."""
    if cuda.grid(1) == 0:
        for row in range(x.shape[0]):
            for column in range(x.shape[1]):
                out[row, column] = _gelu(x[row, column] + bias[column])


@gpu_kernel
def every_thread(x, bias, out):
    """Right, but all the work is done as often as there are threads. cuda.grid(1) says which part is whose."""
    for row in range(x.shape[0]):
        for column in range(x.shape[1]):
            out[row, column] = _gelu(x[row, column] + bias[column])
