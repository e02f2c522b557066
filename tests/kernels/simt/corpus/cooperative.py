"""Cooperative groups: a barrier for the whole grid, so that one launch does what took one launch a step.

Source: CUDA C++ Programming Guide, "Cooperative Groups", grid synchronization. Numba's simulator runs the blocks of a
grid one after another, so it can keep this barrier for a grid of one block only.
"""

import numpy as np
from corpus.case import Case, normal, whole
from numba import float32, int32

from kernels.backend import cuda

THREADS = 32
ONE_BLOCK_ONLY = "Numba's simulator has no barrier across blocks"
LIBRARY = "cudadevrt"  # NVIDIA's device runtime, which has the grid's barrier


@cuda.jit
def jacobi(first, second, steps):
    """Averages of neighbors, over and over; the two arrays take turns, and the whole grid waits in between."""
    i = cuda.grid(1)
    grid = cuda.cg.this_grid()
    for step in range(steps):
        source, target = (first, second) if step % 2 == 0 else (second, first)
        if 0 < i < source.size - 1:
            target[i] = float32(0.5) * (source[i - 1] + source[i + 1])
        grid.sync()


@cuda.jit
def total(x, partial, out):
    """Blocks leave partial sums; after the barrier one thread adds them up, without atomics or flags."""
    scratch = cuda.shared.array(THREADS, int32)
    t = cuda.threadIdx.x
    own = int32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        own = int32(own + x[i])
    scratch[t] = own
    cuda.syncthreads()
    if t == 0:
        for k in range(1, THREADS):
            scratch[0] += scratch[k]
        partial[cuda.blockIdx.x] = scratch[0]
    cuda.cg.this_grid().sync()
    if cuda.grid(1) == 0:
        for block in range(cuda.gridDim.x):
            out[0] += partial[block]


@cuda.jit
def rotate(x, times):
    """In place across blocks: everyone reads, the grid waits, everyone writes, the grid waits."""
    i = cuda.grid(1)
    grid = cuda.cg.this_grid()
    for _ in range(times):
        moved = x[(i + 1) % x.size] if i < x.size else int32(0)
        grid.sync()
        if i < x.size:
            x[i] = moved
        grid.sync()


def relaxed(first, second, steps):
    arrays = [first.astype(np.float64), second.astype(np.float64)]
    for step in range(steps):
        source, target = arrays[step % 2], arrays[1 - step % 2]
        target[1:-1] = 0.5 * (source[:-2] + source[2:])
    return dict(enumerate(arrays))


def cases(kernel, arguments, expected, tolerance=0.0):
    """With one block, and with three that Numba's simulator has to leave out."""
    for blocks, reason in ((1, ""), (3, ONE_BLOCK_ONLY)):
        yield Case(
            kernel,
            (blocks,),
            (THREADS,),
            lambda rng, blocks=blocks: arguments(rng, blocks),
            expected,
            f"{blocks}-blocks",
            tolerance=tolerance,
            not_in_numba=reason,
            linked=LIBRARY,
        )


CASES = (
    *cases(
        jacobi,
        lambda rng, blocks: (x := normal(rng, THREADS * blocks - 3), x.copy(), 5),
        relaxed,
        1e-6,
    ),
    *cases(
        total,
        lambda rng, blocks: (whole(rng, -99, 99, 300), np.zeros(blocks, np.int32), np.zeros(1, np.int32)),
        lambda x, *_: {2: [x.sum()]},
    ),
    *cases(
        rotate,
        lambda rng, blocks: (whole(rng, 0, 99, THREADS * blocks - 5), 4),
        lambda x, times: {0: np.roll(x, -times)},
    ),
)
