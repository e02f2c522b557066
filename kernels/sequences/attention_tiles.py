"""Steps that attention's kernels share: tiles of 64 queries beside 64 keys, in a block of 256 threads.

A tile of scores is a product of two tiles of rows, summed over the width. It is kept in registers, 4 by 4 numbers a
thread (kernels/products/tiles.py says which), goes through the softmax there, and is put down in shared memory once,
as the left factor of the next product. The 16 threads that share rows of scores are half a warp.

In float32 the tiles take 26 KB of shared memory, 30 KB with values wider than 64; 48 KB are what a kernel may declare.
"""

from kernels.backend import cuda, device_function
from kernels.lanes import ALL
from kernels.loads import real_of
from kernels.products.tiles import (
    DEPTH,
    SIDE,
    WIDTH,
    accumulate,
    across,
    clear,
    down,
    fill,
    fill_transposed,
)
from kernels.shared import put4, shared_array

WIDE = 2 * SIDE + 4  # of a tile in shared memory for rows of up to 128


@device_function
def same_tile(tile):
    """Room for DEPTH rows of up to 64: the tile that is there already."""
    return tile


@device_function
def wide_tile(tile):
    """Room for DEPTH rows of up to 128."""
    return shared_array((DEPTH, WIDE), real_of(tile))


@device_function
def multiply_rows(sums, left, right, a, b, row, column):
    """sums[i, j] = Σ_k a[row + i, k] b[column + j, k], for matrices of any width; left, right: room in shared memory."""
    clear(sums)
    for k in range(0, a.shape[1], DEPTH):
        fill_transposed(left, a, row, k)
        fill_transposed(right, b, column, k)
        cuda.syncthreads()
        accumulate(sums, left, right)
        cuda.syncthreads()


@device_function
def add_weighted(sums, weights, tile, matrix, row):
    """sums[i, column] += Σ_k weights[k, i] matrix[row + k, column]; tile: room in shared memory."""
    for k in range(0, SIDE, DEPTH):
        fill(tile, matrix, row + k, 0)
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
