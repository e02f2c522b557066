"""Products of rows with rows, whose results are looked at on the way: what attention and fused losses share.

A tile of A Bᵀ is summed over the width and kept in registers, 4 by 4 numbers a thread (tiles.py says which). There its
rows can be reduced: the 16 threads that share rows are half a warp, four shuffles apart. What becomes of it, weights
or slopes, is put down in shared memory once, as the left factor of a second product. The tile itself is never in
memory.
"""

from kernels.backend import cuda, device_function
from kernels.lanes import ALL
from kernels.products.tiles import DEPTH, SIDE, accumulate, across, clear, down, fill, fill_transposed
from kernels.shared import put4


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
