"""The product of a matrix in CSR (csr.py) with a dense one, on GPU and CPU: for the operation and for its gradient.

Every nonzero brings in a whole row of `dense`, so the columns of a result are what lies side by side: a thread or a
vector register keeps some of them from the first nonzero of a row to the last, and writes them once. With a single
column there is nothing to lie side by side, and the nonzeros themselves are shared out. Rows are shared out over CPU
threads by their nonzeros, not by their number.

Source: N. Bell, M. Garland, Efficient Sparse Matrix-Vector Multiplication on CUDA, NVIDIA, 2008 (a warp takes a row);
C. Yang, A. Buluç, J. Owens, Design Principles for Sparse Matrix Multiplication on the GPU, arXiv 1803.08601, section 4.
"""

import numpy as np
from numba import prange, types
from torch import Tensor

from kernels.backend import blocks, cuda, gpu_kernel, launch
from kernels.lanes import ALL, WARP
from kernels.loads import load, load4, real_of, store4
from kernels.products.csr import check_structure, ends_valid, gpu_row_bounds, part_rows, parts, row_bounds
from kernels.products.vectors import BYTES, plus_product, put, take, zeros
from kernels.promises import Promise
from kernels.twin import jitable, twin

INDICES = types.Array(types.int64, 1, "C")
WARPS = 4  # of a block, a row each: rows differ in length, and a block waits for its longest


@gpu_kernel
def csr_matmul_kernel(crow, col, values, dense, out, across):
    """A warp takes a row: `across` lanes lie side by side, four columns each, and groups of them share the nonzeros."""
    real, nonzeros = real_of(dense), col.shape[0]
    lane = cuda.threadIdx.x % WARP
    row = cuda.blockIdx.x * WARPS + cuda.threadIdx.x // WARP
    column = 4 * (cuda.blockIdx.y * across + lane % across)
    if row < out.shape[0]:
        first, end, valid = gpu_row_bounds(crow, row, nonzeros)
        a = real(0) if valid else real(np.nan)
        b, c, d = a, a, a
        for place in range(first + lane // across, end, WARP // across):
            source, value = col[place], load(values, place)
            if source < 0 or source >= dense.shape[0]:
                source, value = 0, real(np.nan)
            dense_a, dense_b, dense_c, dense_d = load4(dense[source], column, real(0))
            a, b, c, d = a + value * dense_a, b + value * dense_b, c + value * dense_c, d + value * dense_d
        distance = across
        while distance < WARP:  # the groups add up what they have
            a, b = a + cuda.shfl_xor_sync(ALL, a, distance), b + cuda.shfl_xor_sync(ALL, b, distance)
            c, d = c + cuda.shfl_xor_sync(ALL, c, distance), d + cuda.shfl_xor_sync(ALL, d, distance)
            distance *= 2
        if lane < across:
            store4(out[row], column, a, b, c, d)


MULTIPLYING = Promise(
    csr_matmul_kernel, (INDICES, INDICES, 1, 2, 2, int), threads=WARPS * WARP, load_bytes=16, occupancy=0.5
)


@jitable
def row_times_four_vectors(first, end, col, values, dense, rows, width, column):
    """A row's result in four vectors from `column` on, and whether all indices were valid; dense: (rows · width,)."""
    lanes, left = BYTES // dense.itemsize, width - column
    a, b, c, d = zeros(dense), zeros(dense), zeros(dense), zeros(dense)
    for place in range(first, end):
        source = np.int64(col[place])
        if source < 0 or source >= rows:
            return a, b, c, d, False
        start, value = source * width + column, values[place]
        a = plus_product(a, value, take(dense, start, left))
        b = plus_product(b, value, take(dense, start + lanes, left - lanes))
        c = plus_product(c, value, take(dense, start + 2 * lanes, left - 2 * lanes))
        d = plus_product(d, value, take(dense, start + 3 * lanes, left - 3 * lanes))
    return a, b, c, d, True


@jitable
def four_sources(col, place):
    """The indices of four nonzeros; a negative one becomes a huge one."""
    return (
        np.uint64(col[place]),
        np.uint64(col[place + 1]),
        np.uint64(col[place + 2]),
        np.uint64(col[place + 3]),
    )


@jitable
def row_times_one_vector(first, end, col, values, dense, rows, width, column):
    """The same in a single vector; four nonzeros are summed side by side, for an addition waits for the one before."""
    a, b, c, d = zeros(dense), zeros(dense), zeros(dense), zeros(dense)
    one, most, left, place = values.dtype.type(1), np.uint64(rows), width - column, first
    while place + 4 <= end:
        source_a, source_b, source_c, source_d = four_sources(col, place)
        if max(max(source_a, source_b), max(source_c, source_d)) >= most:
            return a, False
        a = plus_product(a, values[place], take(dense, np.int64(source_a) * width + column, left))
        b = plus_product(b, values[place + 1], take(dense, np.int64(source_b) * width + column, left))
        c = plus_product(c, values[place + 2], take(dense, np.int64(source_c) * width + column, left))
        d = plus_product(d, values[place + 3], take(dense, np.int64(source_d) * width + column, left))
        place += 4
    while place < end:
        source = np.uint64(col[place])
        if source >= most:
            return a, False
        a = plus_product(a, values[place], take(dense, np.int64(source) * width + column, left))
        place += 1
    return plus_product(plus_product(a, one, b), one, plus_product(c, one, d)), True


@jitable
def row_times_column(first, end, col, values, dense):
    """The same for the only column of dense, (rows,)."""
    zero, most, place = values.dtype.type(0), np.uint64(dense.shape[0]), first
    a, b, c, d = zero, zero, zero, zero
    # the way out in the middle keeps the compiler from gathering, which takes longer than loading one by one
    while place + 4 <= end:
        source_a, source_b, source_c, source_d = four_sources(col, place)
        if max(max(source_a, source_b), max(source_c, source_d)) >= most:
            return a, False
        a, b = a + values[place] * dense[source_a], b + values[place + 1] * dense[source_b]
        c, d = c + values[place + 2] * dense[source_c], d + values[place + 3] * dense[source_d]
        place += 4
    while place < end:
        source = np.uint64(col[place])
        if source >= most:
            return a, False
        a += values[place] * dense[source]
        place += 1
    return (a + b) + (c + d), True


@twin
def wide_twin(crow, col, values, dense, out, invalid):
    """By panels of four vectors of columns, so that a panel of dense stays in cache from row to row."""
    rows, width = dense.shape
    lanes, of = BYTES // dense.itemsize, invalid.shape[0]
    flat, results = dense.reshape(-1), out.reshape(-1)
    for part in prange(of):
        low, high = part_rows(crow, col.shape[0], part, of)
        wrong = not ends_valid(crow, col.shape[0])
        for column in range(0, width, 4 * lanes):
            for row in range(low, high):
                first, end, valid = row_bounds(crow, row, col.shape[0])
                a, b, c, d, inside = row_times_four_vectors(
                    first, end, col, values, flat, rows, width, column
                )
                wrong |= not (valid and inside)
                start, left = row * width + column, width - column
                put(results, start, left, a)
                put(results, start + lanes, left - lanes, b)
                put(results, start + 2 * lanes, left - 2 * lanes, c)
                put(results, start + 3 * lanes, left - 3 * lanes, d)
        invalid[part] = wrong


@twin
def narrow_twin(crow, col, values, dense, out, invalid):
    """By panels of one vector."""
    rows, width = dense.shape
    of, flat, results = invalid.shape[0], dense.reshape(-1), out.reshape(-1)
    for part in prange(of):
        low, high = part_rows(crow, col.shape[0], part, of)
        wrong = not ends_valid(crow, col.shape[0])
        for column in range(0, width, BYTES // dense.itemsize):
            for row in range(low, high):
                first, end, valid = row_bounds(crow, row, col.shape[0])
                sums, inside = row_times_one_vector(first, end, col, values, flat, rows, width, column)
                wrong |= not (valid and inside)
                put(results, row * width + column, width - column, sums)
        invalid[part] = wrong


@twin
def column_twin(crow, col, values, dense, out, invalid):
    """A single column."""
    of, flat, results = invalid.shape[0], dense.reshape(-1), out.reshape(-1)
    for part in prange(of):
        low, high = part_rows(crow, col.shape[0], part, of)
        wrong = not ends_valid(crow, col.shape[0])
        for row in range(low, high):
            first, end, valid = row_bounds(crow, row, col.shape[0])
            results[row], inside = row_times_column(first, end, col, values, flat)
            wrong |= not (valid and inside)
        invalid[part] = wrong


def lanes_across(width: int) -> int:
    """The lanes of a warp that lie side by side over this many columns, four each: a power of two."""
    return min(WARP, 1 << (blocks(max(width, 1), 4) - 1).bit_length())


def multiply_on_gpu(crow: Tensor, col: Tensor, values: Tensor, dense: Tensor, out: Tensor) -> None:
    """Launch the kernel; with few columns, the other lanes of a warp take other nonzeros of its row."""
    rows, width = out.shape
    across = lanes_across(width)
    grid = blocks(rows, WARPS), blocks(width, 4 * across)
    launch(csr_matmul_kernel, grid, (WARPS * WARP,), crow, col, values, dense, out, across)


def multiply_on_cpu(crow: Tensor, col: Tensor, values: Tensor, dense: Tensor) -> Tensor:
    """The twins' result, from tensors without gaps in the dtype of sums; ValueError for indices that are wrong."""
    columns, width = dense.shape
    out = dense.new_empty(crow.shape[0] - 1, width)
    invalid = np.empty(parts(), np.bool_)
    lanes, work = BYTES // dense.itemsize, col.shape[0] * width
    if width == 1:
        column_twin(crow, col, values, dense, out, invalid, elements=work)
    elif width <= 2 * lanes:
        narrow_twin(crow, col, values, dense, out, invalid, elements=work)
    else:
        wide_twin(crow, col, values, dense, out, invalid, elements=work)
    if any(invalid.tolist()):  # a few numbers: NumPy's any would take longer
        check_structure(crow, col, columns)
    return out
