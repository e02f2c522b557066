"""Matrix products: how often is each number read?

Source: CUDA C++ Programming Guide, "Shared Memory"; V. Volkov, Better Performance at Lower Occupancy, GTC 2010, for
several results a thread.
"""

import numpy as np
from corpus.case import NO_SHUFFLES, Case, normal
from numba import float32

from kernels.backend import blocks, cuda

TILE = 8
WIDE = 2 * TILE
EVERYONE = 0xFFFFFFFF


@cuda.jit
def naive(a, b, c):
    """Each thread reads a row of a and a column of b from device memory."""
    column, row = cuda.grid(2)
    if row < c.shape[0] and column < c.shape[1]:
        total = float32(0)
        for k in range(a.shape[1]):
            total += a[row, k] * b[k, column]
        c[row, column] = total


@cuda.jit
def tiled(a, b, c):
    """A block loads a tile of each, once, and everyone uses it; what lies outside counts as zero."""
    a_tile = cuda.shared.array((TILE, TILE), float32)
    b_tile = cuda.shared.array((TILE, TILE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    column, row = cuda.grid(2)
    total = float32(0)
    for start in range(0, a.shape[1], TILE):
        inside = row < a.shape[0] and start + tx < a.shape[1]
        a_tile[ty, tx] = a[row, start + tx] if inside else float32(0)
        inside = start + ty < b.shape[0] and column < b.shape[1]
        b_tile[ty, tx] = b[start + ty, column] if inside else float32(0)
        cuda.syncthreads()
        for k in range(TILE):
            total += a_tile[ty, k] * b_tile[k, tx]
        cuda.syncthreads()  # the next tile overwrites this one
    if row < c.shape[0] and column < c.shape[1]:
        c[row, column] = total


@cuda.jit
def double_buffered(a, b, c):
    """Two tiles in turn: the next is loaded while this one is used, and one barrier a step is enough."""
    a_tile = cuda.shared.array((2, TILE, TILE), float32)
    b_tile = cuda.shared.array((2, TILE, TILE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    column, row = cuda.grid(2)
    steps = (a.shape[1] + TILE - 1) // TILE
    total = float32(0)
    for step in range(steps + 1):
        if step < steps:
            start = step * TILE
            inside = row < a.shape[0] and start + tx < a.shape[1]
            a_tile[step % 2, ty, tx] = a[row, start + tx] if inside else float32(0)
            inside = start + ty < b.shape[0] and column < b.shape[1]
            b_tile[step % 2, ty, tx] = b[start + ty, column] if inside else float32(0)
        if step > 0:
            full = (step - 1) % 2
            for k in range(TILE):
                total += a_tile[full, ty, k] * b_tile[full, k, tx]
        cuda.syncthreads()
    if row < c.shape[0] and column < c.shape[1]:
        c[row, column] = total


@cuda.jit
def two_by_two(a, b, c):
    """A thread computes 2 x 2 results in registers: four products for every four numbers it reads."""
    a_tile = cuda.shared.array((WIDE, TILE), float32)
    b_tile = cuda.shared.array((TILE, WIDE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    total = cuda.local.array((2, 2), float32)
    for i in range(2):
        for j in range(2):
            total[i, j] = 0
    top, left = cuda.blockIdx.y * WIDE, cuda.blockIdx.x * WIDE
    for start in range(0, a.shape[1], TILE):
        for half in range(2):
            r, k = top + ty + half * TILE, start + tx
            a_tile[ty + half * TILE, tx] = a[r, k] if r < a.shape[0] and k < a.shape[1] else float32(0)
            k, s = start + ty, left + tx + half * TILE
            b_tile[ty, tx + half * TILE] = b[k, s] if k < b.shape[0] and s < b.shape[1] else float32(0)
        cuda.syncthreads()
        for k in range(TILE):
            upper, lower = a_tile[ty, k], a_tile[ty + TILE, k]
            near, far = b_tile[k, tx], b_tile[k, tx + TILE]
            total[0, 0] += upper * near
            total[0, 1] += upper * far
            total[1, 0] += lower * near
            total[1, 1] += lower * far
        cuda.syncthreads()
    for i in range(2):
        for j in range(2):
            r, s = top + ty + i * TILE, left + tx + j * TILE
            if r < c.shape[0] and s < c.shape[1]:
                c[r, s] = total[i, j]


@cuda.jit
def batched(a, b, c):
    """The third axis of the grid is the batch; each matrix is a view."""
    column, row, batch = cuda.grid(3)
    left, right = a[batch], b[batch]
    if row < c.shape[1] and column < c.shape[2]:
        total = float32(0)
        for k in range(left.shape[1]):
            total = cuda.fma(left[row, k], right[k, column], total)
        c[batch, row, column] = total


@cuda.jit
def vector_by_warp(a, x, y):
    """A warp a row: lanes read neighboring columns, then add up by shuffles."""
    row = cuda.grid(1) // 32
    lane = cuda.laneid
    if row < a.shape[0]:
        total = float32(0)
        for column in range(lane, a.shape[1], 32):
            total += a[row, column] * x[column]
        offset = 16
        while offset > 0:
            total += cuda.shfl_down_sync(EVERYONE, total, offset)
            offset >>= 1
        if lane == 0:
            y[row] = total


def product(a, b, _):
    return {2: a.astype(np.float64) @ b.astype(np.float64)}


def case(kernel, rows, inner, columns, covers=TILE):
    """A launch whose blocks cover `covers` x `covers` results each."""
    return Case(
        kernel,
        (blocks(columns, covers), blocks(rows, covers)),
        (TILE, TILE),
        lambda rng: (
            normal(rng, rows, inner),
            normal(rng, inner, columns),
            np.zeros((rows, columns), np.float32),
        ),
        product,
        f"{rows}x{inner}x{columns}",
        tolerance=2e-6,
    )


CASES = (
    *(case(naive, *shape) for shape in ((1, 5, 1), (9, 7, 10))),
    *(case(tiled, *shape) for shape in ((8, 16, 8), (13, 19, 7))),
    *(case(double_buffered, *shape) for shape in ((8, 24, 8), (5, 17, 11))),
    *(case(two_by_two, *shape, WIDE) for shape in ((16, 16, 16), (17, 9, 20))),
    Case(
        batched,
        (1, 1, 3),
        (TILE, TILE, 1),
        lambda rng: (normal(rng, 3, 5, 6), normal(rng, 3, 6, 7), np.zeros((3, 5, 7), np.float32)),
        product,
        tolerance=2e-6,
    ),
    Case(
        vector_by_warp,
        (2,),
        (96,),
        lambda rng: (normal(rng, 5, 70), normal(rng, 70), np.zeros(5, np.float32)),
        product,
        tolerance=2e-6,
        not_in_numba=NO_SHUFFLES,
    ),
)
