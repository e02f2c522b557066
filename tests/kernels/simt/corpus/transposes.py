"""Rows to columns: the same move, ever better laid out for sectors and banks.

Source: G. Ruetsch, P. Micikevicius, Optimizing Matrix Transpose in CUDA, NVIDIA, 2009.
"""

import numpy as np
from corpus.case import Case, normal
from numba import float32

from kernels.backend import blocks, cuda

TILE = 8
COPIED_WHOLE = "Numba's simulator takes only arrays without gaps"
PAD = TILE + 1  # one column more, and a column of the tile lies in different banks


@cuda.jit
def naive(x, out):
    """Reads along rows, writes down columns: every lane's write is in a sector of its own."""
    column, row = cuda.grid(2)
    if row < x.shape[0] and column < x.shape[1]:
        out[column, row] = x[row, column]


@cuda.jit
def tiled(x, out):
    """A tile in shared memory turns it, so that both sides go along rows."""
    tile = cuda.shared.array((TILE, TILE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    column, row = cuda.grid(2)
    if row < x.shape[0] and column < x.shape[1]:
        tile[ty, tx] = x[row, column]
    cuda.syncthreads()
    column = cuda.blockIdx.y * TILE + tx
    row = cuda.blockIdx.x * TILE + ty
    if row < out.shape[0] and column < out.shape[1]:
        out[row, column] = tile[tx, ty]


@cuda.jit
def padded(x, out):
    """As `tiled`, without bank conflicts; a block of fewer rows walks down its tile."""
    tile = cuda.shared.array((TILE, PAD), float32)
    tx, first = cuda.threadIdx.x, cuda.threadIdx.y
    column = cuda.blockIdx.x * TILE + tx
    for ty in range(first, TILE, cuda.blockDim.y):
        row = cuda.blockIdx.y * TILE + ty
        if row < x.shape[0] and column < x.shape[1]:
            tile[ty, tx] = x[row, column]
    cuda.syncthreads()
    column = cuda.blockIdx.y * TILE + tx
    for ty in range(first, TILE, cuda.blockDim.y):
        row = cuda.blockIdx.x * TILE + ty
        if row < out.shape[0] and column < out.shape[1]:
            out[row, column] = tile[tx, ty]


@cuda.jit
def in_place(x):
    """A thread swaps one pair across the diagonal; nobody else touches either."""
    column, row = cuda.grid(2)
    if row < column < x.shape[1]:
        x[row, column], x[column, row] = x[column, row], x[row, column]


@cuda.jit
def any_layout(x, out):
    """Strides are the array's own affair: x may be a view, transposed, or every other row."""
    column, row = cuda.grid(2)
    if row < x.shape[0] and column < x.shape[1]:
        out[row, column] = x[row, column] + float32(1)


def case(kernel, rows, columns, height=TILE):
    return Case(
        kernel,
        (blocks(columns, TILE), blocks(rows, TILE)),
        (TILE, height),
        lambda rng: (normal(rng, rows, columns), np.zeros((columns, rows), np.float32)),
        lambda x, out: {1: x.T},
        f"{rows}x{columns}",
    )


def layout(label, view, **options):
    """`any_layout` on a view of a (12, 10) array."""
    return Case(
        any_layout,
        (2, 2),
        (TILE, TILE),
        lambda rng: (x := view(normal(rng, 12, 10)), np.zeros(x.shape, np.float32)),
        lambda x, out: {1: x + 1},
        label,
        tolerance=1e-6,
        **options,
    )


CASES = (
    *(case(naive, *shape) for shape in ((1, 1), (13, 10))),
    *(case(tiled, *shape) for shape in ((8, 8), (13, 10))),
    *(case(padded, *shape, height=2) for shape in ((16, 8), (5, 17))),
    Case(in_place, (2, 2), (TILE, TILE), lambda rng: (normal(rng, 11, 11),), lambda x: {0: x.T}),
    layout("transposed", lambda x: x.T),
    layout("every-other", lambda x: x[::2, 1::3], not_in_numba=COPIED_WHOLE),
    layout("reversed", lambda x: x[::-1, ::-1], not_in_numba=COPIED_WHOLE),
)
