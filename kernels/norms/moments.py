"""Mean and standard deviation of a row that keep their digits however far the row lies from zero.

The shortcut mean(x²) − mean(x)² subtracts two large numbers that are nearly alike, and can leave nothing. So can
x − mean(x), more quietly: around 10 000 neighboring float32 numbers are 0.001 apart, the mean is rounded to one of
them, and a row with deviation 1 comes out wrong by up to 0.0005, thousands of roundings.

So numbers are measured from the row's first one, the *origin* o: x − o is exact for numbers of like size. With the
offset e = mean(x − o), the mean is o + e, but the two are never added:

    x − mean = (x − o) − e,      σ² = mean(((x − o) − e)²).

A second pass over the row, which is in cache by then, takes the squares. One pass would do with Welford's updating, for
a division with every element and three numbers to combine between threads instead of one. Where the origin is itself
far out, the others lose digits beside it, but then σ ≥ |o − mean|/√n: in units of σ the loss is at most √n roundings.

Source: T. Chan, G. Golub, R. LeVeque, Algorithms for Computing the Sample Variance, The American Statistician 37, 1983,
sections 2 (two passes) and 3 (shifted data).
"""

import math

from numba.extending import register_jitable

from kernels.backend import cuda, device_function
from kernels.fastmath import EXACT_ORDER
from kernels.lanes import block_sum
from kernels.loads import load, load4
from kernels.twin import jitable


@device_function
def deviations4(row, column, origin, offset):
    """x − mean for four elements of a row; 0 beyond its end."""
    a, b, c, d = load4(row, column, origin)
    left, zero = row.shape[0] - column, type(origin)(0)
    b = (b - origin) - offset if left > 1 else zero
    c = (c - origin) - offset if left > 2 else zero
    d = (d - origin) - offset if left > 3 else zero
    return (a - origin) - offset, b, c, d


@device_function
def gpu_moments(row, eps):
    """Origin, offset and 1/√(σ² + ε) of a row; all threads of the block together."""
    real = type(eps)
    first, step, width = 4 * cuda.threadIdx.x, 4 * cuda.blockDim.x, real(row.shape[0])
    origin = load(row, 0) if row.shape[0] else real(0)
    total, squares = real(0), real(0)
    for column in range(first, row.shape[0], step):
        a, b, c, d = deviations4(row, column, origin, real(0))
        total += a + b + c + d
    offset = block_sum(total) / width
    for column in range(first, row.shape[0], step):
        a, b, c, d = deviations4(row, column, origin, offset)
        squares += a * a + b * b + c * c + d * d
    return origin, offset, real(1) / math.sqrt(block_sum(squares) / width + eps)


@register_jitable(**EXACT_ORDER)
def deviation(x, origin, offset):
    """x − mean, in this order: a compiler that may reorder would subtract origin + offset, rounded, at once."""
    return (x - origin) - offset


@jitable
def cpu_moments(row, eps):
    """Origin, offset and 1/√(σ² + ε) of a row; one core alone."""
    real = row.dtype.type
    width = real(row.shape[0])
    origin = row[0] if row.shape[0] else real(0)
    total, squares = real(0), real(0)
    for column in range(row.shape[0]):
        total += deviation(row[column], origin, real(0))
    offset = total / width
    for column in range(row.shape[0]):
        distance = deviation(row[column], origin, offset)
        squares += distance * distance
    return origin, offset, real(1) / math.sqrt(squares / width + real(eps))
