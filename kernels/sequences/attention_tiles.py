"""Steps that attention's kernels share: tiles of 64 queries beside 64 keys, in a block of 256 threads.

A tile of scores is a product of two tiles of rows, summed over the width. It is kept in registers, 4 by 4 numbers a
thread (kernels/products/tiles.py says which), goes through the softmax there, and is put down in shared memory once,
as the left factor of the next product. The 16 threads that share rows of scores are half a warp.

A block adds up 64 columns of a result. Results of a wider head are cut into slices of 64 columns, a block each, and
each of them computes the scores anew: any width works, in the same 22 KB of shared memory (44 KB in float64), at the
price of 1.5 times the products for width 128. Sums for 128 columns in one block were tried: the backward kernels then
need so many registers that half as many warps are live.
"""

import math

from kernels.backend import blocks, cuda, device_function
from kernels.lanes import ALL
from kernels.loads import load4
from kernels.products.tiles import DEPTH, SIDE, accumulate, across, clear, down, fill, fill_transposed
from kernels.shared import put4


def slices(width: int) -> int:
    """Into how many slices of columns a result of this width is cut; one without columns still has its logsumexp."""
    return max(1, blocks(width, SIDE))


@device_function
def multiply_rows(sums, left, right, a, b, row, column):
    """sums[i, j] = Σ_k a[row + i, k] b[column + j, k], for any width of a and b; left, right: room for tiles."""
    clear(sums)
    for k in range(0, a.shape[1], DEPTH):
        fill_transposed(left, a, row, k)
        fill_transposed(right, b, column, k)
        cuda.syncthreads()
        accumulate(sums, left, right)
        cuda.syncthreads()


@device_function
def add_weighted(sums, weights, tile, matrix, row, column):
    """sums[i, j] += Σ_k weights[k, i] matrix[row + k, column + j], over up to SIDE rows; tile: room for one."""
    for k in range(0, min(SIDE, matrix.shape[0] - row), DEPTH):
        fill(tile, matrix, row + k, column)
        cuda.syncthreads()
        accumulate(sums, weights[k : k + DEPTH], tile)
        cuda.syncthreads()


@device_function
def put_transposed(tile, sums):
    """tile[j, i] = sums[i, j]: put down as the left factor of a product."""
    for j in range(4):
        put4(tile[across() + j], down(), sums[0, j], sums[1, j], sums[2, j], sums[3, j])


@device_function
def max_of_row(value):
    """The largest `value` of the 16 threads that share rows of a tile; NaN is passed over."""
    for distance in (8, 4, 2, 1):
        value = max(value, cuda.shfl_xor_sync(ALL, value, distance))
    return value


@device_function
def sum_of_row(value):
    """The sum of `value` over them."""
    for distance in (8, 4, 2, 1):
        value += cuda.shfl_xor_sync(ALL, value, distance)
    return value


@device_function
def take_four(numbers, vector, first):
    """numbers[:4] = vector[first : first + 4], 0 beyond its end."""
    numbers[0], numbers[1], numbers[2], numbers[3] = load4(vector, first, type(numbers[0])(0))


@device_function
def finite_or_zero(peak):
    """What to subtract before exp: −inf, where all scores of a row are, would give nan for the 0 that is wanted."""
    return peak if peak > type(peak)(-math.inf) else type(peak)(0)
