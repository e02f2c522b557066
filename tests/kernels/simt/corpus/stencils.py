"""Every element from its neighbors: what a block shares, it loads once, with a rim (*halo*) around it."""

import numpy as np
from corpus.case import Case, normal, whole
from numba import float32, int32

from kernels.backend import blocks, cuda

THREADS = 64
RADIUS = 3
SPAN = THREADS + 2 * RADIUS  # a block's elements and its halo
WEIGHTS = np.array([0.1, -0.2, 0.3, 0.6, 0.3, -0.2, 0.1], np.float32)  # (2 * RADIUS + 1,)
SIDE = 8
SIDE_AND_HALO = SIDE + 2


@cuda.jit
def one_dimension(x, out):
    """The first threads of a block load the halo too; beyond the ends there are zeros."""
    tile = cuda.shared.array(SPAN, float32)
    weights = cuda.const.array_like(WEIGHTS)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    tile[t + RADIUS] = x[i] if i < x.size else float32(0)
    if t < RADIUS:
        left, right = i - RADIUS, i + THREADS
        tile[t] = x[left] if left >= 0 else float32(0)
        tile[t + RADIUS + THREADS] = x[right] if right < x.size else float32(0)
    cuda.syncthreads()
    if i < x.size:
        total = float32(0)
        for k in range(2 * RADIUS + 1):
            total += weights[k] * tile[t + k]
        out[i] = total


@cuda.jit
def five_point(x, out):
    """A step of the heat equation; the rim of the plate stays as it is."""
    column, row = cuda.grid(2)
    rows, columns = x.shape
    if row >= rows or column >= columns:
        return
    if row == 0 or column == 0 or row == rows - 1 or column == columns - 1:
        out[row, column] = x[row, column]
    else:
        neighbors = x[row - 1, column] + x[row + 1, column] + x[row, column - 1] + x[row, column + 1]
        out[row, column] = float32(0.5) * x[row, column] + float32(0.125) * neighbors


@cuda.jit
def five_point_shared(x, out):
    """The same with a tile and its halo; the first column of threads loads left and right, the first row the rest."""
    tile = cuda.shared.array((SIDE_AND_HALO, SIDE_AND_HALO), float32)
    tx, ty = cuda.threadIdx.x + 1, cuda.threadIdx.y + 1
    column, row = cuda.grid(2)
    last_row, last_column = x.shape[0] - 1, x.shape[1] - 1
    r, c = min(row, last_row), min(column, last_column)
    tile[ty, tx] = x[r, c]
    if tx == 1:
        tile[ty, 0] = x[r, max(column - 1, 0)]
        tile[ty, SIDE + 1] = x[r, min(column + SIDE, last_column)]
    if ty == 1:
        tile[0, tx] = x[max(row - 1, 0), c]
        tile[SIDE + 1, tx] = x[min(row + SIDE, last_row), c]
    cuda.syncthreads()
    if 0 < row < last_row and 0 < column < last_column:
        neighbors = tile[ty - 1, tx] + tile[ty + 1, tx] + tile[ty, tx - 1] + tile[ty, tx + 1]
        out[row, column] = float32(0.5) * tile[ty, tx] + float32(0.125) * neighbors
    elif row <= last_row and column <= last_column:
        out[row, column] = tile[ty, tx]


@cuda.jit
def seven_point(x, out):
    """Three axes, and a box whose opposite faces touch: the Laplacian."""
    k, j, i = cuda.grid(3)
    depth, height, width = x.shape
    if i < depth and j < height and k < width:
        total = x[(i + 1) % depth, j, k] + x[(i + depth - 1) % depth, j, k]
        total += x[i, (j + 1) % height, k] + x[i, (j + height - 1) % height, k]
        total += x[i, j, (k + 1) % width] + x[i, j, (k + width - 1) % width]
        out[i, j, k] = total - float32(6) * x[i, j, k]


@cuda.jit
def game_of_life(alive, after):
    """Conway's rules on a torus: two loops of three, and a sum in small integers."""
    column, row = cuda.grid(2)
    rows, columns = alive.shape
    if row < rows and column < columns:
        around = int32(0)
        for down in range(-1, 2):
            for across in range(-1, 2):
                if down == 0 and across == 0:
                    continue
                around += alive[(row + down) % rows, (column + across) % columns]
        after[row, column] = around == 3 or (around == 2 and alive[row, column] == 1)


def convolved(x):
    return np.convolve(x.astype(np.float64), WEIGHTS.astype(np.float64))[RADIUS : RADIUS + x.size]


def heat(x):
    wide = x.astype(np.float64)
    inner = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    wide[1:-1, 1:-1] = 0.5 * wide[1:-1, 1:-1] + 0.125 * inner
    return wide


def laplacian(x):
    wide = x.astype(np.float64)
    return sum(np.roll(wide, step, axis) for step in (-1, 1) for axis in range(3)) - 6 * wide


def life(x):
    around = sum(np.roll(x, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)) - x
    return ((around == 3) | ((around == 2) & (x == 1))).astype(np.int8)


def plate(kernel, rows, columns):
    return Case(
        kernel,
        (blocks(columns, SIDE), blocks(rows, SIDE)),
        (SIDE, SIDE),
        lambda rng: (normal(rng, rows, columns), np.zeros((rows, columns), np.float32)),
        lambda x, out: {1: heat(x)},
        f"{rows}x{columns}",
        tolerance=1e-6,
    )


CASES = (
    *(
        Case(
            one_dimension,
            (blocks(n, THREADS),),
            (THREADS,),
            lambda rng, n=n: (normal(rng, n), np.zeros(n, np.float32)),
            lambda x, out: {1: convolved(x)},
            str(n),
            tolerance=1e-6,
        )
        for n in (5, 64, 130)
    ),
    *(plate(five_point, *shape) for shape in ((3, 3), (13, 9))),
    *(plate(five_point_shared, *shape) for shape in ((8, 8), (13, 17))),
    Case(
        seven_point,
        (2, 2, 2),
        (4, 4, 2),
        lambda rng: (normal(rng, 3, 5, 7), np.zeros((3, 5, 7), np.float32)),
        lambda x, out: {1: laplacian(x)},
        tolerance=1e-6,
    ),
    Case(
        game_of_life,
        (2, 2),
        (SIDE, SIDE),
        lambda rng: (whole(rng, 0, 2, 11, 14).astype(np.int8), np.zeros((11, 14), np.int8)),
        lambda alive, after: {1: life(alive)},
    ),
)
